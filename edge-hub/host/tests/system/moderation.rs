//! The moderation log, reports, the moderators' queue and the quarantine, through everything.

use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    client::Client,
    command_line::{run, sentence},
    harness::{Edge, RedisServer, Site, ask, clustertalk},
    transcript::{self, Programs, Values},
};

const DOCUMENT: &str = include_str!("../../../../docs/moderation.md");

/// What the policy of this repository flags, masks and blocks.
const FLAGGED: &str = "shut up";
const MASKED: &str = "This is spam";
const BLOCKED: &str = "kill yourself";

/// 32 bytes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

async fn say(edge: &Edge, id: &str, text: &str) -> u16 {
    let message = json!({ "user": "ada", "id": id, "text": text });
    edge.post("club", &message).await.status
}

/// A room `club`, whose owner is `mod`.
async fn club(edge: &Edge) {
    let owner = json!({ "user": "mod" });
    let made = edge.send("PUT", "/api/v1/rooms/club", &owner).await;
    assert_eq!(made.status, 201);
}

fn message(id: &str) -> Value {
    json!({ "user": "ada", "id": id })
}

/// A page of a list, as the moderator gets it.
async fn page(edge: &Edge, list: &str) -> Value {
    let path = format!("/api/v1/rooms/club/moderation/{list}?user=mod");
    let answer = edge.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// What the log says, oldest first: kind, what was done, and whose or who.
async fn log(edge: &Edge) -> Vec<String> {
    let page = page(edge, "log").await;
    let entries = page["entries"].as_array().expect("entries");
    let told = |entry: &Value| {
        let body = &entry["body"];
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match entry["kind"].as_str() {
            Some("report") => format!("report {} {}", word(&body["reason"]), word(&body["by"])),
            Some("decision") => format!("{} {}", word(&body["action"]), word(&body["id"])),
            _ => format!("{} {}", word(&body["action"]), word(&body["by"])),
        }
    };
    entries.iter().rev().map(told).collect()
}

async fn waiting(edge: &Edge) -> Vec<String> {
    let page = page(edge, "queue").await;
    let queue = page["queue"].as_array().expect("a queue");
    let id = |waiting: &Value| waiting["message"]["id"].as_str().expect("an id").to_owned();
    queue.iter().map(id).collect()
}

async fn verified(redis: &RedisServer) -> (i32, String) {
    let mut verify = clustertalk("verify");
    verify.args(["--moderation", "--all", "--redis", &redis.url()]);
    let (code, output, _) = run(&mut verify).await;
    (code, output)
}

#[tokio::test]
async fn every_decision_leaves_one_entry_whatever_is_sent_again_and_whoever_dies() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    club(&edge).await;
    for (id, text, status) in [
        ("m1", "good morning", 201),
        ("m2", FLAGGED, 201),
        ("m3", MASKED, 201),
        ("m4", BLOCKED, 422),
    ] {
        for _ in 0..2 {
            assert_eq!(say(&edge, id, text).await, status, "{id}");
        }
    }
    // Another edge takes over, and its clients send again what was not answered.
    drop(edge);
    let edge = site.edge(&redis).await;
    assert_eq!(say(&edge, "m3", MASKED).await, 201);
    assert_eq!(say(&edge, "m4", BLOCKED).await, 422);
    assert_eq!(log(&edge).await, ["flag m2", "mask m3", "block m4"]);
    assert_eq!(waiting(&edge).await, ["m2"]);

    let entries = page(&edge, "log").await["entries"].clone();
    let blocked = &entries[0]["body"];
    let scores = blocked["scores"].as_array().expect("scores");
    assert!((1..=8).contains(&scores.len()), "{blocked}");
    let value = scores[0]["value"].as_f64().expect("a number");
    assert!((0.0..=1.0).contains(&value) && scores[0]["value"].to_string().len() <= 5);
    assert!(
        blocked["policy"]
            .as_str()
            .expect("a digest")
            .starts_with("sha256:")
    );
    let masked = &entries[1];
    assert_eq!(masked["target"]["position"]["seq"], 3);
    assert_eq!(masked["body"]["label"], "spam");

    // No text is anywhere that was not shown.
    let mut connection = redis.connection().await;
    let stored: redis::Value = ask(&mut connection, "XRANGE ct:{club}:moderation - +").await;
    let stored = format!("{stored:?}");
    for text in [FLAGGED, MASKED, BLOCKED] {
        assert!(!stored.contains(text), "{stored}");
    }
    let keys: Vec<String> = ask(&mut connection, "KEYS *quarantine*").await;
    assert_eq!(keys, [""; 0]);

    let (code, output) = verified(&redis).await;
    assert_eq!(code, 0, "{output}");
    assert!(
        output.contains("ok       #club  3 entries, 0 tombstones, 1 to 3-"),
        "{output}"
    );
    // What is changed by hand is found.
    let events: Vec<(String, Vec<String>)> =
        ask(&mut connection, "XRANGE ct:{club}:moderation - +").await;
    let _: u64 = ask(&mut connection, "DEL ct:{club}:moderation").await;
    for (id, fields) in events {
        let forged = fields[1].replace("\"action\":\"mask\"", "\"action\":\"flag\"");
        let mut add = redis::cmd("XADD");
        add.arg("ct:{club}:moderation")
            .arg(id)
            .arg("event")
            .arg(forged);
        let _: String = add.query_async(&mut connection).await.expect("an entry");
    }
    let (code, output) = verified(&redis).await;
    assert_eq!(code, 1, "{output}");
    assert!(
        output.contains("DAMAGED  #club") && output.contains("at 2: "),
        "{output}"
    );
}

