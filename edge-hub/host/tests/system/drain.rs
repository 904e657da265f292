//! An edge that goes away in order.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    client::{Client, Reader},
    harness::{RedisServer, Site, eventually, within},
    http_client::request,
};

/// Of the edge that goes.
const DRAIN: Duration = Duration::from_secs(6);

#[tokio::test]
async fn clients_of_a_drained_edge_move_to_another_and_lose_nothing() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let drain = format!("--drain={}s", DRAIN.as_secs());
    let flags = [drain.as_str()];
    let (mut one, two) = tokio::join!(site.edge_with(&redis, &flags), site.edge(&redis));
    let (from, to) = (one.address, two.address);
    let mut readers = Vec::new();
    for number in 0..10 {
        let user = format!("reader{number}");
        let (client, joined) = Client::resume(from, &user, "general", None).await;
        readers.push((user, client, Reader::new(&joined)));
    }
    let speakers: Vec<_> = (0..4)
        .map(|number| tokio::spawn(speak(from, to, format!("s{number}"))))
        .collect();
    // Everyone is at work.
    let (_, client, reader) = &mut readers[0];
    for message in client.take_many("message", 8).await {
        reader.take(&message);
    }

    one.signal(Signal::TERM);
    let begun = Instant::now();
    eventually("an edge that is not ready", async || {
        let ready = request(one.admin, "GET", "/readyz", &[], "").await;
        let reason = (ready.status == 503).then(|| ready.json()["reason"].clone())?;
        assert_eq!(reason, "draining");
        Some(())
    })
    .await;
    eventually("an edge that does not listen", async || {
        TcpStream::connect(from).is_err().then_some(())
    })
    .await;
    let moving: Vec<_> = readers
        .into_iter()
        .map(|(user, client, reader)| tokio::spawn(follow(to, user, client, reader)))
        .collect();
    let mut moved = Vec::new();
    for reader in moving {
        moved.push(reader.await.expect("a reader"));
    }
    let (status, _) = one.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    // The process itself ends after its last socket; a busy machine takes its time.
    assert!(begun.elapsed() < DRAIN + Duration::from_secs(3));

    let mut stored = Vec::new();
    for speaker in speakers {
        stored.extend(speaker.await.expect("a speaker"));
    }
    stored.sort_by_key(|(_, position)| position["seq"].as_u64());
    let (_, last) = stored.last().expect("messages").clone();
    for moved in &mut moved {
        let Moved { client, reader, .. } = moved;
        if reader.position != last {
            reader.follow(client, &last).await;
        }
        let seen: Vec<_> = reader
            .messages
            .iter()
            .map(|message| (message["id"].clone(), message["position"].clone()))
            .collect();
        assert_eq!(seen, stored);
    }

    let announced: BTreeSet<u64> = moved.iter().map(|moved| moved.after_ms).collect();
    assert_eq!(announced.len(), moved.len(), "some are to go together");
    let most = u64::try_from(DRAIN.as_millis()).expect("a time");
    assert!(announced.iter().all(|after| *after < most), "{announced:?}");
    let ended: BTreeSet<Duration> = moved.iter().map(|moved| moved.after).collect();
    let spread = *ended.last().expect("some") - *ended.first().expect("some");
    assert!(spread > DRAIN / 8, "{ended:?}");
}

/// Stores messages by one edge until it closes, then by the other; each id until it is acknowledged.
async fn speak(from: SocketAddr, to: SocketAddr, user: String) -> Vec<(Value, Value)> {
    let mut client = Client::join(from, &user).await;
    let mut stored = Vec::new();
    let mut moved = false;
    for number in 0.. {
        let id = format!("{user}-{number}");
        let position = loop {
            let frame = json!({ "type": "send", "room": "general", "id": id, "text": id });
            let answer = match client.try_send(frame).await {
                true => client.answer_or_close(&id).await,
                false => Err(1006),
            };
            match answer {
                Ok(ack) if ack["type"] == "ack" => break ack["position"].clone(),
                Ok(error) => assert_eq!(error["code"], "rate_limited", "{error}"),
                Err(code) => {
                    assert!(matches!(code, 4502 | 1006) && !moved, "closed with {code}");
                    client = Client::join(to, &user).await;
                    moved = true;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        stored.push((json!(id), position));
        if moved {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stored
}

struct Moved {
    client: Client,
    reader: Reader,
    /// What it was told, and after how long it was closed.
    after_ms: u64,
    after: Duration,
}

/// Reads on until the edge closes, and resumes at the other.
async fn follow(to: SocketAddr, user: String, mut client: Client, mut reader: Reader) -> Moved {
    let begun = Instant::now();
    let notice = client.take("draining").await;
    let after_ms = notice["after_ms"].as_u64().expect("a time");
    assert_eq!(client.closed().await, 4502);
    let after = begun.elapsed();
    for message in client.kept("message") {
        reader.take(&message);
    }
    let since = reader.position.clone();
    let (mut client, joined) = Client::resume(to, &user, "general", Some(&since)).await;
    assert_eq!(joined["recovered"], true, "{joined}");
    reader.take(&joined);
    reader.page(&mut client, &joined).await;
    Moved {
        client,
        reader,
        after_ms,
        after,
    }
}

#[tokio::test]
async fn a_second_signal_ends_an_edge_at_once() {
    let redis = RedisServer::start().await;
    let mut edge = Site::new().edge_with(&redis, &["--drain", "10min"]).await;
    let mut ada = Client::join(edge.address, "ada").await;
    edge.signal(Signal::TERM);
    let notice = ada.take("draining").await;
    assert!(notice["after_ms"].as_u64() > Some(60_000), "{notice}");
    edge.signal(Signal::TERM);
    let (status, _) = within("the end", edge.ended()).await;
    assert_eq!(status.code(), Some(1), "{status}");
}
