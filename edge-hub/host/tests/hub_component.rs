//! The built hub with moderation and analytics, in the sandbox and on a real Redis, without sockets.
//! `cargo xtask build` makes the components.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use clustertalk_host::{
    application::Application,
    local_redis::LocalRedis,
    sandbox::{
        ComponentMetrics, Connection, Effect, Event, Outcome, Pending, Redis, RedisConnection,
        RedisPool, RedisValue, ResponseBody, Sandbox,
    },
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tempfile::TempDir;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[variables]
redis_url = { required = true }
[[trigger.http]]
route = "/..."
component = "hub"
[component.hub]
source = "target/components/hub.wasm"
allowed_outbound_hosts = ["{{ redis_url }}"]
[component.hub.variables]
redis_url = "{{ redis_url }}"
redis_prefix = "ct"
rooms = "general"
anonymous = "true"
identity = ""
identity_secrets = ""
publish_keys = ""
closed_rooms = ""
webhooks = ""
quarantine_key = ""
quarantine_hours = ""
limits = "{}"
[component.hub.dependencies]
"clustertalk:moderation/moderator@1.0.0" = { path = "target/components/moderation.wasm" }
"clustertalk:analytics/recorder@1.0.0" = { path = "target/components/analytics.wasm" }
"#;

/// A sandbox on a Redis of its own.
struct Edge {
    sandbox: Sandbox,
    redis: LocalRedis,
    _folder: TempDir,
}

impl Edge {
    async fn start(manifest: &str, connections: Arc<dyn Redis>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let redis = LocalRedis::start(folder.path()).await.expect("a Redis");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml");
        let given = BTreeMap::from([("redis_url".to_owned(), redis.url().to_owned())]);
        let application = Application::parse(manifest, &root, &given)
            .expect("components that `cargo xtask build` has made");
        let sandbox = Sandbox::start(&application, folder.path(), connections)
            .await
            .expect("components that can be run");
        Self {
            sandbox,
            redis,
            _folder: folder,
        }
    }

    async fn event(&self, session: &[u8], event: Event) -> Outcome {
        let connection = Connection {
            id: "edge-1".to_owned(),
            edge: "edge".to_owned(),
            anonymous: true,
            token: None,
        };
        let outcome = self
            .sandbox
            .handle("hub", 1_795_459_200_000, &connection, session, &event);
        outcome.await.expect("an outcome")
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> Response<ResponseBody> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .expect("a request");
        self.sandbox.http("hub", request).await.expect("a response")
    }