#[tokio::test]
async fn what_is_reported_waits_for_moderators_and_nobody_else_sees_it() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    club(&edge).await;
    assert_eq!(say(&edge, "m1", "good morning").await, 201);
    let reports = "/api/v1/rooms/club/reports";
    let report =
        json!({ "user": "bob", "target": message("m1"), "reason": "harassment", "note": "again" });
    for _ in 0..2 {
        let answer = edge.send("POST", reports, &report).await;
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (200, &json!("done"))
        );
    }
    let mut cyd = Client::join(edge.address, "cyd").await;
    cyd.enter("club").await;
    let frame =
        json!({ "type": "report", "room": "club", "target": message("m1"), "reason": "spam" });
    cyd.get_done(frame).await;
    let missing = json!({ "user": "bob", "target": message("m9"), "reason": "spam" });
    assert_eq!(
        edge.send("POST", reports, &missing).await.json()["code"],
        "target_missing"
    );
    let nonsense = json!({ "user": "bob", "target": message("m1"), "reason": "ugly" });
    assert_eq!(
        edge.send("POST", reports, &nonsense).await.json()["code"],
        "bad_frame"
    );

    let queue = page(&edge, "queue").await["queue"].clone();
    assert_eq!(queue[0]["message"]["text"], "good morning");
    assert_eq!(queue[0]["reports"], 2);
    assert_eq!(queue[0]["records"][0]["body"]["note"], "again");
    for list in ["queue", "log"] {
        for user in ["bob", "ada"] {
            let path = format!("/api/v1/rooms/club/moderation/{list}?user={user}");
            let answer = edge.get(&path).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (403, &json!("forbidden"))
            );
        }
    }
    let dismiss = "/api/v1/rooms/club/moderation/dismiss";
    let by = |user: &str| json!({ "user": user, "target": message("m1") });
    assert_eq!(edge.send("POST", dismiss, &by("bob")).await.status, 403);
    assert_eq!(edge.send("POST", dismiss, &by("mod")).await.status, 200);
    assert_eq!(waiting(&edge).await, [""; 0]);
    assert_eq!(
        log(&edge).await,
        ["report harassment bob", "report spam cyd", "dismiss mod"]
    );
}

/// `clustertalk moderation …` as the moderator of the room.
fn moderation(edge: &Edge, arguments: &[&str]) -> Command {
    let mut command = clustertalk("moderation");
    command.args(arguments);
    command.args([
        "--user",
        "mod",
        "--url",
        &format!("http://{}", edge.address),
    ]);
    command
}

