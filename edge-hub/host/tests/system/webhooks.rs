//! Servers of the operator are told what happens: signed, in order, again after failures, and by one
//! edge at a time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
    task::JoinHandle,
};

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site, ask, eventually, within},
};

const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OLD_SECRET: &str = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// Moderation refuses it.
const BLOCKED: &str = "kill yourself";

/// One request, as the receiver got it.
struct Delivery {
    headers: HeaderMap,
    body: String,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn kind(&self) -> String {
        self.event()["type"].as_str().expect("a type").to_owned()
    }

    /// As the specification has a receiver check it.
    fn is_signed_by(&self, secret: &str) -> bool {
        let key = secret.strip_prefix("whsec_").expect("a secret");
        let key = BASE64_STANDARD.decode(key).expect("Base64");
        let mut hmac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        hmac.update(format!("{id}.{timestamp}.{}", self.body).as_bytes());
        let signature = BASE64_STANDARD.encode(hmac.finalize().into_bytes());
        let mut signatures = self.header("webhook-signature").split(' ');
        signatures.any(|given| given == format!("v1,{signature}"))
    }
}

/// What to answer: each status once, then 204.
type Answers = Arc<Mutex<VecDeque<u16>>>;

/// A server that is told.
struct Receiver {
    address: SocketAddr,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    serving: JoinHandle<()>,
}

impl Receiver {
    async fn start(answers: &[u16]) -> Self {
        Self::at("127.0.0.1:0".parse().expect("an address"), answers).await
    }

    async fn at(address: SocketAddr, answers: &[u16]) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        socket.bind(address).expect("a free port");
        let listener = socket.listen(64).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let answers: Answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let (sender, deliveries) = mpsc::unbounded_channel();
        let serving = tokio::spawn(serve(listener, answers, sender));
        Self {
            address,
            deliveries,
            serving,
        }
    }

    async fn next(&mut self) -> Delivery {
        let delivery = within("a delivery", self.deliveries.recv()).await;
        delivery.expect("a receiver that runs")
    }

    fn url(&self) -> String {
        format!("http://{}/hook?key=hidden", self.address)
    }

    /// Nobody listens any more, and open connections end.
    async fn stop(self) -> SocketAddr {
        self.serving.abort();
        let _ = self.serving.await;
        self.address
    }
}

async fn serve(
    listener: TcpListener,
    answers: Answers,
    deliveries: mpsc::UnboundedSender<Delivery>,
) {
    // They end with this.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (answers, deliveries) = (Arc::clone(&answers), deliveries.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answers, deliveries) = (Arc::clone(&answers), deliveries.clone());
            async move {
                assert_eq!(
                    (request.method().as_str(), request.uri().path()),
                    ("POST", "/hook")
                );
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let status = answers.lock().expect("a lock").pop_front().unwrap_or(204);
                let _ = deliveries.send(Delivery {
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec()).expect("text"),
                });
                if status == 0 {
                    // It never answers.
                    std::future::pending::<()>().await;
                }
                let mut answer = Response::new(Full::new(Bytes::new()));
                *answer.status_mut() = status.try_into().expect("a status");
                Ok::<_, Infallible>(answer)
            }
        });
        connections.spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn edge(site: &Site, redis: &RedisServer, receiver: &str) -> Edge {
    let mut command = site.up_on(&redis.url());
    command.args(["--webhook-url", receiver]);
    command.env(
        "CLUSTERTALK_WEBHOOK_SECRET",
        format!("{SECRET} {OLD_SECRET}"),
    );
    site.start(&mut command).await
}

async fn say(edge: &Edge, id: &str, text: &str) -> u16 {
    let message = json!({ "user": "ada", "id": id, "text": text });
    edge.post("general", &message).await.status
}

