//! What is for operators: `/metrics` and the state of the edge, on a listener of its own.

use std::{net::SocketAddr, sync::Arc};

use hyper::{Method, Request, Response, StatusCode, body::Incoming};

use crate::{
    driver::Driver,
    edge::{Edge, plain},
    metrics,
    server::{Body, Options, Origins, Refusal, Server, Service, Upgrade},
};

/// Scrapers and probes; a leak of theirs must not take the files of users.
const CONNECTIONS: usize = 64;

/// The admin listener's application.
pub struct Admin {
    edge: Arc<Edge>,
    origins: Origins,
}

impl Admin {
    /// A server of its own, so that it answers when the edge is full, and while it drains.
    pub fn server(edge: Arc<Edge>, origins: Origins) -> Arc<Server<Self>> {
        let options = Options {
            connections: CONNECTIONS,
            connections_per_address: CONNECTIONS,
            ..Options::default()
        };
        Server::new(Self { edge, origins }, options)
    }
}

impl Service for Admin {
    type Handler = Driver;

    async fn respond(&self, request: Request<Incoming>, _peer: SocketAddr) -> Response<Body> {
        if let Err(refusal) = self.origins.admit(&request) {
            return refusal.into_response();
        }
        if let Some(health) = self.edge.health(&request).await {
            return health;
        }
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/metrics") => plain(
                StatusCode::OK,
                "text/plain; version=0.0.4",
                metrics::text(&self.edge),
            ),
            _ => nothing().into_response(),
        }
    }

    fn is_websocket(&self, _path: &str) -> bool {
        false
    }

    fn accept_websocket(&self, _upgrade: Upgrade<'_>) -> Result<Driver, Refusal> {
        Err(nothing())
    }
}

fn nothing() -> Refusal {
    let message = "here are only /metrics, /healthz and /readyz";
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
}