async fn done(edge: &Edge, arguments: &[&str]) -> String {
    let (code, output, error) = run(&mut moderation(edge, arguments)).await;
    assert_eq!((code, error.as_str()), (0, ""), "{arguments:?}: {output}");
    output
}

#[tokio::test]
async fn a_moderator_does_everything_from_the_command_line() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    club(&edge).await;
    for id in ["m1", "m2", "m3"] {
        assert_eq!(say(&edge, id, FLAGGED).await, 201);
    }
    let shown = done(&edge, &["queue", "club"]).await;
    let place = shown
        .split_whitespace()
        .next()
        .expect("a position")
        .to_owned();
    assert!(
        shown.contains("ada: shut up") && shown.contains("flag toxic: message of ada"),
        "{shown}"
    );
    done(&edge, &["dismiss", "club", &place]).await;
    done(&edge, &["delete", "#club", "ada/m2"]).await;
    assert_eq!(waiting(&edge).await, ["m3"]);
    let lines = done(&edge, &["queue", "club", "--json"]).await;
    let line: Value = serde_json::from_str(lines.trim()).expect("one line of JSON");
    assert_eq!(line["message"]["id"], "m3");
    assert_eq!(
        done(&edge, &["mute", "club", "ada", "--for", "1h"]).await,
        "#club: ada is muted\n"
    );
    assert_eq!(say(&edge, "m4", "hello").await, 403);
    done(&edge, &["unban", "club", "ada"]).await;
    assert_eq!(say(&edge, "m4", "hello").await, 201);
    done(&edge, &["ban", "club", "ada"]).await;
    let log = done(&edge, &["log", "club"]).await;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 8, "{log}");
    assert!(
        lines[0].ends_with("mod: ban ada") && lines[2].ends_with("mod: mute ada for 1h"),
        "{log}"
    );
    let told = sentence(&mut moderation(&edge, &["restore", "club", "ada/m3"])).await;
    assert!(told.contains("original_gone"), "{told}");
    let told = run(&mut moderation(&edge, &["dismiss", "club", "m3"])).await;
    assert!(told.0 == 2 && told.2.contains("USER/ID"), "{told:?}");
    let (code, output) = verified(&redis).await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn what_was_masked_is_restored_where_its_original_is_kept() {
    let redis = RedisServer::start().await;
    let site = Site::with(&[("quarantine_hours", "1")]);
    let kept = [("SPIN_VARIABLE_QUARANTINE_KEY", KEY)];
    let edge = site.start(site.up_on(&redis.url()).envs(kept)).await;
    club(&edge).await;
    assert_eq!(say(&edge, "m1", MASKED).await, 201);
    let mut connection = redis.connection().await;
    let sealed: String = ask(&mut connection, "GET ct:{club}:moderation:quarantine:1").await;
    assert!(!sealed.contains("spam"), "{sealed}");
    let left: i64 = ask(&mut connection, "PTTL ct:{club}:moderation:quarantine:1").await;
    assert!((1..=3_600_000).contains(&left), "{left}");

    let mut bob = Client::join(edge.address, "bob").await;
    bob.enter("club").await;
    let restore = |user: &str| json!({ "user": user, "type": "restore", "id": "r1", "target": message("m1") });
    assert_eq!(
        edge.post("club", &restore("bob")).await.json()["code"],
        "forbidden"
    );
    let answer = edge.post("club", &restore("mod")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let changed = bob.take("changed").await;
    assert_eq!(changed["change"], "edit");
    assert_eq!(
        (
            &changed["text"],
            &changed["user"]["id"],
            &changed["target"]["id"]
        ),
        (&json!(MASKED), &json!("mod"), &json!("m1"))
    );
    assert_eq!(changed["moderation"]["action"], "allow");
    let again = json!({ "user": "mod", "type": "restore", "id": "r2", "target": message("m1") });
    assert_eq!(
        edge.post("club", &again).await.json()["code"],
        "original_gone"
    );
    assert_eq!(log(&edge).await, ["mask m1", "restore mod"]);

    // An edit that is masked, over a socket; another key opens nothing.
    let edit = json!({ "user": "ada", "type": "edit", "id": "e1", "target": message("m1"), "text": MASKED });
    assert_eq!(edge.post("club", &edit).await.json()["action"], "mask");
    drop(edge);
    let other = [("SPIN_VARIABLE_QUARANTINE_KEY", KEY.replace("AAEC", "AAED"))];
    let edge = site.start(site.up_on(&redis.url()).envs(other)).await;
    let mut moderator = Client::join(edge.address, "mod").await;
    moderator.enter("club").await;
    let frame = json!({ "type": "restore", "room": "club", "id": "r3", "target": message("m1") });
    moderator.send(frame.clone()).await;
    assert_eq!(moderator.answer("r3").await["code"], "original_gone");
    drop(edge);
    let edge = site.start(site.up_on(&redis.url()).envs(kept)).await;
    let mut moderator = Client::join(edge.address, "mod").await;
    moderator.enter("club").await;
    moderator.send(frame).await;
    assert_eq!(moderator.answer("r3").await["type"], "ack");

    // A deletion takes what is kept along.
    assert_eq!(say(&edge, "m9", MASKED).await, 201);
    let delete = json!({ "user": "ada", "type": "delete", "id": "d9", "target": message("m9") });
    assert_eq!(edge.post("club", &delete).await.status, 201);
    let keys: Vec<String> = ask(&mut connection, "KEYS *quarantine*").await;
    assert_eq!(keys, [""; 0]);
}

#[tokio::test]
async fn an_erasure_takes_a_user_out_of_the_moderation_log() {
    const USER: &str = "grace-hopper";
    let redis = RedisServer::start().await;
    let site = Site::new();
    let kept = [("SPIN_VARIABLE_QUARANTINE_KEY", KEY)];
    let edge = site.start(site.up_on(&redis.url()).envs(kept)).await;
    club(&edge).await;
    assert_eq!(say(&edge, "m1", FLAGGED).await, 201);
    for (id, text) in [("g1", FLAGGED), ("g2", MASKED), ("g3", BLOCKED)] {
        edge.post("club", &json!({ "user": USER, "id": id, "text": text }))
            .await;
    }
    let report = json!({ "user": USER, "target": message("m1"), "reason": "spam" });
    assert_eq!(
        edge.send("POST", "/api/v1/rooms/club/reports", &report)
            .await
            .status,
        200
    );
    let mute = format!("/api/v1/rooms/club/mutes/{USER}");
    assert_eq!(
        edge.send("PUT", &mute, &json!({ "user": "mod" }))
            .await
            .status,
        200
    );
    let exported = run(clustertalk("user").args(["export", USER, "--redis", &redis.url()])).await;
    assert_eq!(
        exported.1.matches(r#""what":"moderation""#).count(),
        5,
        "{}",
        exported.1
    );
    let mut erase = clustertalk("user");
    erase.args(["erase", USER, "--yes", "--json", "--redis", &redis.url()]);
    let (code, output, error) = run(&mut erase).await;
    assert_eq!(code, 0, "{error}");
    let counts: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(counts["counts"]["moderation_entries"], 5, "{output}");
    let mut connection = redis.connection().await;
    for command in [
        "XRANGE ct:{club}:moderation - +",
        "HGETALL ct:{club}:moderation:tombstones",
        "ZRANGE ct:{club}:moderation:known 0 -1",
        "KEYS *",
    ] {
        let held: redis::Value = ask(&mut connection, command).await;
        assert!(!format!("{held:?}").contains(USER), "{command}: {held:?}");
    }
    let keys: Vec<String> = ask(&mut connection, "KEYS *quarantine*").await;
    assert_eq!(keys, [""; 0]);
    let (code, output) = verified(&redis).await;
    assert_eq!(code, 0, "{output}");
    assert_eq!(waiting(&edge).await, ["m1"]);
}

#[tokio::test]
async fn the_transcript_is_true() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let programs = Programs::new(&redis, &edge);
    let commands = transcript::run(DOCUMENT, &programs, &mut Values::default()).await;
    assert!(commands.len() >= 10);
}
