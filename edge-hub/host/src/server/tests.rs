use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::*;
use crate::{
    queue::Pushed,
    socket::{Cause, Handler, Next},
    websocket::{close_code, encode_close, encode_ping, encode_text, tests::client_frame},
};

/// For what must come; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Echoes texts, and reports how each socket ended.
struct Echo {
    ends: UnboundedSender<Cause>,
}

struct EchoHandler {
    greeting: String,
    queue: Arc<Queue>,
    ends: UnboundedSender<Cause>,
}

impl Handler for EchoHandler {
    async fn opened(&mut self) -> Next {
        assert_eq!(self.queue.push(encode_text(&self.greeting)), Pushed::Queued);
        Next::default()
    }

    async fn text(&mut self, text: String) -> Next {
        assert_ne!(text, "panic", "as the test asked for");
        let _ = self.queue.push(encode_text(&text));
        Next::default()
    }

    async fn woken(&mut self) -> Next {
        Next::default()
    }

    async fn closed(self, cause: Cause) {
        // The test may have seen enough.
        let _ = self.ends.send(cause);
    }
}

impl Service for Echo {
    type Handler = EchoHandler;

    async fn respond(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        assert!(peer.ip().is_loopback());
        let body = Full::new(Bytes::from(format!("plain {}", request.uri().path())));
        Response::new(body.map_err(|never| match never {}).boxed_unsync())
    }

    fn is_websocket(&self, path: &str) -> bool {
        path == "/ws"
    }

    fn accept_websocket(&self, upgrade: Upgrade<'_>) -> Result<EchoHandler, Refusal> {
        if upgrade.token == Some("stolen") {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "no"));
        }
        Ok(EchoHandler {
            greeting: format!("token {:?}", upgrade.token),
            queue: Arc::clone(upgrade.queue),
            ends: self.ends.clone(),
        })
    }
}

struct Bench {
    server: Arc<Server<Echo>>,
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    ends: Mutex<UnboundedReceiver<Cause>>,
}