#[tokio::test]
async fn what_happens_is_told_signed_and_in_order() {
    let redis = RedisServer::start().await;
    let mut receiver = Receiver::start(&[]).await;
    let site = Site::new();
    let edge = edge(&site, &redis, &receiver.url()).await;
    assert_eq!(say(&edge, "m1", "hello").await, 201);
    assert_eq!(say(&edge, "m2", "This is spam").await, 201);
    assert_eq!(say(&edge, "m3", BLOCKED).await, 422);
    let first = receiver.next().await;
    assert!(first.is_signed_by(SECRET) && first.is_signed_by(OLD_SECRET));
    assert!(!first.is_signed_by("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    assert_eq!(first.header("content-type"), "application/json");
    let event = first.event();
    assert_eq!(event["type"], "message.created");
    let at = event["timestamp"].as_str().expect("a time");
    assert!(at.ends_with('Z') && at.contains('T'), "{at}");
    let data = &event["data"];
    assert_eq!(
        (&data["room"], &data["user"]["id"], &data["text"]),
        (&json!("general"), &json!("ada"), &json!("hello"))
    );
    let masked = receiver.next().await.event();
    let moderation = &masked["data"]["moderation"];
    assert_eq!(
        (&moderation["action"], &moderation["label"]),
        (&json!("mask"), &json!("spam"))
    );
    assert_eq!(masked["data"]["text"], "[CENSORED BY AI]");
    let blocked = receiver.next().await;
    assert_eq!(blocked.kind(), "message.blocked");
    let data = &blocked.event()["data"];
    assert_eq!((&data["user"], &data["id"]), (&json!("ada"), &json!("m3")));
    assert_eq!(data["moderation"]["action"], "block");
    assert!(!blocked.body.contains(BLOCKED));

    // In other rooms, by those who own them.
    let ada = json!({ "user": "ada" });
    for (method, path) in [
        ("PUT", "/api/v1/rooms/plans"),
        ("PUT", "/api/v1/rooms/plans/bans/eve"),
        ("DELETE", "/api/v1/rooms/plans?user=ada"),
    ] {
        assert!(edge.send(method, path, &ada).await.status < 300, "{path}");
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = receiver.next().await.event();
        assert_eq!(event["data"]["room"], "plans");
        told.push(event["type"].as_str().expect("a type").to_owned());
    }
    assert_eq!(told, ["room.created", "user.banned", "room.deleted"]);
    let delivered = "clustertalk_webhooks_delivered_total{endpoint=\"default\"}";
    eventually("the figure", async || {
        (edge.metric(delivered).await == 6).then_some(())
    })
    .await;
    // Secrets and keys are for the two only.
    let log = edge.log();
    assert!(!log.contains("whsec_") && !log.contains("hidden"), "{log}");
}

#[tokio::test]
async fn a_private_room_is_told_to_nobody_who_did_not_ask() {
    let redis = RedisServer::start().await;
    let mut receiver = Receiver::start(&[]).await;
    let site = Site::new();
    let edge = edge(&site, &redis, &receiver.url()).await;
    let direct = json!({ "user": "ada" });
    let room = edge.send("PUT", "/api/v1/direct/bob", &direct).await.json();
    let room = room["room"].as_str().expect("a room").to_owned();
    let message = json!({ "user": "ada", "id": "m1", "text": "between us" });
    assert_eq!(edge.post(&room, &message).await.status, 201);
    assert_eq!(say(&edge, "m2", "hello").await, 201);
    assert_eq!(receiver.next().await.event()["data"]["id"], "m2");
    let queued: u64 = ask(
        &mut redis.connection().await,
        &format!("EXISTS ct:{{{room}}}:webhooks"),
    )
    .await;
    assert_eq!(queued, 0);
}

#[tokio::test]
async fn what_fails_is_tried_again_under_the_same_id_and_nothing_overtakes_it() {
    let redis = RedisServer::start().await;
    let mut receiver = Receiver::start(&[500]).await;
    let (site, url) = (Site::new(), receiver.url());
    let edge = edge(&site, &redis, &url).await;
    say(&edge, "m1", "first").await;
    say(&edge, "m2", "second").await;
    let refused = receiver.next().await;
    let again = receiver.next().await;
    assert_eq!(
        (refused.header("webhook-id"), &refused.body),
        (again.header("webhook-id"), &again.body)
    );
    let second = receiver.next().await;
    assert_eq!(second.event()["data"]["id"], "m2");
    assert_ne!(second.header("webhook-id"), again.header("webhook-id"));

    let address = receiver.stop().await;
    say(&edge, "m3", "my-secret-text").await;
    eventually("a failure", async || {
        let failed = edge
            .metric("clustertalk_webhooks_failed_total{endpoint=\"default\"}")
            .await;
        (failed >= 2).then_some(())
    })
    .await;
    // Meanwhile it is deleted: then its text is told to nobody.
    let mut ada = Client::join(edge.address, "ada").await;
    let target = json!({ "user": "ada", "id": "m3" });
    ada.send(json!({ "type": "delete", "room": "general", "id": "d3", "target": target }))
        .await;
    ada.take("ack").await;
    let mut receiver = Receiver::at(address, &[]).await;
    let removed = receiver.next().await;
    assert_eq!(removed.kind(), "message.created");
    assert_eq!(removed.event()["data"]["removed"], true);
    assert!(!removed.body.contains("my-secret-text"));
    let deleted = receiver.next().await;
    assert_eq!(deleted.kind(), "message.deleted");
    assert_eq!(deleted.event()["data"]["target"]["id"], "m3");
}

#[tokio::test]
async fn what_the_queue_lost_is_told() {
    let redis = RedisServer::start().await;
    let mut receiver = Receiver::start(&[500]).await;
    let (site, url) = (Site::new(), receiver.url());
    let edge = edge(&site, &redis, &url).await;
    say(&edge, "m1", "first").await;
    receiver.next().await;
    let address = receiver.stop().await;
    say(&edge, "m2", "second").await;
    say(&edge, "m3", "third").await;
    let cut: u64 = ask(
        &mut redis.connection().await,
        "XTRIM ct:{general}:webhooks MAXLEN 1",
    )
    .await;
    assert_eq!(cut, 2);
    let mut receiver = Receiver::at(address, &[]).await;
    let lost = receiver.next().await;
    assert_eq!(lost.kind(), "events.lost");
    assert_eq!(lost.event()["data"]["queue_full"], 2);
    assert_eq!(receiver.next().await.event()["data"]["id"], "m3");
    let dropped = "clustertalk_webhooks_dropped_total{endpoint=\"default\"}";
    eventually("the figure", async || {
        (edge.metric(dropped).await == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_edge_goes_on_when_one_is_killed() {
    let redis = RedisServer::start().await;
    let mut receiver = Receiver::start(&[]).await;
    let (site, url) = (Site::new(), receiver.url());
    let one = edge(&site, &redis, &url).await;
    let other = edge(&site, &redis, &url).await;
    say(&one, "m1", "first").await;
    let first = receiver.next().await;
    let delivered = "clustertalk_webhooks_delivered_total{endpoint=\"default\"}";
    let is_one = eventually("who told it", async || {
        match (one.metric(delivered).await, other.metric(delivered).await) {
            (0, 0) => None,
            (one, _) => Some(one == 1),
        }
    })
    .await;
    let (teller, mut survivor) = if is_one { (one, other) } else { (other, one) };
    teller.kill().await;
    say(&survivor, "m2", "second").await;
    let second = receiver.next().await;
    assert_eq!(second.event()["data"]["id"], "m2");
    assert_ne!(first.header("webhook-id"), second.header("webhook-id"));
    // An edge that ends leaves its rooms to others, and one that is new finds what waits.
    let address = receiver.stop().await;
    say(&survivor, "m3", "third").await;
    survivor.signal(Signal::TERM);
    survivor.ended().await;
    let mut receiver = Receiver::at(address, &[]).await;
    let _fresh = edge(&site, &redis, &url).await;
    assert_eq!(receiver.next().await.event()["data"]["id"], "m3");
}

#[tokio::test]
async fn each_endpoint_has_its_own_pace_filters_and_end() {
    let redis = RedisServer::start().await;
    let slow = Receiver::start(&[0]).await;
    let mut gone = Receiver::start(&[410]).await;
    let mut moderators = Receiver::start(&[]).await;
    let site = Site::new();
    let tables: String = [
        ("slow", &slow, ""),
        ("gone", &gone, ""),
        (
            "moderators",
            &moderators,
            "events = [\"message.blocked\", \"user.*\"]\nrooms = [\"gen*\"]\n",
        ),
    ]
    .into_iter()
    .map(|(name, receiver, more)| {
        format!(
            "[[webhook]]\nname = \"{name}\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{more}",
            receiver.url()
        )
    })
    .collect();
    let file = site.path("settings.toml");
    std::fs::write(&file, tables).expect("a file");
    let mut command = site.up_on(&redis.url());
    let edge = site.start(command.arg("--config").arg(file)).await;
    say(&edge, "m1", "hello").await;
    assert_eq!(gone.next().await.kind(), "message.created");
    say(&edge, "m2", BLOCKED).await;
    assert_eq!(moderators.next().await.kind(), "message.blocked");
    let is_gone = "clustertalk_webhooks_gone{endpoint=\"gone\"}";
    eventually("its end", async || {
        (edge.metric(is_gone).await == 1).then_some(())
    })
    .await;
    say(&edge, "m3", BLOCKED).await;
    assert_eq!(moderators.next().await.event()["data"]["id"], "m3");
    assert!(gone.deliveries.try_recv().is_err(), "it wants nothing more");
    let delivered = "clustertalk_webhooks_delivered_total{endpoint=\"slow\"}";
    assert_eq!(edge.metric(delivered).await, 0);
}

#[tokio::test]
async fn without_webhooks_nothing_is_queued() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    say(&edge, "m1", "hello").await;
    say(&edge, "m2", BLOCKED).await;
    let keys: Vec<String> = ask(&mut redis.connection().await, "KEYS *webhooks*").await;
    assert_eq!(keys, [""; 0]);
}
