//! Components that misbehave, and components that are replaced, while people chat.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    client::{Client, Reader},
    harness::{Edge, RedisServer, Site, built, eventually},
};

/// One of the components in `tests/components`.
pub fn from_text(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components");
    wat::parse_file(folder.join(format!("{name}.wat"))).expect("a component")
}

/// Replaces a component and waits until the edge runs the new build.
async fn replace(site: &Site, edge: &Edge, component: &str, bytes: &[u8]) {
    let before = edge.component_metric("swaps_total", component).await;
    site.replace(component, bytes);
    eventually("the new build", async || {
        let swaps = edge.component_metric("swaps_total", component).await;
        (swaps > before).then_some(())
    })
    .await;
}

fn as_built(component: &str) -> Vec<u8> {
    fs::read(built(component)).expect("a component")
}

/// Lets moderation trap, loop, eat memory and err, one after the other; `judge` looks at the
/// answers. In the end the right component is back and the chat goes on as before.
async fn misbehave(policy: &str, judge: impl Fn(&str, &Value)) {
    let redis = RedisServer::start().await;
    let site = Site::failing(policy);
    let edge = site.edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let mut bob = Client::join(edge.address, "bob").await;
    for (name, counter) in [
        ("moderation-trap", "traps_total"),
        ("moderation-loop", "deadlines_total"),
        ("moderation-memory", "memory_total"),
        ("moderation-error", "errors_total"),
    ] {
        replace(&site, &edge, "moderation", &from_text(name)).await;
        let answer = ada.say("general", name, "This is spam").await;
        judge(name, &answer);
        assert_eq!(
            edge.component_metric(counter, "moderation").await,
            1,
            "{name}"
        );
        if answer["type"] == "ack" {
            let message = bob.take("message").await;
            assert_eq!(
                (&message["id"], &message["text"]),
                (&json!(name), &json!("This is spam"))
            );
            assert_eq!(message["moderation"]["action"], "flag");
        }
    }
    replace(&site, &edge, "moderation", &as_built("moderation")).await;
    ada.persist("general", "spam", "This is spam").await;
    let message = bob.take("message").await;
    assert_eq!(
        (&message["id"], &message["text"]),
        (&json!("spam"), &json!("[CENSORED BY AI]"))
    );
}

#[tokio::test]
async fn open_delivers_what_moderation_could_not_judge() {
    misbehave("open", |name, answer| {
        assert_eq!(
            (&answer["type"], &answer["action"]),
            (&json!("ack"), &json!("flag")),
            "{name}"
        );
    })
    .await;
}

#[tokio::test]
async fn closed_blocks_what_moderation_could_not_judge() {
    misbehave("closed", |name, answer| {
        assert_eq!(answer["code"], "blocked", "{name}")
    })
    .await;
}

#[tokio::test]
async fn hold_leaves_with_the_sender_what_moderation_could_not_judge() {
    misbehave("hold", |name, answer| {
        assert_eq!(answer["code"], "unavailable", "{name}");
        assert!(answer["retry_after_ms"].as_u64() > Some(0), "{name}");
    })
    .await;
}

#[tokio::test]
async fn analytics_that_trap_cost_only_the_figures() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.store("general", "m1", "counted").await;
    replace(&site, &edge, "analytics", &from_text("analytics-trap")).await;
    ada.store("general", "m2", "not counted").await;
    replace(&site, &edge, "analytics", &as_built("analytics")).await;
    ada.store("general", "m3", "counted").await;
    assert_eq!(ada.take_many("message", 3).await[1]["id"], "m2");
    let stats = edge.get("/api/v1/rooms/general/stats").await.json();
    assert_eq!(stats["messages"], 2);
    assert_eq!(edge.component_metric("traps_total", "analytics").await, 1);
}

#[tokio::test]
async fn a_hub_is_replaced_beneath_open_sockets_and_its_traps_cost_one_answer_each() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let (mut bob, joined) = Client::resume(edge.address, "bob", "general", None).await;
    let mut reader = Reader::new(&joined);
    ada.store("general", "m1", "one").await;

    replace(&site, &edge, "hub", &from_text("hub-echo")).await;
    let instances = edge.component_metric("instantiations_total", "hub").await;
    let frame = json!({ "type": "unheard-of" });
    ada.send(frame.clone()).await;
    assert_eq!(ada.take("unheard-of").await, frame);
    let more = edge.component_metric("instantiations_total", "hub").await;
    assert_eq!(more, instances + 1, "one event, one instance");

    let long = "two ".repeat(25);
    let answer = ada.say("general", "m2", &long).await;
    assert_eq!(
        (&answer["code"], &answer["ref"]),
        (&json!("internal"), &json!("m2"))
    );
    assert_eq!(edge.component_metric("traps_total", "hub").await, 1);

    replace(&site, &edge, "hub", &as_built("hub")).await;
    let last = ada.store("general", "m2", &long).await;
    reader.follow(&mut bob, &last).await;
    assert_eq!(reader.messages.len(), 2);
}

#[tokio::test]
async fn moderation_is_replaced_at_one_point_of_the_order_while_people_chat() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let mut speakers = Vec::new();
    for user in ["ada", "bob", "cleo", "dan"] {
        speakers.push(Client::join(edge.address, user).await);
    }
    let (mut reader, joined) = Client::resume(edge.address, "eve", "general", None).await;
    let mut read = Reader::new(&joined);
    let mut number = 0;
    let mut left = 6;
    while left > 0 {
        number += 1;
        if number == 6 {
            site.replace("moderation", &from_text("moderation-second-build"));
        }
        let speaker = &mut speakers[number % 4];
        let last = speaker
            .persist("general", &format!("m{number}"), "This is spam")
            .await;
        read.follow(&mut reader, &last).await;
        // Until the new build has judged a few.
        if read.messages.last().expect("one")["text"] == "[SECOND BUILD]" {
            left -= 1;
        }
    }
    let decided: Vec<(&Value, &Value, &Value)> = read
        .messages
        .iter()
        .map(|message| {
            let moderation = &message["moderation"];
            (
                &moderation["policy"],
                &moderation["action"],
                &message["text"],
            )
        })
        .collect();
    let changes = decided.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(changes, 1, "{decided:?}");
    assert_eq!(decided[0].2, "[CENSORED BY AI]");
    assert_eq!(decided[decided.len() - 1].2, "[SECOND BUILD]");
}
