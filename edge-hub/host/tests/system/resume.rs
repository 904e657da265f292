//! Clients that were away, and come back with the position that they had.

use serde_json::{Value, json};

use super::{
    client::{Client, Reader, flood},
    harness::{RedisServer, Site, ask},
};

#[tokio::test]
async fn what_was_missed_comes_in_pages_each_message_once() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let before = ada.store("general", "m1", "before").await;
    reader.follow(&mut ada, &before).await;
    drop(ada);

    let missed = flood(edge.address, "general", "x", 250, "missed").await;

    let since = reader.position.clone();
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", Some(&since)).await;
    assert_eq!(
        (&joined["recovered"], &joined["reason"], &joined["lost"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    reader.take(&joined);
    let pages = reader.page(&mut ada, &joined).await;
    assert!(pages >= 2, "250 messages in {pages} pages");
    let ids = |message: &Value| message["id"].as_str().unwrap_or_default().to_owned();
    let read: Vec<String> = reader.messages[1..].iter().map(ids).collect();
    let expected: Vec<String> = missed.into_iter().map(|(id, _)| id).collect();
    assert_eq!(read, expected);

    let after = ada.store("general", "m2", "after").await;
    reader.follow(&mut ada, &after).await;
}

#[tokio::test]
async fn a_position_that_leads_nowhere_is_answered_with_the_reason() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let stored = flood(edge.address, "general", "x", 30, "hello").await;
    let at = |seq: usize| stored[seq - 1].1.clone();
    let mut connection = redis.connection().await;
    let cut: u64 = ask(&mut connection, "XTRIM ct:{general}:log MAXLEN 10").await;
    assert_eq!(cut, 20);
    // One that never saw what was cut; the first still has it in memory.
    let edge = site.edge(&redis).await;

    let forged = json!({ "seq": 25, "tag": "00000000deadbeef" });
    let beyond = json!({ "seq": 99, "tag": "00000000deadbeef" });
    #[rustfmt::skip]
    let cases = [
        // (since, recovered, reason, lost, first message)
        (at(25),  true,  Value::Null,       Value::Null,                      26),
        (at(20),  true,  Value::Null,       Value::Null,                      21),
        (at(19),  false, json!("trimmed"),  json!({ "from": 20, "to": 20 }),  21),
        (at(5),   false, json!("trimmed"),  json!({ "from": 6, "to": 20 }),   21),
        (forged,  false, json!("diverged"), Value::Null,                      21),
        (beyond,  false, json!("diverged"), Value::Null,                      21),
    ];
    for (since, recovered, reason, lost, first) in cases {
        let (mut client, joined) =
            Client::resume(edge.address, "ada", "general", Some(&since)).await;
        let told = (&joined["recovered"], &joined["reason"], &joined["lost"]);
        assert_eq!(told, (&json!(recovered), &reason, &lost), "since {since}");
        let mut reader = Reader::new(&joined);
        reader.page(&mut client, &joined).await;
        assert_eq!(
            reader.messages[0]["position"]["seq"], first,
            "since {since}"
        );
        assert_eq!(reader.position, at(30), "since {since}");
    }
}

#[tokio::test]
async fn joining_while_others_speak_at_full_speed_loses_nothing() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let origin = json!({ "seq": 0, "tag": "0000000000000000" });
    let flooding = tokio::spawn(flood(edge.address, "general", "x", 300, "at full speed"));
    let mut joiners = Vec::new();
    while !flooding.is_finished() && joiners.len() < 40 {
        // Every other one wants all there ever was, in pages.
        let since = (joiners.len() % 2 == 1).then_some(&origin);
        let user = format!("joiner{}", joiners.len());
        joiners.push(Client::resume(edge.address, &user, "general", since).await);
    }
    let stored = flooding.await.expect("a flood");
    let (_, last) = stored.last().expect("messages");

    assert!(joiners.len() > 4, "only {} joined in time", joiners.len());
    for (number, (mut client, joined)) in joiners.into_iter().enumerate() {
        let mut reader = Reader::new(&joined);
        reader.page(&mut client, &joined).await;
        reader.follow(&mut client, last).await;
        if number % 2 == 1 {
            assert_eq!(reader.messages.len(), stored.len());
        }
    }
}