    async fn post(&self, id: &str, text: &str) -> StatusCode {
        let body = format!(r#"{{"user":"ada","id":"{id}","text":"{text}"}}"#);
        let path = "/api/v1/rooms/general/messages";
        let response = self.request("POST", path, &body).await;
        let status = response.status();
        response
            .into_body()
            .collect()
            .await
            .expect("the whole answer");
        status
    }

    fn metrics(&self, component: &str) -> ComponentMetrics {
        let mut all = self.sandbox.snapshot().into_iter();
        all.find(|metrics| metrics.component == component)
            .expect("a component of this name")
    }

    async fn stop(self) {
        self.redis.stop().await;
    }
}

/// The JSON frames among the effects.
fn sent(outcome: &Outcome) -> Vec<&str> {
    let frames = outcome.effects.iter().filter_map(|effect| match effect {
        Effect::Send(frame) => Some(frame.as_str()),
        _ => None,
    });
    frames.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_from_event_to_event() {
    let edge = Edge::start(MANIFEST, Arc::new(RedisPool::default())).await;
    let opened = edge.event(b"", Event::Opened).await;
    let hello = Event::Frame(r#"{"type":"hello","user":"ada"}"#.to_owned());
    let welcome = edge.event(&opened.session, hello).await;
    assert!(
        sent(&welcome)[0].contains(r#""type":"welcome""#),
        "{:?}",
        sent(&welcome)
    );
    let subscribed =
        |effect: &Effect| matches!(effect, Effect::Subscribe(s) if s.room == "general");
    assert!(welcome.effects.iter().any(subscribed));

    let send = r#"{"type":"send","room":"general","id":"1","text":"This is spam"}"#;
    let ack = edge
        .event(&welcome.session, Event::Frame(send.to_owned()))
        .await;
    let [ack] = sent(&ack)[..] else {
        panic!("one answer, {:?}", sent(&ack));
    };
    assert!(
        ack.contains(r#""type":"ack""#) && ack.contains(r#""action":"mask""#),
        "{ack}"
    );
    assert_eq!(edge.metrics("hub").instantiations, 3);
    assert_eq!(edge.metrics("moderation").instantiations, 1);
    assert_eq!(edge.metrics("analytics").instantiations, 1);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_streams_and_its_instance_goes_with_the_client() {
    let edge = Edge::start(MANIFEST, Arc::new(RedisPool::default())).await;
    assert_eq!(edge.post("1", "first").await, StatusCode::CREATED);
    let response = edge
        .request("GET", "/api/v1/rooms/general/events", "")
        .await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut received = String::new();
    let mut until = async |body: &mut ResponseBody, text: &str| {
        while !received.contains(text) {
            let frame = body.frame().await.expect("more").expect("no error");
            let data = frame.into_data().expect("data");
            received += std::str::from_utf8(&data).expect("UTF-8");
        }
    };
    until(&mut body, "first").await;
    // The stream is still open, so this arrives because the component wrote it, not at its end.
    assert_eq!(edge.post("2", "second").await, StatusCode::CREATED);
    until(&mut body, "second").await;

    // The instance of a post may end a moment after its answer came.
    running(&edge, 1).await;
    drop(body);
    // It waits in Redis for up to three seconds; it must not wait on.
    running(&edge, 0).await;
    edge.stop().await;
}

/// Waits until the hub has this many instances, but not long.
async fn running(edge: &Edge, instances: u64) {
    let reached = async {
        while edge.metrics("hub").running != instances {
            tokio::task::yield_now().await;
        }
    };
    let soon = tokio::time::timeout(Duration::from_secs(1), reached).await;
    assert!(soon.is_ok(), "{} instances", edge.metrics("hub").running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_redis_does_not_count_against_the_deadline() {
    let delay = Duration::from_millis(30);
    let slow = SlowRedis(RedisPool::default(), delay);
    let manifest = format!("{MANIFEST}\n[component.hub.tool.clustertalk]\ndeadline_ms = 20\n");
    let edge = Edge::start(&manifest, Arc::new(slow)).await;
    let began = Instant::now();
    assert_eq!(edge.post("1", "hello").await, StatusCode::CREATED);
    assert!(began.elapsed() >= delay, "it did wait");
    assert_eq!(edge.metrics("hub").deadlines, 0);
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_allowed_cannot_be_reached() {
    let manifest = MANIFEST.replace("[\"{{ redis_url }}\"]", "[\"redis://127.0.0.1:1\"]");
    let edge = Edge::start(&manifest, Arc::new(RedisPool::default())).await;
    let ready = edge.request("GET", "/readyz", "").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let health = edge.request("GET", "/healthz", "").await;
    assert_eq!(health.status(), StatusCode::OK, "this needs no Redis");
    edge.stop().await;
}

/// Answers each command a while later.
struct SlowRedis(RedisPool, Duration);

struct SlowConnection(Arc<dyn RedisConnection>, Duration);

impl SlowRedis {
    fn slow(&self, connection: Arc<dyn RedisConnection>) -> Arc<dyn RedisConnection> {
        Arc::new(SlowConnection(connection, self.1))
    }
}

impl Redis for SlowRedis {
    fn shared<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>> {
        Box::pin(async move { Ok(self.slow(self.0.shared(address).await?)) })
    }

    fn dedicated<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>> {
        Box::pin(async move { Ok(self.slow(self.0.dedicated(address).await?)) })
    }
}

impl RedisConnection for SlowConnection {
    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Pending<'_, Vec<RedisValue>> {
        let answer = self.0.execute(command, arguments);
        Box::pin(async move {
            tokio::time::sleep(self.1).await;
            answer.await
        })
    }
}
