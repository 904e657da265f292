//! Clients that do not read what they are sent as fast as it comes.

use serde_json::{Value, json};

use super::{
    client::{Client, Handshake, Reader, flood},
    harness::{RedisServer, Site, eventually},
};

/// The system takes little for one who does not read.
fn reluctant() -> Handshake {
    Handshake {
        receive_buffer: Some(4096),
        ..Handshake::default()
    }
}

#[tokio::test]
async fn a_slow_reader_is_closed_alone_and_resumes_whole() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut quick = Reader::new(&joined);
    let handshake = reluctant();
    let mut slow = Client::dial(edge.address, &handshake)
        .await
        .expect("an upgrade");
    slow.send(json!({ "type": "hello", "user": "slow" })).await;
    let mut reader = Reader::new(&slow.take("joined").await);

    let text = "All work and no play makes Jack a dull boy. ".repeat(90);
    let flooding = flood(edge.address, "general", "x", 240, &text);
    let reading = async {
        for _ in 0..240 {
            let message = ada.take("message").await;
            quick.take(&message);
        }
    };
    let (stored, ()) = tokio::join!(flooding, reading);
    assert_eq!(quick.position, stored[239].1);

    assert_eq!(slow.closed().await, 4501);
    for message in slow.kept("message") {
        reader.take(&message);
    }
    assert!(reader.messages.len() < 240, "it was not slow");
    let since = reader.position.clone();
    let (mut slow, joined) = Client::resume(edge.address, "slow", "general", Some(&since)).await;
    assert_eq!(joined["recovered"], true);
    reader.take(&joined);
    reader.page(&mut slow, &joined).await;
    assert_eq!(reader.messages, quick.messages);
}

#[tokio::test]
async fn one_far_behind_in_many_rooms_gets_one_page_at_a_time() {
    const ROOMS: usize = 8;
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let rooms: Vec<String> = (0..ROOMS).map(|room| format!("room{room}")).collect();
    let text = "All work and no play makes Jack a dull boy. ".repeat(90);
    for room in &rooms {
        flood(edge.address, room, room, 40, &text).await;
    }
    let origin = json!({ "seq": 0, "tag": "0000000000000000" });
    let everything = |since: Value| {
        let join = |room: &String| json!({ "room": room, "since": since });
        let rooms: Vec<Value> = rooms.iter().map(join).collect();
        json!({ "type": "hello", "user": "slow", "rooms": rooms })
    };
    let mut slow = Client::dial(edge.address, &reluctant())
        .await
        .expect("an upgrade");
    slow.send(everything(origin)).await;
    eventually("a page that waits", async || {
        let waiting = edge.metric("clustertalk_queue_bytes").await;
        (waiting > 10_000).then_some(())
    })
    .await;
    // Once another one has been answered by each room, each has had its chance to send a page.
    let mut other = Client::open(edge.address).await;
    other.send(everything(Value::Null)).await;
    other.take_many("joined", ROOMS).await;

    // 1.3 MB in all, and at most 256 KiB may wait for it.
    for _ in &rooms {
        let joined = slow.take("joined").await;
        let room = joined["room"].clone();
        let mut reader = Reader::new(&joined);
        let mut more = joined["more"] == true;
        while more {
            let page = slow
                .next_that("a page", |frame| {
                    frame["type"] == "page" && frame["room"] == room
                })
                .await;
            reader.take(&page);
            more = page["more"] == true;
        }
        assert_eq!(reader.messages.len(), 40, "{room}");
    }
}

#[tokio::test]
async fn many_rooms_at_once_come_page_by_page() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let text = "All work and no play makes Jack a dull boy. ".repeat(80);
    let names: Vec<String> = (0..10).map(|number| format!("room{number}")).collect();
    let filled = names
        .iter()
        .map(|name| flood(edge.address, name, name, 15, &text));
    let filled = futures_util::future::join_all(filled).await;
    // Together more than twice what the queue of a connection takes.
    let mut client = Client::open(edge.address).await;
    let rooms: Vec<Value> = names.iter().map(|room| json!({ "room": room })).collect();
    client
        .send(json!({ "type": "hello", "user": "ada", "rooms": rooms }))
        .await;
    for joined in client.take_many("joined", names.len()).await {
        let room = joined["room"].as_str().expect("a room");
        let at = names.iter().position(|name| name == room).expect("mine");
        assert_eq!(joined["messages"].as_array().map(Vec::len), Some(15));
        assert_eq!(joined["position"], filled[at][14].1, "{room}");
    }
    for name in &names {
        let id = format!("after-{name}");
        client.store(name, &id, "hello").await;
        client
            .next_that("the message", |frame| {
                frame["type"] == "message" && frame["id"] == id.as_str()
            })
            .await;
    }
}
