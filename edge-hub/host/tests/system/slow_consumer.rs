//! A client that does not read what it is sent.

use serde_json::json;

use super::{
    client::{Client, Handshake, Reader, flood},
    harness::{RedisServer, Site},
};

#[tokio::test]
async fn a_slow_reader_is_closed_alone_and_resumes_whole() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut quick = Reader::new(&joined);
    let handshake = Handshake {
        receive_buffer: Some(4096),
        ..Handshake::default()
    };
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
