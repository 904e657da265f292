//! Those who ask for more than they may have.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site},
};

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
async fn commands_over_http_keep_one_rate_whatever_rooms_they_are_about() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut refused = 0;
    for number in 0..30 {
        let path = format!("/api/v1/rooms/room{number}?user=ada");
        let answer = edge.send("PUT", &path, &json!({})).await;
        if answer.status == 201 {
            continue;
        }
        assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(answer.json()["retry_after_ms"].as_u64() > Some(0));
        refused += 1;
    }
    assert!(refused > 0, "30 at once were taken");
    // So do other commands of his, and nobody else's.
    let read = "/api/v1/rooms/general/read?user=";
    let commands = [
        ("PUT", "/api/v1/direct/bob?user=ada".to_owned()),
        ("PUT", format!("{read}ada")),
        (
            "POST",
            "/api/v1/rooms/room0/members/bob/kick?user=ada".to_owned(),
        ),
    ];
    let body = json!({ "seq": 0 });
    for (method, path) in commands {
        let answers = join_all((0..8).map(|_| edge.send(method, &path, &body))).await;
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        assert!(refused > 0, "{method} {path}");
    }
    let bobs = edge.send("PUT", &format!("{read}bob"), &body).await;
    assert_eq!(bobs.status, 200);
}
