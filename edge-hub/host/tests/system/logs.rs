//! What logs say, and what they never say.

use std::process::Stdio;

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_tungstenite::{
    client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use super::{
    client::Client,
    harness::{RedisServer, Site, ask, within},
    http_client::{Events, request},
};

/// Each stands for what its name says; none may be in a log.
const TEXT: &str = "sentinel-text-fahrrad";
const TOKEN: &str = "sentinel-token-regenschirm";
const PASSWORD: &str = "sentinel-password-kartoffel";

#[tokio::test]
async fn logs_are_json_and_have_no_text_no_token_and_no_password() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let _: String = ask(
        &mut connection,
        &format!("CONFIG SET requirepass {PASSWORD}"),
    )
    .await;
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}", redis.port);
    let site = Site::new();
    let mut command = site.up_on(&url);
    command.args(["--log", "debug", "--log-format", "json", "--drain", "500ms"]);
    let mut edge = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an edge");
    let mut lines = BufReader::new(edge.stderr.take().expect("it is piped")).lines();
    let mut events: Vec<Value> = Vec::new();
    let address = |event: &Value, name: &str| {
        let address = event[name].as_str().expect("an address");
        address.parse().expect("an address")
    };
    let (public, admin) = loop {
        let line = within("an edge that is up", lines.next_line()).await;
        let line = line.expect("text").expect("an edge that starts");
        events.push(json_line(&line));
        let event = events.last().expect("an event");
        if event["message"] == "ClusterTalk Edge is up" {
            break (address(event, "address"), address(event, "admin"));
        }
    };
    let reading = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.expect("text") {
            events.push(json_line(&line));
        }
        events
    });

    chat(public).await;
    assert_eq!(request(admin, "GET", "/metrics", &[], "").await.status, 200);
    // Commands under way fail, and whatever is tried again is told.
    let _: u64 = ask(&mut connection, "CLIENT KILL TYPE pubsub").await;
    let _: u64 = ask(&mut connection, "CLIENT KILL TYPE normal SKIPME yes").await;
    let mut ada = Client::join(public, "ada").await;
    ada.persist("general", "again", TEXT).await;
    let id = Pid::from_raw(edge.id().expect("it runs").cast_signed()).expect("a process");
    kill_process(id, Signal::TERM).expect("a process of ours");
    let output = within("its end", edge.wait_with_output())
        .await
        .expect("an edge");
    assert!(output.status.success());
    assert_eq!(output.stdout, b"", "people are not who reads this");
    let events = reading.await.expect("its log");

    let levels: Vec<&str> = events
        .iter()
        .filter_map(|event| event["level"].as_str())
        .collect();
    assert!(
        levels.contains(&"DEBUG") && levels.contains(&"INFO"),
        "{levels:?}"
    );
    for event in &events {
        let event = event.to_string();
        for secret in [TEXT, TOKEN, PASSWORD] {
            assert!(!event.contains(secret), "{event}");
        }
    }
}

fn json_line(line: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(
        event["timestamp"].is_string() && event["target"].is_string(),
        "{line}"
    );
    event
}

/// Says secrets in every way there is, in good form and in bad.
async fn chat(edge: std::net::SocketAddr) {
    let mut ada = Client::join(edge, "ada").await;
    ada.store("general", "m1", TEXT).await;
    ada.store("general", "m2", &format!("This is spam {TEXT}"))
        .await;
    ada.say("general", "m3", &format!("{TEXT} {}", "x".repeat(5_000)))
        .await;
    ada.say("nowhere", "m4", TEXT).await;
    ada.send(json!({ "type": TEXT })).await;
    ada.send(json!({ "type": "typing", "room": TEXT })).await;
    ada.send_message(TEXT.into()).await;
    ada.told().await;
    for (user, token) in [("bob", json!(TOKEN)), ("", json!(TOKEN))] {
        let mut bob = Client::open(edge).await;
        bob.send(json!({ "type": "hello", "user": user, "token": token }))
            .await;
        within("the end or a welcome", async {
            bob.closed_or("welcome").await;
        })
        .await;
    }
    let stream = tokio::net::TcpStream::connect(edge).await.expect("an edge");
    let mut upgrade = format!("ws://{edge}/ws?access_token={TOKEN}")
        .into_client_request()
        .expect("a request");
    let protocols = format!("clustertalk.v1, bearer.{TOKEN}");
    let protocols = HeaderValue::from_str(&protocols).expect("a header");
    upgrade
        .headers_mut()
        .insert("sec-websocket-protocol", protocols);
    if let Ok((mut socket, _)) = client_async(upgrade, stream).await {
        let _ = socket.close(None).await;
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
    }

    let path = "/api/v1/rooms/general/messages";
    let bearer = format!("Bearer {TOKEN}");
    let body = json!({ "user": "cleo", "id": "c1", "text": TEXT }).to_string();
    for (headers, body) in [
        (vec![], body.as_str()),
        (vec![("authorization", bearer.as_str())], body.as_str()),
        (vec![], TEXT),
    ] {
        request(edge, "POST", path, &headers, body).await;
    }
    request(edge, "GET", &format!("/{TOKEN}?token={TOKEN}"), &[], "").await;
    let mut events = Events::open(edge, "general", None).await;
    events.next().await;
}

#[tokio::test]
async fn what_a_component_writes_is_logged_and_cannot_look_like_another_event() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let mut up = site.up_on(&redis.url());
    let forged = "ERROR clustertalk_host::edge: all is lost";
    // The hub quotes what it does not take, in its answer and on standard error.
    up.env(
        "SPIN_VARIABLE_ROOMS",
        format!("general,\r\u{1b}[2K\n{forged}"),
    );
    let edge = site.start(&mut up).await;
    let refused = edge.get("/api/v1/config").await;
    assert_eq!(refused.refusal(), (500, "internal".to_owned()));
    let log = edge.log();
    let written: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("clustertalk_component"))
        .collect();
    let begins = "WARN clustertalk_component: the component wrote component=\"hub\" line=\"";
    let lines = written.iter().map(|line| line.split_once(begins));
    let lines: Vec<&str> = lines.map(|parts| parts.expect("a prefix").1).collect();
    let [first, second] = lines[..] else {
        panic!("{log}");
    };
    assert!(
        first.starts_with("variable `rooms`") && first.ends_with("␍␛[2K\""),
        "{first}"
    );
    assert!(second.starts_with(forged), "{second}");
    assert!(!log.contains('\u{1b}') && !log.lines().any(|line| line.starts_with(forged)));
}
