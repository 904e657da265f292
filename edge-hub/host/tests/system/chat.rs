//! What two people in a chat see of each other.

use serde_json::{Value, json};

use super::{
    client::{Client, Reader},
    harness::{RedisServer, Site},
};

fn join(room: &str) -> Value {
    json!({ "type": "join", "room": room })
}

#[tokio::test]
async fn two_chat_and_spam_is_censored_for_both() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let mut bob = Client::join(edge.address, "bob").await;

    let hello = ada.say("general", "m1", "hello").await;
    assert_eq!(
        (&hello["type"], &hello["action"]),
        (&json!("ack"), &json!("allow"))
    );
    let spam = ada.say("general", "m2", "This is spam").await;
    assert_eq!(
        (&spam["type"], &spam["action"]),
        (&json!("ack"), &json!("mask"))
    );

    let seen_by_ada = ada.take_many("message", 2).await;
    assert_eq!(seen_by_ada, bob.take_many("message", 2).await);
    let [first, second] = &seen_by_ada[..] else {
        panic!("two messages");
    };
    assert_eq!(first["text"], "hello");
    assert_eq!(first["user"], json!({ "id": "ada", "name": "ada" }));
    assert_eq!(first["position"], hello["position"]);
    assert_eq!(second["text"], "[CENSORED BY AI]");
    assert_eq!(second["moderation"]["label"], "spam");
    assert_eq!(second["prev"], first["position"]["tag"]);

    // A resend is answered with the first one's position, and nobody sees it twice.
    assert_eq!(ada.say("general", "m2", "This is spam").await, spam);
    assert!(
        bob.told()
            .await
            .iter()
            .all(|frame| frame["type"] != "message")
    );
}

#[tokio::test]
async fn rooms_do_not_hear_each_other() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let mut bob = Client::join(edge.address, "bob").await;

    ada.send(join("tech")).await;
    assert_eq!(ada.take("joined").await["room"], "tech");
    let refused = bob.say("tech", "b1", "not a member").await;
    assert_eq!(refused["code"], "not_joined");

    ada.store("tech", "a1", "for tech only").await;
    ada.store("general", "a2", "for all").await;
    assert_eq!(bob.take("message").await["id"], "a2");

    bob.send(join("tech")).await;
    assert_eq!(bob.take("joined").await["messages"][0]["id"], "a1");
    bob.send(json!({ "type": "leave", "room": "tech" })).await;
    assert_eq!(bob.take("left").await["room"], "tech");
    ada.store("tech", "a3", "bob is gone").await;
    ada.store("general", "a4", "and hears this").await;
    let heard = bob.take("message").await;
    assert_eq!(heard["id"], "a4", "{heard}");
}

#[tokio::test]
async fn members_see_each_other_come_type_and_go() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    let (mut bob, joined) = Client::resume(edge.address, "bob", "general", None).await;
    assert_eq!(joined["members_count"], 2);
    let coming = |what: &'static str, who: &'static str| {
        move |frame: &Value| frame["type"] == "presence" && frame[what]["id"] == who
    };
    let came = ada.next_that("bob to come", coming("joined", "bob")).await;
    assert_eq!(came["members_count"], 2);

    ada.send(json!({ "type": "typing", "room": "general" }))
        .await;
    assert_eq!(bob.take("typing").await["user"]["id"], "ada");

    // A second connection of the same user is no news, nor is its end.
    let twin = Client::join(edge.address, "bob").await;
    drop(twin);
    drop(bob);
    let went = ada.next_that("bob to go", coming("left", "bob")).await;
    assert_eq!(went["members_count"], 1);
    let told = ada.told().await;
    assert!(
        told.iter().all(|frame| frame["type"] != "presence"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_second_join_is_a_resync_and_a_pong_tells_the_positions() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let first = ada.store("general", "m1", "one").await;
    let last = ada.store("general", "m2", "two").await;
    reader.follow(&mut ada, &last).await;

    ada.send(json!({ "type": "join", "room": "general", "since": first }))
        .await;
    let joined = ada.take("joined").await;
    assert_eq!(joined["recovered"], true);
    let mut again = Reader::at(first);
    again.take(&joined);
    assert_eq!(again.messages, reader.messages[1..]);

    ada.send(json!({ "type": "ping", "ref": "p" })).await;
    let pong = ada.take("pong").await;
    let here = json!([{ "room": "general", "position": last }]);
    assert_eq!((&pong["rooms"], &pong["ref"]), (&here, &json!("p")));

    let last = ada.store("general", "m3", "three").await;
    reader.follow(&mut ada, &last).await;
}
