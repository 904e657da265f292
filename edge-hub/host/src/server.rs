//! The listening side: accepts connections within caps, serves plain requests by hyper, and turns
//! upgrade requests into [`socket`](crate::socket)s.
//!
//! After a handshake nothing of hyper stays: the bare stream moves to a task of its own, and hyper's
//! read buffer, which would pin 8 KiB a connection, is copied out and dropped.

mod admission;
mod connection;
pub mod cors;
mod handshake;
mod listen;
mod network;
mod origins;
mod registry;
mod tls;
mod wire;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
    http::request,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::admission::Admission;
pub use self::{
    handshake::SUBPROTOCOL,
    listen::listen,
    network::network,
    origins::Origins,
    registry::{Queues, Registry},
    tls::{Tls, TlsError},
};
use crate::{
    queue::{DEFAULT_QUEUE_BYTES, Queue},
    socket,
};

/// The body of a response; it may be a stream without an end. An error cuts the connection off.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What the application does with requests.
pub trait Service: Send + Sync + 'static {
    /// The application's half of a WebSocket.
    type Handler: socket::Handler;

    /// Answers a plain request, whose extensions have the `Scheme` that it came by. Nothing here
    /// bounds how long a body may take or how large it is.
    fn respond(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;

    /// Whether an upgrade request to this path is to become a WebSocket. All else goes to
    /// `respond`.
    fn is_websocket(&self, path: &str) -> bool;

    /// Takes a WebSocket whose handshake is in order. The handler's first call comes once the
    /// peer has its answer; if the peer is gone before, the handler is dropped without a call.
    ///
    /// # Errors
    /// The refusal to answer with.
    fn accept_websocket(&self, upgrade: Upgrade<'_>) -> Result<Self::Handler, Refusal>;
}

/// A WebSocket that asks to be taken.
#[derive(Debug)]
pub struct Upgrade<'a> {
    pub parts: &'a request::Parts,
    /// From the subprotocol value `bearer.TOKEN`.
    pub token: Option<&'a str>,
    pub peer: SocketAddr,
    /// By which frames are sent to it.
    pub queue: &'a Arc<Queue>,
}

/// A request that is not served, as an HTTP status and an error of the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// From `protocol/codes.json`.
    pub code: &'static str,
    pub message: String,
    /// One more header that the status calls for.
    pub header: Option<(HeaderName, HeaderValue)>,
}

/// Bounds and habits of a server. Each connection counts, plain ones too.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which pages may open a WebSocket; others are answered with 403.
    pub origins: Origins,
    /// HTTPS with this, and HTTP without.
    pub tls: Option<Arc<Tls>>,
    pub socket: socket::Limits,
    /// Bytes that may wait for one slow socket; at it the socket is closed with 4501. 256 KiB.
    pub queue_bytes: usize,
    /// Connections in all; those beyond are answered with 503. 18,000, since a process may often
    /// have 20,000 files.
    pub connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64; those beyond are answered with 429. 200.
    pub connections_per_address: usize,
    /// A silent peer is pinged after this time, and closed with 4505 after twice as long. 25 s.
    pub ping_interval: Duration,
    /// How long a plain connection may take to send the head of its next request. 10 s.
    pub header_time: Duration,
    /// How long plain requests may still take after the shutdown began. 10 s.
    pub shutdown_time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            origins: Origins::Loopback(Vec::new()),
            tls: None,
            socket: socket::Limits::default(),
            queue_bytes: DEFAULT_QUEUE_BYTES,
            connections: 18_000,
            connections_per_address: 200,
            ping_interval: Duration::from_secs(25),
            header_time: Duration::from_secs(10),
            shutdown_time: Duration::from_secs(10),
        }
    }
}

/// What a server has seen since its start.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    accept_errors: AtomicU64,
}

impl Counters {
    /// Connections accepted within the caps.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections beyond a cap.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Failures of the accept call, as when the process has no files left.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Ordering::Relaxed)
    }
}

/// Serves one application on any number of listeners.
pub struct Server<S> {
    service: S,
    options: Options,
    admission: Arc<Admission>,
    registry: Arc<Registry>,
    counters: Counters,
    /// Connections beyond a cap that are being told so.
    refusing: Arc<Semaphore>,
}

/// More than this many at a time are dropped without an answer.
const REFUSING: usize = 64;

impl<S: Service> Server<S> {
    pub fn new(service: S, options: Options) -> Arc<Self> {
        Arc::new(Self {
            service,
            admission: Admission::new(options.connections, options.connections_per_address),
            registry: Registry::new(options.queue_bytes),
            counters: Counters::default(),
            refusing: Arc::new(Semaphore::new(REFUSING)),
            options,
        })
    }

    /// Accepts connections until `shutdown`, then waits for plain requests to end. Sockets live
    /// on: end them by [`Registry::drain`].
    pub async fn serve(self: &Arc<Self>, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        tokio::spawn(registry::sweep(
            Arc::downgrade(&self.registry),
            self.options.ping_interval,
        ));
        let connections = TaskTracker::new();
        let accepting = TaskTracker::new();
        for listener in listeners {
            accepting.spawn(listen::accept(
                Arc::clone(self),
                listener,
                connections.clone(),
                shutdown.clone(),
            ));
        }
        accepting.close();
        accepting.wait().await;
        connections.close();
        connections.wait().await;
    }

    /// The sockets that live.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it serves HTTPS with, if it does.
    pub fn tls(&self) -> Option<&Tls> {
        self.options.tls.as_deref()
    }

    pub fn service(&self) -> &S {
        &self.service
    }
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            header: None,
        }
    }

    /// Adds the header that the status calls for.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn retry_after(self, seconds: u16) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// An error of the protocol, as JSON.
    fn body(&self) -> String {
        let mut error = serde_json::json!({
            "type": "error",
            "code": self.code,
            "message": self.message,
        });
        if let Some((name, seconds)) = &self.header
            && *name == RETRY_AFTER
        {
            let seconds = seconds
                .to_str()
                .ok()
                .and_then(|seconds| seconds.parse::<u64>().ok());
            error["retry_after_ms"] = seconds.map(|seconds| seconds * 1000).into();
        }
        error.to_string()
    }

    /// The whole answer as it goes over a wire that nobody else speaks on any more.
    fn into_bytes(self) -> Vec<u8> {
        let body = self.body();
        let Self { status, header, .. } = self;
        let reason = status.canonical_reason().unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             connection: close\r\n",
            status.as_u16(),
            body.len(),
        )
        .into_bytes();
        if let Some((name, value)) = &header {
            answer.extend_from_slice(name.as_str().as_bytes());
            answer.extend_from_slice(b": ");
            answer.extend_from_slice(value.as_bytes());
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(body.as_bytes());
        answer
    }

    /// The answer: an error of the protocol as JSON, and the end of the connection.
    pub fn into_response(self) -> Response<Body> {
        let body = self.body();
        let body = Full::new(Bytes::from(body));
        let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.extend(self.header);
        response
    }
}

#[cfg(test)]
mod tests;
