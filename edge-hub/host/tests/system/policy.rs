//! `clustertalk policy`, as its user meets it.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use super::{
    client::Client,
    command_line::run,
    components::from_text,
    harness::{COMPONENTS, RedisServer, Site, built, clustertalk, eventually, within},
    transcript::{self, Programs, Values},
};

const DOCUMENT: &str = include_str!("../../../../docs/policies.md");
const EXAMPLE: &str = include_str!("../../../../moderation-wasm/policy/example.toml");

fn data() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("system")
}

fn score(site: &Site) -> Command {
    let mut command = clustertalk("policy");
    command.args(["score", "--jsonl", "--manifest"]);
    command.arg(site.path("spin.toml"));
    command.arg("--data").arg(data());
    command
}

/// What comes of these lines: the exit code, the answers, and the last word.
async fn scored(site: &Site, lines: Vec<u8>) -> (i32, Vec<Value>, String) {
    let mut child = score(site)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a program");
    let mut input = child.stdin.take().expect("it is piped");
    let writing = tokio::spawn(async move {
        input.write_all(&lines).await.expect("all is read");
    });
    let output = within("the scores", child.wait_with_output())
        .await
        .expect("an end");
    writing.await.expect("all is written");
    let answers = String::from_utf8(output.stdout).expect("text");
    let answers = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let error = String::from_utf8(output.stderr).expect("text");
    (output.status.code().expect("a code"), answers, error)
}

#[tokio::test]
async fn texts_are_scored_in_their_order() {
    let site = Site::new();
    let texts = [
        ("This is spam", "mask"),
        ("good morning everybody", "allow"),
    ];
    let lines: String = (0..2_000)
        .map(|id| {
            let line = json!({ "id": id, "text": texts[id % 2].0, "more": "is left alone" });
            format!("{line}\n")
        })
        .collect();
    let (code, answers, error) = scored(&site, lines.into_bytes()).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(answers.len(), 2_000);
    for (id, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], id);
        assert_eq!(answer["action"], texts[id % 2].1, "{answer}");
        for class in ["toxic", "hate", "spam", "sexual", "threat"] {
            let score = answer["scores"][class].as_f64().expect("a score");
            assert!((0.0..=1.0).contains(&score), "{answer}");
        }
    }
    assert!(answers[0]["scores"]["spam"].as_f64() >= Some(0.75));
}

#[tokio::test]
async fn a_line_that_is_none_is_told_and_the_others_are_scored() {
    let site = Site::new();
    let mut lines = Vec::new();
    lines.extend(b"nonsense\n\n{\"id\":\"a\",\"text\":\"hello\"}\n{\"id\":\"b\"}\n\xff\n");
    lines.extend(
        json!({ "id": "long", "text": "a".repeat(1_000_000) })
            .to_string()
            .bytes(),
    );
    lines.push(b'\n');
    lines.extend(vec![b'x'; 9 * 1024 * 1024]);
    lines.extend(b"\n{\"id\":\"last\",\"text\":\"This is spam\"}");
    let (code, answers, error) = scored(&site, lines).await;
    assert_eq!(code, 1);
    assert!(error.contains("4 lines were not judged"), "{error}");
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| (&answer["id"], &answer["line"], &answer["error"]["code"]))
        .map(|(id, line, code)| json!([id, line, code]))
        .collect();
    let expected = json!([
        [null, 1, "bad_json"],
        ["a", null, null],
        [null, 4, "bad_json"],
        [null, 5, "bad_json"],
        ["long", null, null],
        [null, 7, "too_large"],
        ["last", null, null],
    ]);
    assert_eq!(json!(codes), expected);
    assert_eq!(answers[6]["action"], "mask");
}

#[tokio::test]
async fn another_component_may_be_asked() {
    let site = Site::new();
    let missing = site.path("missing.wasm");
    let (code, _, error) = run(score(&site)
        .arg("--component")
        .arg(&missing)
        .stdin(Stdio::null()))
    .await;
    assert_eq!(code, 1);
    assert!(error.contains("missing.wasm"), "{error}");
    let same = site.path("moderation.wasm");
    let (code, output, _) = run(score(&site)
        .arg("--component")
        .arg(&same)
        .stdin(Stdio::null()))
    .await;
    assert_eq!((code, output.as_str()), (0, ""));
}

#[tokio::test]
async fn what_the_document_shows_is_true() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let manifest = std::fs::read_to_string(site.path("spin.toml")).expect("a file");
    let data = data().display().to_string();
    let mut programs = Programs::new(&redis, &edge)
        .with(&[("CLUSTERTALK_DATA", &data)])
        .with_file("policy.toml", EXAMPLE.as_bytes())
        .with_file("spin.toml", manifest.as_bytes());
    for name in COMPONENTS {
        let component = std::fs::read(built(name)).expect("a component");
        programs = programs.with_file(&format!("{name}.wasm"), &component);
    }
    let commands = transcript::run(DOCUMENT, &programs, &mut Values::default()).await;
    assert!(commands.len() >= 8);
}

