//! The running edge: what its requests and sockets share, and which of them goes where.

mod arrival;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clustertalk_core::{limits::Limits, protocol::CloseCode};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

use tokio::time::timeout;

use crate::{
    application::Application,
    driver::Driver,
    pace::Paces,
    relay::Relay,
    sandbox::{CallError, Sandbox},
    server::{
        Body, Origins, Refusal, Server, Service, Upgrade,
        cors::{self, Reader},
    },
    traces,
};
use arrival::arrived;

/// An edge is not ready if it has not heard itself through Redis for so long, in milliseconds.
const STALE_HEARTBEAT: u64 = 3_000;

/// Redis must take a write and tell its policy within this time for the edge to be ready.
const PROBE_TIME: Duration = Duration::from_secs(1);

/// One running edge.
pub struct Edge {
    id: String,
    application: Application,
    sandbox: Sandbox,
    relay: Arc<Relay>,
    paces: Paces,
    anonymous: bool,
    connections: AtomicU64,
    draining: AtomicBool,
    /// Connections that this side closed, by code.
    closes: Mutex<BTreeMap<u16, u64>>,
    /// Known once it is made from this.
    server: OnceLock<Weak<Server<EdgeService>>>,
}

impl Edge {
    pub fn new(
        id: String,
        application: Application,
        sandbox: Sandbox,
        relay: Arc<Relay>,
        anonymous: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            application,
            sandbox,
            relay,
            paces: Paces::default(),
            anonymous,
            connections: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            closes: Mutex::default(),
            server: OnceLock::new(),
        })
    }

    /// New at each start: members of an earlier run expire under its own id.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    pub fn paces(&self) -> &Paces {
        &self.paces
    }

    pub fn anonymous(&self) -> bool {
        self.anonymous
    }

    pub fn limits(&self) -> &Limits {
        self.relay.store().limits()
    }

    pub fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sockets that there were.
    pub fn connections_opened(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// What serves this edge, from the moment that it does.
    pub fn server(&self) -> Option<Arc<Server<EdgeService>>> {
        self.server.get()?.upgrade()
    }

    /// Gives the edge the server made from it, for its figures.
    pub fn serve_by(&self, server: &Arc<Server<EdgeService>>) {
        let _ = self.server.set(Arc::downgrade(server));
    }

    /// Counts a connection that this side closed.
    pub fn count_close(&self, code: u16) {
        let mut closes = self.closes.lock().unwrap_or_else(PoisonError::into_inner);
        *closes.entry(code).or_default() += 1;
    }

    /// How many connections this side closed with a code.
    pub fn closes(&self, code: CloseCode) -> u64 {
        let closes = self.closes.lock().unwrap_or_else(PoisonError::into_inner);
        closes.get(&code.code()).copied().unwrap_or(0)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From now on `readyz` says no.
    pub fn begin_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The answer to a request for the state of this edge, if it is one.
    pub(crate) async fn health<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        match request.uri().path() {
            "/healthz" => Some(state(StatusCode::OK, self.healthy())),
            "/readyz" => Some(match self.unready().await {
                None => state(StatusCode::OK, r#"{"status":"ready"}"#),
                Some(reason) => {
                    let body = serde_json::json!({
                        "type": "error", "code": "unavailable", "message": reason,
                        "status": "unready", "reason": reason, "retry_after_ms": 1000,
                    });
                    let mut unready = state(StatusCode::SERVICE_UNAVAILABLE, body.to_string());
                    let headers = unready.headers_mut();
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                    unready
                }
            }),
            _ => None,
        }
    }

    /// That it runs, and which build of each component: the same digests on every platform.
    fn healthy(&self) -> String {
        let components: BTreeMap<String, String> = self
            .sandbox
            .snapshot()
            .into_iter()
            .map(|metrics| (metrics.component, metrics.digest.to_string()))
            .collect();
        serde_json::json!({ "status": "ok", "components": components }).to_string()
    }

    /// Why this edge should get no traffic, if so.
    async fn unready(&self) -> Option<String> {
        if self.is_draining() {
            return Some("draining".to_owned());
        }
        match self.relay.heartbeat_age() {
            None => return Some("no heartbeat has come through Redis yet".to_owned()),
            Some(age) if age > STALE_HEARTBEAT => {
                return Some("no heartbeat comes through Redis".to_owned());
            }
            Some(_) => {}
        }
        match timeout(PROBE_TIME, self.unfit_redis()).await {
            Ok(reason) => reason,
            Err(_) => Some("Redis does not answer in time".to_owned()),
        }
    }

    /// Why Redis cannot store messages and keep them, if so. One that is full or lacks replicas
    /// still passes heartbeats on.
    async fn unfit_redis(&self) -> Option<String> {
        let store = self.relay.store();
        let probe = [
            "SET",
            &store.keyspace().control("probe"),
            &self.id,
            "PX",
            "1000",
        ];
        let probe = probe.map(str::to_owned);
        if let Err(error) = store.command(&probe).await {
            return Some(match error.refused_write() {
                Some(code) => format!("Redis takes no writes ({code})"),
                None => "Redis takes no writes".to_owned(),
            });
        }
        match store.eviction_policy().await {
            Ok(None) => None,
            Ok(Some(policy)) => Some(format!(
                "a full Redis would drop rooms in silence: its maxmemory-policy is {policy}"
            )),
            Err(_) => Some("Redis does not tell its maxmemory-policy".to_owned()),
        }
    }
}

/// An edge as the server's application, and the pages that may use it.
pub struct EdgeService(pub Arc<Edge>, pub Origins);

impl Service for EdgeService {
    type Handler = Driver;

    async fn respond(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response<Body> {
        let Self(edge, origins) = self;
        let reader = match origins.admit(&request) {
            Ok(reader) => reader,
            Err(refusal) => return Reader::nobody().sign(refusal.into_response()),
        };
        if cors::is_preflight(&request) {
            return reader.sign(cors::preflight());
        }
        let response = match edge.health(&request).await {
            Some(health) => health,
            None => component(edge, request).await,
        };
        reader.sign(response)
    }

    fn is_websocket(&self, path: &str) -> bool {
        let component = self.0.application.routes.websocket(path);
        component.is_some_and(|component| self.0.sandbox.takes_websockets(component))
    }

    fn accept_websocket(&self, upgrade: Upgrade<'_>) -> Result<Driver, Refusal> {
        let Some(component) = self
            .0
            .application
            .routes
            .websocket(upgrade.parts.uri.path())
        else {
            return Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "no WebSocket is served here",
            ));
        };
        Ok(Driver::new(
            Arc::clone(&self.0),
            component,
            upgrade.token,
            upgrade.peer.ip(),
            Arc::clone(upgrade.queue),
        ))
    }
}

/// Gives a request to the component of its route.
async fn component(edge: &Arc<Edge>, request: Request<Incoming>) -> Response<Body> {
    let Some(component) = edge.application.routes.http(request.uri().path()) else {
        return Refusal::new(StatusCode::NOT_FOUND, "not_found", "nothing is served here")
            .into_response();
    };
    let request = match arrived(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    match traces::first("request", edge.sandbox.http(component, request)).await {
        Ok(response) => response.map(|body| body.map_err(std::io::Error::other).boxed_unsync()),
        Err(CallError::Busy) => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "too many requests at once",
        )
        .retry_after(1)
        .into_response(),
        Err(error) => {
            tracing::warn!(component, %error, "a component did not answer a request");
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "the request could not be handled",
            )
            .retry_after(1)
            .into_response()
        }
    }
}

fn state(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    plain(status, "application/json", body)
}

pub(crate) fn plain(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
