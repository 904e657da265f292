//! Peers that do not keep to the protocol, while others chat on.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{
    client::{Client, Handshake, Reader},
    harness::{Edge, RedisServer, Site},
};

#[tokio::test]
async fn each_bad_frame_gets_its_documented_error_and_others_chat_on() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let mut bad = Client::join(edge.address, "bad").await;
    let send = |id: &str, text: &str| {
        json!({ "type": "send", "room": "general", "id": id, "text": text }).to_string()
    };
    let deep = format!(
        "{{\"type\":\"ping\",\"x\":{}{}}}",
        "[".repeat(16),
        "]".repeat(16)
    );
    #[rustfmt::skip]
    let cases = [
        ("nonsense".to_owned(),                                           "bad_json",     ""),
        (String::new(),                                                   "bad_json",     ""),
        ("[1, 2]".to_owned(),                                             "bad_frame",    ""),
        (r#"{"room":"general"}"#.to_owned(),                              "bad_frame",    ""),
        (r#"{"type":5,"ref":"r1"}"#.to_owned(),                           "bad_frame",    "r1"),
        (r#"{"type":"dance","ref":"r2"}"#.to_owned(),                     "unknown_type", "r2"),
        (deep,                                                            "too_deep",     ""),
        (r#"{"type":"join","room":"No!","ref":"r3"}"#.to_owned(),         "bad_room",     "r3"),
        (r#"{"type":"join","room":"tech","since":5}"#.to_owned(),         "bad_frame",    ""),
        (r#"{"type":"join","room":"tech","since":{"seq":-1,"tag":"0000000000000000"}}"#.to_owned(), "bad_frame", ""),
        (r#"{"type":"hello","user":"bad","ref":"r4"}"#.to_owned(),        "already_hello", "r4"),
        (send("a b", "hello"),                                            "bad_id",       "a b"),
        (send("m1", &"x".repeat(4097)),                                   "too_large",    "m1"),
        (send("m2", "  "),                                                "bad_frame",    "m2"),
        (r#"{"type":"send","room":"tech","id":"m3","text":"hello"}"#.to_owned(), "not_joined", "m3"),
        (r#"{"type":"typing","room":"tech","ref":"r5"}"#.to_owned(),      "not_joined",   "r5"),
        (r#"{"type":"history","room":"general","before":1,"after":1,"ref":"r6"}"#.to_owned(), "bad_frame", "r6"),
    ];
    for (frame, code, reference) in cases {
        bad.send_message(Message::text(frame.clone())).await;
        let error = bad.take("error").await;
        assert_eq!(error["code"], code, "{frame:.60}");
        assert_eq!(
            error["ref"].as_str().unwrap_or_default(),
            reference,
            "{frame:.60}"
        );
        assert!(error["message"].is_string(), "{frame:.60}");
    }
    // A good one after them all: the connection was not harmed.
    let position = bad.store("general", "good", "hello").await;
    reader.follow(&mut ada, &position).await;
    assert_eq!(reader.messages.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_forgiven_closes_with_its_documented_code() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let rooms: Vec<Value> = (0..65)
        .map(|room| json!({ "room": format!("room{room}") }))
        .collect();
    let frame = |value: Value| Message::text(value.to_string());
    // A first frame, the error that answers it, and the close.
    #[rustfmt::skip]
    let first = [
        (Message::text("nonsense"),                                          "bad_json",       4003),
        (frame(json!({ "type": "join", "room": "general" })),                "hello_first",    4003),
        (frame(json!({ "type": "hello" })),                                  "bad_user",       4003),
        (frame(json!({ "type": "hello", "user": "a b" })),                   "bad_user",       4003),
        (frame(json!({ "type": "hello", "user": "bad", "rooms": rooms })),   "too_many_rooms", 4003),
        (frame(json!({ "type": "hello", "user": "bad", "token": "x.y.z" })), "unauthorized",   4002),
    ];
    for (message, error, close) in first {
        let mut bad = Client::open(edge.address).await;
        bad.send_message(message).await;
        assert_eq!(bad.take("error").await["code"], error);
        assert_eq!(bad.closed().await, close, "{error}");
    }
    // Whatever was said before.
    let any = [
        (Message::binary(vec![1, 2, 3]), 1003),
        (Message::text("x".repeat(16 * 1024 + 1)), 1009),
    ];
    for (message, close) in any {
        for said_hello in [false, true] {
            let mut bad = match said_hello {
                false => Client::open(edge.address).await,
                true => Client::join(edge.address, "bad").await,
            };
            bad.send_message(message.clone()).await;
            assert_eq!(bad.closed().await, close);
        }
    }
    // One who goes on and on.
    let mut bad = Client::join(edge.address, "bad").await;
    for _ in 0..21 {
        bad.send_message(Message::text("nonsense")).await;
    }
    assert_eq!(bad.closed().await, 4004);
    assert_eq!(bad.kept("error").len(), 21);
    // One who says nothing.
    assert_eq!(Client::open(edge.address).await.closed().await, 4001);

    let position = ada.store("general", "m1", "undisturbed").await;
    reader.follow(&mut ada, &position).await;
}

#[tokio::test]
async fn too_much_is_refused_with_a_time_to_wait_or_for_good() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    for number in 0..30 {
        ada.send(json!({ "type": "send", "room": "general", "id": format!("m{number}"), "text": "hello" }))
            .await;
    }
    let mut refused = Vec::new();
    for number in 0..30 {
        let answer = ada.answer(&format!("m{number}")).await;
        if answer["type"] == "error" {
            assert_eq!(answer["code"], "rate_limited");
            assert!(answer["retry_after_ms"].as_u64() > Some(0));
            refused.push(answer["ref"].as_str().expect("a ref").to_owned());
        } else {
            assert!(
                number >= 19 || refused.is_empty(),
                "refused before the burst was used up"
            );
        }
    }
    assert!(!refused.is_empty(), "30 at once were taken");
    // The same user on another connection has no bucket of his own for a room.
    let mut twin = Client::join(edge.address, "ada").await;
    assert_eq!(
        twin.say("general", "t1", "hello").await["code"],
        "rate_limited"
    );
    ada.persist("general", &refused[0], "hello").await;

    for number in 0..63 {
        ada.send(json!({ "type": "join", "room": format!("room{number}") }))
            .await;
        ada.take("joined").await;
    }
    ada.send(json!({ "type": "join", "room": "one-more", "ref": "r" }))
        .await;
    let error = ada.take("error").await;
    assert_eq!(
        (&error["code"], &error["ref"]),
        (&json!("too_many_rooms"), &json!("r"))
    );
}

#[tokio::test]
async fn a_user_is_read_at_one_rate_over_all_its_connections() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let began = Instant::now();
    // 102 frames, of which 60 may come at once, and then 20 a second.
    tokio::join!(ping(&edge, "ada", 50), ping(&edge, "ada", 50));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1500), "{took:?}");
    assert!(
        edge.metric(r#"clustertalk_reads_delayed_total{by="user"}"#)
            .await
            > 0
    );
    let of_address = r#"clustertalk_reads_delayed_total{by="address"}"#;
    assert_eq!(edge.metric(of_address).await, 0);
}

#[tokio::test]
async fn an_address_is_read_at_one_rate_over_all_its_users() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let began = Instant::now();
    // 400 frames, of which 300 may come at once, and then 100 a second.
    let names: Vec<String> = (0..10).map(|user| format!("user{user}")).collect();
    join_all(names.iter().map(|user| ping(&edge, user, 39))).await;
    let took = began.elapsed();
    assert!(took > Duration::from_millis(700), "{took:?}");
    let of_address = r#"clustertalk_reads_delayed_total{by="address"}"#;
    assert!(edge.metric(of_address).await > 0);
}

/// Says hello and sends that many frames as fast as they are read; waits for their answers.
async fn ping(edge: &Edge, user: &str, times: usize) {
    let mut client = Client::join(edge.address, user).await;
    for time in 0..times {
        client
            .send(json!({ "type": "ping", "ref": time.to_string() }))
            .await;
    }
    client.take_many("pong", times).await;
}

#[tokio::test]
async fn an_upgrade_needs_the_subprotocol_and_an_origin_of_ours() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let local = format!("http://localhost:{}", edge.address.port()).leak();
    #[rustfmt::skip]
    let cases = [
        // (subprotocol, origin, status)
        (None,                           None,                         400),
        (Some("graphql-ws"),             None,                         400),
        (Some("clustertalk.v1"),         Some("https://evil.example"), 403),
        (Some("clustertalk.v1"),         Some("null"),                 403),
        (Some("clustertalk.v1"),         Some(&*local),                101),
        (Some("clustertalk.v1"),         None,                         101),
    ];
    for (protocol, origin, status) in cases {
        let handshake = Handshake {
            protocol,
            origin,
            receive_buffer: None,
        };
        let answered = Client::dial(edge.address, &handshake).await;
        assert_eq!(
            answered.err().unwrap_or(101),
            status,
            "{protocol:?} {origin:?}"
        );
    }
}