#[tokio::test]
async fn a_policy_is_built_in_while_people_chat_and_taken_out_again() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let (mut ada, _) = Client::resume(edge.address, "ada", "general", None).await;
    let build = async |name: &str, policy: &str| {
        let file = site.path(name);
        std::fs::write(&file, policy).expect("a file");
        let mut command = clustertalk("policy");
        command.arg("build").arg(&file).arg("--manifest");
        command.arg(site.path("spin.toml"));
        let (code, output, error) = run(&mut command).await;
        assert_eq!((code, error.as_str()), (0, ""));
        output.lines().last().expect("a digest").to_owned()
    };
    let empty = "name = 'empty'";
    let wumpf = "name = 'wumpf'\nreplacement = '[wumpf]'\n[deny]\nmask = ['zorblax']";
    let mut number = 0;
    for (policy, text, action) in [
        (wumpf, "[wumpf]", json!("mask")),
        (empty, "so z o r b l a x", json!("allow")),
    ] {
        let digest = build("policy.toml", policy).await;
        eventually("the policy is used", async || {
            number += 1;
            let id = format!("z{number}");
            ada.persist("general", &id, "so z o r b l a x").await;
            let message = ada
                .next_that("my message", |frame| {
                    frame["type"] == "message" && frame["id"] == json!(id)
                })
                .await;
            let judged_by = message["moderation"]["policy"] == json!(digest);
            if judged_by {
                assert_eq!(message["text"], text, "{message}");
                assert_eq!(message["moderation"]["action"], action, "{message}");
            }
            judged_by.then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn moderators_are_asked_one_after_the_other() {
    let redis = RedisServer::start().await;
    let site = Site::with_chain(
        "{ path = 'house.wasm', memory_bytes = 8_388_608, deadline_ms = 50, fail = 'open' }, \
         { path = 'second.wasm', memory_bytes = 8_388_608, deadline_ms = 50, fail = 'closed' }",
    );
    let policy = site.path("house.toml");
    let house = "name = 'house'\nreplacement = '[house]'\n[deny]\nmask = ['zorblax']";
    std::fs::write(&policy, house).expect("a file");
    let mut build = clustertalk("policy");
    build.arg("build").arg(&policy).arg("--component");
    build.arg(built("moderation")).arg("--output");
    let (code, _, error) = run(build.arg(site.path("house.wasm"))).await;
    assert_eq!((code, error.as_str()), (0, ""));
    std::fs::copy(built("moderation"), site.path("second.wasm")).expect("a copy");
    std::fs::write(
        site.path("moderation.wasm"),
        from_text("moderation-second-build"),
    )
    .expect("a file");

    let edge = site.edge(&redis).await;
    let (mut ada, _) = Client::resume(edge.address, "ada", "general", None).await;
    let mut said = async |id: &str, text: &str| {
        ada.persist("general", id, text).await;
        let is_mine = |frame: &Value| frame["type"] == "message" && frame["id"] == json!(id);
        let message = ada.next_that("my message", is_mine).await;
        (
            message["text"].clone(),
            message["moderation"]["policy"].clone(),
        )
    };
    let replace = async |member: &str, name: &str| {
        site.replace(member, &from_text(name));
        eventually("the new build", async || {
            let name = format!("moderation-{member}");
            let swaps = edge.component_metric("swaps_total", &name).await;
            (swaps > 0).then_some(())
        })
        .await;
    };
    // The first that masks decides; whom two would mask, the first of them.
    let (text, by_house) = said("m1", "a zorblax").await;
    assert_eq!(text, "[house]");
    let (text, by_house_too) = said("m2", "This is spam").await;
    assert_eq!((text, &by_house_too), (json!("[house]"), &by_house));
    // What all before allow comes to the last.
    let (text, by_last) = said("m3", "hello").await;
    assert_eq!(text, "[SECOND BUILD]");
    assert_ne!(by_last, by_house);

    // The command asks them all, too.
    let line = json!({ "id": 1, "text": "a zorblax" }).to_string();
    let (code, answers, error) = scored(&site, line.into_bytes()).await;
    assert_eq!((code, answers.len()), (0, 1), "{error}");
    assert_eq!(answers[0]["scores"]["denied"], 0.75, "{}", answers[0]);

    // A member is replaced by itself; of one that fails open, the next is asked.
    replace("house", "moderation-trap").await;
    let (text, by_second) = said("m4", "This is spam").await;
    assert_eq!(text, "[CENSORED BY AI]");
    assert!(by_second != by_house && by_second != by_last);
    assert_eq!(
        said("m5", "a zorblax").await,
        (json!("[SECOND BUILD]"), by_last)
    );
    // One that fails closed blocks, and nobody behind it is asked.
    replace("second", "moderation-error").await;
    let answer = ada.say("general", "m6", "hello").await;
    assert_eq!(answer["code"], "blocked", "{answer}");
}
