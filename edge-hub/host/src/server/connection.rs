//! One accepted connection: requests by hyper until one of them becomes a WebSocket.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
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
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Body, Refusal, SUBPROTOCOL, Server, Service, Upgrade, admission::Permit, handshake,
    registry::Seat, wire::Wire,
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

/// Where a WebSocket waits until its answer is written and the stream is free.
type Slot<H> = Arc<Mutex<Option<Taken<H>>>>;

struct Taken<H> {
    handler: Seated<H>,
    queue: Arc<Queue>,
}

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
    let slot: Slot<S::Handler> = Arc::default();
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(scheme.clone());
        let (server, pass, refusal) = (Arc::clone(&server), Arc::clone(&pass), refusal.clone());
        let slot = Arc::clone(&slot);
        Box::pin(async move {
            Ok::<_, Infallible>(match refusal {
                Some(refusal) => refusal.into_response(),
                None => respond(&server, request, peer, &pass, &slot).await,
            })
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.options.header_time)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Wire::new(stream)), service);
    // Its stream is needed afterwards: for a WebSocket, or for what hyper itself says nothing about.
    let mut served = poll_fn(|context| connection.poll_without_shutdown(context));
    let ended = match shutdown.run_until_cancelled(&mut served).await {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            let served = poll_fn(|context| connection.poll_without_shutdown(context));
            timeout(server.options.shutdown_time, served)
                .await
                .unwrap_or(Ok(()))
        }
    };
    let parts = connection.into_parts();
    let wire = parts.io.into_inner();
    let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Taken { handler, queue }) = taken {
        // A task of its own, so that it is no larger than it needs to be. It does not hold the read
        // buffer, of which even an empty part pins the whole.
        let limits = server.options.socket;
        let stream = wire.into_stream();
        let socket = socket::run(stream, &parts.read_buf, queue, limits, handler);
        tokio::spawn(socket);
        return;
    }
    if let Err(error) = ended {
        debug!(%error, %peer, "a connection failed");
        wire.refuse(error.is_timeout()).await;
    } else {
        wire.close().await;
    }
}

async fn respond<S: Service>(
    server: &Arc<Server<S>>,
    request: Request<Incoming>,
    peer: SocketAddr,
    pass: &Pass,
    slot: &Slot<S::Handler>,
) -> Response<Body> {
    if !server.service.is_websocket(request.uri().path()) {
        return server.service.respond(request, peer).await;
    }
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
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Taken { handler, queue });
    switching_protocols(&accept)
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