impl Bench {
    fn new(options: Options) -> Self {
        let (sender, ends) = unbounded_channel();
        let server = Server::new(Echo { ends: sender }, options);
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn({
            let (server, shutdown) = (Arc::clone(&server), shutdown.clone());
            async move { server.serve(vec![listener], shutdown).await }
        });
        Self {
            server,
            address,
            shutdown,
            serving,
            ends: Mutex::new(ends),
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// A socket that has heard its greeting.
    async fn websocket(&self) -> Client {
        let mut client = self.connect().await;
        client.send(HANDSHAKE).await;
        assert!(client.head().await.starts_with("HTTP/1.1 101 "));
        client.hear(&encode_text("token None")).await;
        client
    }

    async fn ended(&self) -> Cause {
        timeout(PATIENCE, self.ends.lock().await.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

struct Client(TcpStream);

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\n\
    Host: localhost\r\n\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: clustertalk.v1\r\n\r\n";

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The head of a response.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(PATIENCE, self.0.read_u8()).await.unwrap().unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn hear(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        timeout(PATIENCE, self.0.read_exact(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(heard, bytes);
    }

    async fn hear_all(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut heard))
            .await
            .unwrap()
            .unwrap();
        heard
    }

    /// The status and the JSON of a refusal, after which the connection ends.
    async fn refusal(&mut self) -> (u16, serde_json::Value) {
        let response = String::from_utf8(self.hear_all().await).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

#[tokio::test]
async fn an_upgraded_connection_is_a_socket() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    client.send(HANDSHAKE).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(
        head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{head}"
    );
    assert!(
        head.contains("sec-websocket-protocol: clustertalk.v1\r\n"),
        "{head}"
    );
    client.hear(&encode_text("token None")).await;
    client.send(client_frame(0x81, b"hello")).await;
    client.hear(&encode_text("hello")).await;
    assert_eq!(bench.server.registry().len(), 1);
    client
        .send(client_frame(0x88, &1000_u16.to_be_bytes()))
        .await;
    assert_eq!(client.hear_all().await, encode_close(1000, ""));
    drop(client);
    assert_eq!(bench.ended().await, Cause::Peer(Some(1000)));
    timeout(PATIENCE, bench.server.registry().emptied())
        .await
        .unwrap();
}

#[tokio::test]
async fn frames_sent_along_with_the_handshake_are_read() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    let eager = [HANDSHAKE.as_bytes(), &client_frame(0x81, b"eager")].concat();
    client.send(eager).await;
    client.head().await;
    client.hear(&encode_text("token None")).await;
    client.hear(&encode_text("eager")).await;
}

#[tokio::test]
async fn the_token_reaches_the_application_which_may_refuse_it() {
    let bench = Bench::new(Options::default());
    let with_token = |token: &str| {
        HANDSHAKE.replace("clustertalk.v1", &format!("clustertalk.v1, bearer.{token}"))
    };
    let mut client = bench.connect().await;
    client.send(with_token("mine")).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    client.hear(&encode_text("token Some(\"mine\")")).await;
    let mut client = bench.connect().await;
    client.send(with_token("stolen")).await;
    let (status, error) = client.refusal().await;
    assert_eq!(status, 401);
    assert_eq!(
        error,
        serde_json::json!({ "type": "error", "code": "unauthorized", "message": "no" })
    );
    assert_eq!(bench.server.registry().len(), 1);
}

#[tokio::test]
async fn a_bad_handshake_is_refused_as_json() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    client
        .send(HANDSHAKE.replace("clustertalk.v1", "chat"))
        .await;
    let (status, error) = client.refusal().await;
    assert_eq!((status, error["code"].as_str()), (400, Some("bad_upgrade")));
    assert!(bench.server.registry().is_empty());
}

#[tokio::test]
async fn other_requests_are_plain_and_keep_the_connection() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    for _ in 0..2 {
        client
            .send("GET /abc HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert!(client.head().await.starts_with("HTTP/1.1 200 "));
        client.hear(b"plain /abc").await;
    }
    client.send(HANDSHAKE).await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test]
async fn connections_beyond_a_cap_are_told_so() {
    for (connections, per_address, status, code) in
        [(10, 2, 429, "rate_limited"), (2, 10, 503, "unavailable")]
    {
        let bench = Bench::new(Options {
            connections,
            connections_per_address: per_address,
            ..Options::default()
        });
        let first = bench.websocket().await;
        let _second = bench.websocket().await;
        let mut third = bench.connect().await;
        third.send(HANDSHAKE).await;
        let (refused, error) = third.refusal().await;
        assert_eq!((refused, error["code"].as_str()), (status, Some(code)));
        assert_eq!(bench.server.counters().refused(), 1);
        drop(first);
        assert_eq!(bench.ended().await, Cause::Lost);
        while bench.server.registry().len() > 1 {
            tokio::task::yield_now().await;
        }
        bench.websocket().await;
    }
}

#[tokio::test]
async fn a_connection_that_does_not_ask_is_closed() {
    let bench = Bench::new(Options {
        header_time: Duration::from_millis(300),
        ..Options::default()
    });
    let mut silent = bench.connect().await;
    let mut half_said = bench.connect().await;
    half_said.send("GET /abc HTTP/1.1\r\nHost:").await;
    let mut kept_alive = bench.connect().await;
    kept_alive
        .send("GET /abc HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    kept_alive.head().await;
    let (status, error) = half_said.refusal().await;
    assert_eq!(
        (status, error["code"].as_str()),
        (408, Some("request_timeout"))
    );
    assert!(error["retry_after_ms"].is_u64());
    kept_alive.hear(b"plain /abc").await;
    for client in [&mut silent, &mut kept_alive] {
        assert_eq!(client.hear_all().await, b"");
    }
}

#[tokio::test]
async fn a_silent_socket_is_pinged_and_then_closed_as_idle() {
    let bench = Bench::new(Options {
        ping_interval: Duration::from_millis(200),
        ..Options::default()
    });
    let mut silent = bench.websocket().await;
    let begun = Instant::now();
    silent.hear(&encode_ping(b"")).await;
    assert!(begun.elapsed() >= Duration::from_millis(100));
    silent
        .hear(&encode_close(close_code::IDLE, "no answer to a ping"))
        .await;
    drop(silent);
    assert_eq!(bench.ended().await, Cause::Host(close_code::IDLE));
}

#[tokio::test]
async fn a_socket_that_answers_pings_lives_on() {
    let bench = Bench::new(Options {
        ping_interval: Duration::from_millis(400),
        ..Options::default()
    });
    let mut client = bench.websocket().await;
    for _ in 0..3 {
        client.hear(&encode_ping(b"")).await;
        client.send(client_frame(0x8a, b"")).await;
    }
    client.send(client_frame(0x81, b"alive")).await;
    client.hear(&encode_text("alive")).await;
}

#[tokio::test]
async fn a_shutdown_leaves_sockets_to_be_drained_over_a_time() {
    let bench = Bench::new(Options::default());
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(bench.websocket().await);
    }
    let mut idle = bench.connect().await;
    idle.send("GET /abc HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    idle.head().await;
    bench.shutdown.cancel();
    timeout(PATIENCE, bench.serving).await.unwrap().unwrap();
    assert!(TcpStream::connect(bench.address).await.is_err());
    for client in &mut clients {
        client.send(client_frame(0x81, b"still here")).await;
        client.hear(&encode_text("still here")).await;
    }
    let registry = Arc::clone(bench.server.registry());
    let begun = Instant::now();
    let draining = tokio::spawn(async move {
        let notice = |left: Duration| encode_text(&left.as_millis().to_string());
        registry.drain(Duration::from_millis(500), notice).await;
        registry.emptied().await;
    });
    let close = encode_close(close_code::DRAINING, "the edge is going away");
    for (client, left) in clients.iter_mut().zip([300, 350, 400, 450, 500]) {
        client.hear(&encode_text(&left.to_string())).await;
        assert_eq!(client.hear_all().await, close);
        assert!(begun.elapsed() >= Duration::from_millis(left), "{left}");
    }
    timeout(PATIENCE, draining).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_takes_only_its_own_socket_along() {
    let bench = Bench::new(Options::default());
    let mut other = bench.websocket().await;
    let mut client = bench.websocket().await;
    let queues: Vec<_> = bench.server.registry().queues().collect();
    client.send(client_frame(0x81, b"panic")).await;
    client.hear_all().await;
    while bench.server.registry().len() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(queues[0].is_open());
    assert!(!queues[1].is_open());
    other.send(client_frame(0x81, b"still here")).await;
    other.hear(&encode_text("still here")).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    let long = "x".repeat(60_000);
    client
        .send(format!(
            "GET /abc HTTP/1.1\r\nHost: localhost\r\nCookie: {long}\r\n\r\n"
        ))
        .await;
    let (status, error) = client.refusal().await;
    assert_eq!(
        (status, error["code"].as_str()),
        (431, Some("head_too_large"))
    );
}

#[tokio::test]
async fn what_is_no_http_is_told_so_after_the_answers_to_what_was() {
    let bench = Bench::new(Options::default());
    let mut client = bench.connect().await;
    client
        .send("GET /abc HTTP/1.1\r\nHost: localhost\r\n\r\nEHLO localhost\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 200 "));
    client.hear(b"plain /abc").await;
    let (status, error) = client.refusal().await;
    assert_eq!((status, error["code"].as_str()), (400, Some("bad_request")));
}

#[tokio::test]
async fn the_registry_knows_what_waits() {
    let bench = Bench::new(Options::default());
    let client = bench.websocket().await;
    let registry = bench.server.registry();
    assert_eq!(registry.queue_bytes(), 0);
    let [queue] = registry.queues().collect::<Vec<_>>().try_into().unwrap();
    let frame = encode_text(&"x".repeat(10_000));
    // Nobody reads: what the kernel does not take waits.
    while registry.queue_bytes() < 50_000 {
        assert_eq!(queue.push(frame.clone()), Pushed::Queued);
        tokio::task::yield_now().await;
    }
    drop(client);
}
