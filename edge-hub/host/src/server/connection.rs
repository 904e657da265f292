//! One accepted connection: requests by hyper until one of them becomes a WebSocket.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
    http::uri::Scheme,
    server::conn::http1,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Body, Refusal, SUBPROTOCOL, Server, Service, Upgrade, admission::Permit, handshake,
    registry::Seat,
};
use crate::{
    queue::Queue,
    socket::{self, Cause, Handler, Next},
    stream::Stream,
};

/// About the largest head of a request; beyond it the answer is 431.
const HEAD_BYTES: usize = 32 * 1024;

/// Where a connection's permit waits until a WebSocket takes it along.
type Pass = Arc<Mutex<Option<Permit>>>;

/// Serves the connection until it ends, becomes a WebSocket, or must go.
pub(super) async fn serve<S: Service>(
    server: Arc<Server<S>>,
    tcp: TcpStream,
    peer: SocketAddr,
    shutdown: CancellationToken,
) {
    let admitted = server.admission.admit(peer.ip());
    let counters = &server.counters;
    let counter = if admitted.is_ok() {
        &counters.accepted
    } else {
        &counters.refused
    };
    counter.fetch_add(1, Ordering::Relaxed);
    let (pass, refusal, _refusing) = match admitted {
        Ok(permit) => (Arc::new(Mutex::new(Some(permit))), None, None),
        Err(refusal) => match server.refusing.try_acquire() {
            Ok(place) => (Pass::default(), Some(refusal), Some(place)),
            Err(_) => return,
        },
    };
    let stream = match &server.options.tls {
        None => Stream::Plain(tcp),
        Some(tls) => {
            let handshake = timeout(server.options.header_time, tls.accept(tcp));
            match shutdown.run_until_cancelled(handshake).await {
                Some(Ok(Ok(stream))) => stream,
                Some(Ok(Err(error))) => {
                    debug!(%error, %peer, "a TLS handshake failed");
                    return;
                }
                Some(Err(_)) | None => return,
            }
        }
    };
    let scheme = match stream.is_tls() {
        true => Scheme::HTTPS,
        false => Scheme::HTTP,
    };
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(scheme.clone());
        let (server, pass, refusal) = (Arc::clone(&server), Arc::clone(&pass), refusal.clone());
        async move {
            Ok::<_, Infallible>(match refusal {
                Some(refusal) => refusal.into_response(),
                None => respond(&server, request, peer, &pass).await,
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.options.header_time)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = match shutdown.run_until_cancelled(connection.as_mut()).await {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(server.options.shutdown_time, connection)
                .await
                .unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!(%error, %peer, "a connection failed");
    }
}

async fn respond<S: Service>(
    server: &Arc<Server<S>>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    pass: &Pass,
) -> Response<Body> {
    if !server.service.is_websocket(request.uri().path()) {
        return server.service.respond(request, peer).await;
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, body) = request.into_parts();
    if !handshake::is_wanted(&parts) {
        return server
            .service
            .respond(Request::from_parts(parts, body), peer)
            .await;
    }
    let accepted = handshake::check(&parts, &server.options.origins).and_then(|handshake| {
        let (seat, queue) = server.registry.enter();
        let handler = server.service.accept_websocket(Upgrade {
            parts: &parts,
            token: handshake.token.as_deref(),
            peer,
            queue: &queue,
        })?;
        Ok((handshake.accept, handler, seat, queue))
    });
    let (accept, handler, seat, queue) = match accepted {
        Ok(accepted) => accepted,
        Err(refusal) => return refusal.into_response(),
    };
    let permit = pass.lock().unwrap_or_else(PoisonError::into_inner).take();
    let handler = Seated {
        handler,
        _seat: seat,
        _permit: permit,
    };
    tokio::spawn(become_websocket(
        upgrade,
        queue,
        server.options.socket,
        handler,
    ));
    switching_protocols(&accept)
}

/// Takes the bare socket out of hyper once the answer is written. The socket's own task is
/// another one, so that it is no larger than it needs to be.
async fn become_websocket<H: Handler>(
    upgrade: OnUpgrade,
    queue: Arc<Queue>,
    limits: socket::Limits,
    handler: Seated<H>,
) {
    let Ok(upgraded) = upgrade.await else { return };
    let Ok(parts) = upgraded.downcast::<TokioIo<Stream>>() else {
        return;
    };
    let stream = parts.io.into_inner();
    tokio::spawn(socket::run(stream, &parts.read_buf, queue, limits, handler));
}

fn switching_protocols(accept: &str) -> Response<Body> {
    let Ok(accept) = HeaderValue::from_str(accept) else {
        let message = "the answer to the handshake is not a header";
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
            .into_response();
    };
    let empty = Empty::<Bytes>::new()
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    response
}

/// The application's handler with what its socket occupies, given back after its last call.
struct Seated<H> {
    handler: H,
    _seat: Seat,
    _permit: Option<Permit>,
}

impl<H: Handler> Handler for Seated<H> {
    async fn opened(&mut self) -> Next {
        self.handler.opened().await
    }

    async fn text(&mut self, text: String) -> Next {
        self.handler.text(text).await
    }

    async fn woken(&mut self) -> Next {
        self.handler.woken().await
    }

    async fn closed(self, cause: Cause) {
        self.handler.closed(cause).await;
    }
}
