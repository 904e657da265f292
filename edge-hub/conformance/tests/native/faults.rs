//! The program finds what it is there to find: each fault fails the case that is about it, for the
//! reason that it is one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    deployment::{Deployment, conformance},
    proxy::{self, Fault},
};

/// An edge that is broken like this.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Not,
    DropsAMessage,
    RepeatsAMessage,
    SwapsMessages,
    ChangesATag,
    AcknowledgesElsewhere,
    ClaimsToHaveRecovered,
    TellsAnotherError,
    ShowsWhatWasMasked,
    TellsOfWhoIsNotThere,
    ClosesWithAnotherCode,
}

impl Fault for Broken {
    fn frame(&self, mut frame: Value, count: usize, held: &mut Vec<Value>) -> Vec<Value> {
        let is = |kind: &str| frame["type"] == kind;
        match self {
            Self::DropsAMessage if is("message") && count == 3 => return Vec::new(),
            Self::RepeatsAMessage if is("message") && count == 3 => {
                return vec![frame.clone(), frame];
            }
            Self::SwapsMessages if is("message") && count == 3 => {
                held.push(frame);
                return Vec::new();
            }
            Self::SwapsMessages if is("message") && count == 4 => {
                return [vec![frame], std::mem::take(held)].concat();
            }
            Self::ChangesATag if is("message") && count == 3 => {
                frame["position"]["tag"] = json!("00000000deadbeef");
            }
            Self::AcknowledgesElsewhere if is("ack") => {
                let seq = frame["position"]["seq"].as_u64().unwrap_or_default();
                frame["position"]["seq"] = json!(seq + 1);
            }
            Self::ClaimsToHaveRecovered if is("joined") => {
                frame["recovered"] = json!(true);
                frame["reason"] = Value::Null;
            }
            Self::TellsAnotherError if frame["code"] == "bad_id" => {
                frame["code"] = json!("bad_frame");
            }
            Self::ShowsWhatWasMasked if frame["text"] == "[CENSORED BY AI]" => {
                frame["text"] = json!("This is spam");
            }
            Self::TellsOfWhoIsNotThere if is("joined") => {
                frame["members_count"] = json!(7);
            }
            _ => {}
        }
        vec![frame]
    }

    fn close(&self, code: u16) -> u16 {
        match self {
            Self::ClosesWithAnotherCode => 1000,
            _ => code,
        }
    }
}

/// A fault, the case that has to fail, and what that says.
#[rustfmt::skip]
const FAULTS: &[(Broken, &str, &str)] = &[
    (Broken::DropsAMessage,         "delivery/concurrent_senders_are_seen_in_one_order", "a gap: after"),
    (Broken::RepeatsAMessage,       "delivery/concurrent_senders_are_seen_in_one_order", "a gap: after"),
    (Broken::SwapsMessages,         "delivery/concurrent_senders_are_seen_in_one_order", "a gap: after"),
    (Broken::ChangesATag,           "delivery/each_way_of_reading_tells_the_same",       "a gap: after"),
    (Broken::AcknowledgesElsewhere, "delivery/sender_gets_ack_and_message",              "the message's position is"),
    (Broken::ClaimsToHaveRecovered, "resume/forged_tag_is_diverged",                     "`recovered` is true"),
    (Broken::TellsAnotherError,     "errors/bad_names",                                  "in the place of the error `bad_id`"),
    (Broken::ShowsWhatWasMasked,    "moderation/spam_is_masked_for_everyone",            "the text is \"This is spam\""),
    (Broken::TellsOfWhoIsNotThere,  "people/joined_lists_who_is_there",                  "the count is 7"),
    (Broken::ClosesWithAnotherCode, "states/first_frame_is_hello",                       "closed with 1000 in the place of 4003"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_an_edge_is_found_by_the_case_about_it() {
    let deployment = Deployment::start(1, &[], &[]).await;
    let edge = deployment.edges[0].as_str();

    // Through a proxy that changes nothing they all pass.
    let url = proxy::start(edge, Broken::Not).await;
    let mut arguments = vec![url.as_str()];
    for (_, case, _) in FAULTS {
        arguments.extend(["--only", case]);
    }
    let found = conformance(&arguments, &[]).await;
    assert_eq!(found.status, Some(0), "\n{}", found.failures());

    let runs = FAULTS.iter().map(|(broken, case, _)| async move {
        let url = proxy::start(edge, *broken).await;
        conformance(&[&url, "--only", case], &[]).await
    });
    for ((broken, case, reason), found) in FAULTS.iter().zip(join_all(runs).await) {
        assert_eq!(found.status, Some(1), "{broken:?} was not found");
        let why = found.case(case)["why"].as_str().expect("a reason");
        assert!(why.contains(reason), "{broken:?}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skip_is_a_failure_that_is_known_and_nothing_else() {
    let deployment = Deployment::start(1, &[], &[]).await;
    let edge = deployment.edges[0].as_str();
    let folder = tempfile::tempdir().expect("a folder");
    let skips = |case: &str| {
        let file = folder.path().join("skips.toml");
        let list = format!("[[skip]]\ncase = \"{case}\"\nreason = \"known\"\n");
        std::fs::write(&file, list).expect("a file");
        file.display().to_string()
    };
    let case = "errors/bad_names";
    let broken = proxy::start(edge, Broken::TellsAnotherError).await;
    let file = skips(case);
    let found = conformance(&[&broken, "--only", case, "--skip", &file], &[]).await;
    assert_eq!(found.status, Some(0), "\n{}", found.failures());
    assert_eq!(found.case(case)["verdict"], "skip");
    let why = found.case(case)["why"].as_str().expect("a reason");
    assert!(why.starts_with("known (found: "), "{why}");

    let found = conformance(&[edge, "--only", case, "--skip", &file], &[]).await;
    assert_eq!(found.status, Some(1), "a skip of a case that passes");
    let why = found.case(case)["why"].as_str().expect("a reason");
    assert!(why.contains("it passes"), "{why}");
}
