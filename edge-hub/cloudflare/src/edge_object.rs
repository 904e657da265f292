//! The Durable Object: the platform's events, handed to the [`Edge`] in it.

use crate::{
    connection::Connection,
    edge::Edge,
    http::{self, problem},
    settings::Settings,
    wake,
    worker::network,
};
use clustertalk_core::{
    event::Event,
    ids::RoomName,
    protocol::{CloseCode, ErrorCode, SUBPROTOCOL},
};
use futures_util::lock::Mutex;
use std::{cell::RefCell, rc::Rc};
use worker::{
    DurableObject, Env, Headers, Request, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, console_error, durable_object, wasm_bindgen,
};

/// What a subprotocol value begins with that carries a token.
const TOKEN_PREFIX: &str = "bearer.";

/// Bytes of a token in a subprotocol value: it is kept in the socket's attachment until `hello`.
const TOKEN_BYTES: usize = 8 << 10;

#[durable_object]
pub struct EdgeObject {
    state: Rc<State>,
    env: Env,
    edge: Mutex<Option<Rc<Edge>>>,
    /// The same without waiting, once there is one.
    ready: RefCell<Option<Rc<Edge>>>,
}

impl DurableObject for EdgeObject {
    fn new(state: State, env: Env) -> Self {
        Self {
            state: Rc::new(state),
            env,
            edge: Mutex::default(),
            ready: RefCell::default(),
        }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        let edge = match self.edge().await {
            Ok(edge) => edge,
            Err(error) => {
                console_error!("{error}");
                return problem(ErrorCode::Internal, &error);
            }
        };
        let answer = match request.path().as_str() {
            "/ws" => upgrade(&self.state, &edge, &request).await,
            path if path.starts_with(wake::INTERNAL) => {
                if let Ok(room) = RoomName::parse(&path[wake::INTERNAL.len()..]) {
                    edge.look(&room);
                }
                Response::empty()
            }
            _ => http::answer(&edge, request).await,
        };
        edge.rest();
        answer
    }

    async fn alarm(&self) -> Result<Response> {
        if let Ok(edge) = self.edge().await {
            edge.alarmed().await;
            edge.rest();
        }
        Response::empty()
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let Some((edge, connection)) = self.connection(&socket).await else {
            return refuse(&socket, CloseCode::Internal);
        };
        match message {
            WebSocketIncomingMessage::String(text) => connection.text(&edge, text).await,
            WebSocketIncomingMessage::Binary(_) => connection.close(CloseCode::TextOnly),
        }
        edge.rest();
        Ok(())
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        _reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        // The other half of the closing handshake. 1005 and 1006 are for reading only.
        let code = u16::try_from(code).ok();
        let code = code.filter(|code| matches!(code, 1000 | 3000..=4999));
        let _ = socket.close(code, Some(""));
        self.gone(&socket).await;
        Ok(())
    }

    async fn websocket_error(&self, socket: WebSocket, _error: worker::Error) -> Result<()> {
        self.gone(&socket).await;
        Ok(())
    }
}

impl EdgeObject {
    /// The edge, begun if need be.
    async fn edge(&self) -> Result<Rc<Edge>, String> {
        if let Some(edge) = &*self.ready.borrow() {
            return Ok(Rc::clone(edge));
        }
        let mut edge = self.edge.lock().await;
        if let Some(edge) = &*edge {
            return Ok(Rc::clone(edge));
        }
        let settings = Settings::read(|name| {
            let variable = self.env.var(name);
            variable.ok().map(|value| value.to_string())
        })?;
        let begun = Edge::begin(Rc::clone(&self.state), self.env.clone(), settings).await;
        *edge = Some(Rc::clone(&begun));
        *self.ready.borrow_mut() = Some(Rc::clone(&begun));
        Ok(begun)
    }

    async fn connection(&self, socket: &WebSocket) -> Option<(Rc<Edge>, Rc<Connection>)> {
        let edge = self.edge().await.ok()?;
        let tags = self.state.get_tags(socket);
        let connection = edge.connection(tags.first()?.parse().ok()?)?;
        Some((edge, connection))
    }

    async fn gone(&self, socket: &WebSocket) {
        if let Some((edge, connection)) = self.connection(socket).await {
            connection.gone(&edge).await;
            edge.rest();
        }
    }
}

/// Accepts a WebSocket, or says why not.
async fn upgrade(state: &State, edge: &Rc<Edge>, request: &Request) -> Result<Response> {
    let headers = request.headers();
    let bad = |reason: &str| problem(ErrorCode::BadUpgrade, reason);
    if !is(headers, "upgrade", "websocket")? {
        return bad("the header `Upgrade` must be `websocket`");
    }
    let url = request.url()?;
    let own = url.origin().ascii_serialization();
    let origin = headers.get("origin")?;
    if !edge.settings.origins.allow(origin.as_deref(), &own) {
        let reason = "pages of this origin may not open a WebSocket here";
        return problem(ErrorCode::BadOrigin, reason);
    }
    let offered = headers.get("sec-websocket-protocol")?.unwrap_or_default();
    let mut offered = offered.split(',').map(str::trim);
    if !offered.clone().any(|offered| offered == SUBPROTOCOL) {
        return bad("the subprotocol `clustertalk.v1` must be offered");
    }
    let token = offered.find_map(|offered| offered.strip_prefix(TOKEN_PREFIX));
    if token.is_some_and(|token| token.len() > TOKEN_BYTES) {
        return bad("the token is too long");
    }
    let network = network(headers)?;
    let place = match edge.admission.admit(network) {
        Ok(place) => place,
        Err(problem) => return http::respond(problem.into()),
    };
    let pair = WebSocketPair::new()?;
    let token = token.map(str::to_owned);
    let connection = Connection::new(edge, pair.server.clone(), token, (network, place));
    state.accept_websocket_with_tags(&pair.server, &[&connection.number.to_string()]);
    edge.enter(Rc::clone(&connection));
    connection.feed(edge, Event::Opened).await;
    let answer = Headers::new();
    answer.set("sec-websocket-protocol", SUBPROTOCOL)?;
    Ok(Response::from_websocket(pair.client)?.with_headers(answer))
}

fn is(headers: &Headers, name: &str, value: &str) -> Result<bool> {
    let found = headers.get(name)?;
    Ok(found.is_some_and(|found| found.eq_ignore_ascii_case(value)))
}

fn refuse(socket: &WebSocket, code: CloseCode) -> Result<()> {
    let _ = socket.close(Some(code.code()), Some(code.sentence()));
    Ok(())
}
