//! The HTTP API: what PROTOCOL.md lists under "HTTP", for bots, servers and networks that block
//! WebSockets; and how this edge is.

mod caller;
mod command;
mod events;
mod messages;
mod rooms;
mod stats;

use crate::{
    body::{self, BodyError},
    components::Components,
    edge::Edge,
    wake,
};
use caller::Caller;
use clustertalk_core::{
    event::NoAnswer,
    ids::{RoomName, UserId},
    perform::Performer,
    protocol::{AnnouncedLimits, ErrorCode, ErrorFrame, SUBPROTOCOL, ServerFrame},
    statistics::Scope,
    store::Term,
    time::Timestamp,
};
use percent_encoding::percent_decode_str;
use rooms::Path;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{rc::Rc, time::Duration};
use worker::{Headers, Method, Request, Response, Url};

/// When to try again what Redis did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// Why a request is not answered with what it asked for: the error frame of the protocol.
pub struct Problem {
    error: Box<ErrorFrame>,
    /// The methods that the path takes, for one that it does not.
    allow: Option<&'static str>,
}

impl Problem {
    pub fn new(code: ErrorCode) -> Self {
        ServerFrame::error(code).into()
    }

    pub fn because(code: ErrorCode, reason: &str) -> Self {
        ServerFrame::error(code).because(reason).into()
    }

    /// The path takes these methods only.
    pub fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(ErrorCode::MethodNotAllowed)
        }
    }

    pub fn forbidden(room: &RoomName) -> Self {
        let error = ServerFrame::error(ErrorCode::Forbidden);
        error.in_room(room.clone()).into()
    }

    pub fn banned(room: &RoomName, term: Term, now: Timestamp) -> Self {
        let error = ServerFrame::error(ErrorCode::Banned).in_room(room.clone());
        match term.until {
            Some(until) => error.retry_after(until.since(now)).into(),
            None => error.into(),
        }
    }
}

impl From<ErrorFrame> for Problem {
    fn from(error: ErrorFrame) -> Self {
        Self {
            error: Box::new(error),
            allow: None,
        }
    }
}

impl From<NoAnswer> for Problem {
    fn from(_: NoAnswer) -> Self {
        ServerFrame::error(ErrorCode::Unavailable)
            .retry_after(RETRY)
            .into()
    }
}

/// What the platform itself did not do.
impl From<worker::Error> for Problem {
    fn from(error: worker::Error) -> Self {
        Self::because(ErrorCode::Internal, &error.to_string())
    }
}

pub async fn answer(edge: &Rc<Edge>, request: Request) -> worker::Result<Response> {
    match try_answer(edge, request).await {
        Ok(response) => Ok(response),
        Err(problem) => problem_response(problem),
    }
}

async fn try_answer(edge: &Rc<Edge>, request: Request) -> Result<Response, Problem> {
    let url = request.url()?;
    let own = url.origin().ascii_serialization();
    let is_read = matches!(request.method(), Method::Get | Method::Head);
    let origin = request.headers().get("origin")?;
    if !is_read && !edge.settings.origins.allow(origin.as_deref(), &own) {
        let reason = "pages of this origin may not write here";
        return Err(Problem::because(ErrorCode::BadOrigin, reason));
    }
    let segments: Vec<&str> = url.path().trim_matches('/').split('/').collect();
    let room = |name: &str| RoomName::parse(name).map_err(|_| Problem::new(ErrorCode::BadRoom));
    let user = |id: &str| {
        let id = percent_decode_str(id).decode_utf8_lossy();
        UserId::parse(id.as_ref()).map_err(|_| Problem::new(ErrorCode::BadUser))
    };
    let route = match segments[..] {
        ["healthz"] => Route::Health,
        ["readyz"] => Route::Ready,
        ["api", "v1", "config"] => Route::Configuration,
        ["api", "v1", "rooms"] => Route::Rooms,
        ["api", "v1", "stats"] => Route::Stats,
        ["api", "v1", "wake"] => Route::Wake,
        ["api", "v1", "rooms", name, "stats"] => Route::RoomStats(room(name)?),
        ["api", "v1", "rooms", name, "events"] => Route::Events(room(name)?),
        ["api", "v1", "rooms", name, "messages"] => Route::Messages(room(name)?),
        ["api", "v1", ref rest @ ..] => Route::Path(match rest[..] {
            ["rooms", name] => Path::Room(room(name)?),
            ["rooms", name, "members", id] => Path::Member(room(name)?, user(id)?),
            ["rooms", name, "bans", id] => Path::Ban(room(name)?, user(id)?),
            ["rooms", name, "mutes", id] => Path::Mute(room(name)?, user(id)?),
            ["rooms", name, "members", id, "kick"] => Path::Kick(Some(room(name)?), user(id)?),
            ["users", id, "kick"] => Path::Kick(None, user(id)?),
            ["direct", id] => Path::Direct(user(id)?),
            _ => return Err(Problem::new(ErrorCode::NotFound)),
        }),
        _ => return Err(Problem::new(ErrorCode::NotFound)),
    };
    if is_read {
        return read(edge, route, &url, &request).await;
    }
    match route {
        Route::Messages(room) if request.method() == Method::Post => {
            let caller = Caller::of(edge, &request).await?;
            caller.writing(edge, &room)?;
            messages::post(edge, room, caller, fields(edge, request).await?).await
        }
        Route::Wake if request.method() == Method::Post => {
            let signature = request.headers().get(wake::SIGNATURE)?;
            let body = body(edge, request).await?;
            wake::wake(edge, signature.as_deref(), &body).await
        }
        Route::Path(path) => {
            let command = path.command(&request.method())?;
            let caller = Caller::of(edge, &request).await?;
            rooms::perform(command, edge, caller, &url, fields(edge, request).await?).await
        }
        Route::Messages(_) => Err(Problem::method("GET, HEAD, POST")),
        Route::Wake => Err(Problem::method("POST")),
        _ => Err(Problem::method("GET, HEAD")),
    }
}

enum Route {
    Health,
    Ready,
    Configuration,
    Rooms,
    Stats,
    Wake,
    RoomStats(RoomName),
    Events(RoomName),
    Messages(RoomName),
    Path(Path),
}

async fn read(
    edge: &Rc<Edge>,
    route: Route,
    url: &Url,
    request: &Request,
) -> Result<Response, Problem> {
    let caller = Caller::of(edge, request);
    match route {
        Route::Health => {
            let body = json!({ "status": "ok", "components": Components::digests() });
            json_response(200, &body)
        }
        Route::Ready => {
            performer(edge).command(&["PING".to_owned()]).await?;
            json_response(200, &json!({ "status": "ready" }))
        }
        Route::Configuration => configuration(edge, url),
        Route::Wake => Err(Problem::method("POST")),
        Route::Path(Path::Room(room)) => rooms::look(edge, caller.await?, url, room).await,
        Route::Path(path) => {
            // None of them is read.
            path.command(&Method::Get)?;
            Err(Problem::new(ErrorCode::NotFound))
        }
        Route::Rooms => rooms::list(edge, &caller.await?, url).await,
        Route::Stats => stats::stats(edge, Scope::Overall, &caller.await?).await,
        Route::RoomStats(room) => {
            let caller = caller.await?;
            caller.reading(edge, &room)?;
            rooms::admitted(edge, &caller, url, &room).await?;
            stats::stats(edge, Scope::Room(&room), &caller).await
        }
        Route::Messages(room) => {
            let caller = caller.await?;
            caller.reading(edge, &room)?;
            messages::read(edge, &room, caller.user(url)?.as_ref(), url).await
        }
        Route::Events(room) => {
            let caller = caller.await?;
            caller.reading(edge, &room)?;
            events::stream(edge, room, &caller, url, request).await
        }
    }
}

/// What a client needs before it connects.
fn configuration(edge: &Edge, url: &Url) -> Result<Response, Problem> {
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    let authority = url.authority();
    let deployment = &edge.settings.deployment;
    json_response(
        200,
        &json!({
            "protocol": SUBPROTOCOL,
            "websocket_url": format!("{scheme}://{authority}/ws"),
            "anonymous": deployment.anonymous,
            "default_rooms": deployment.hub.default_rooms,
            "limits": AnnouncedLimits::from(&deployment.hub.limits),
        }),
    )
}

/// Performs for requests; they are nobody's connection.
fn performer(edge: &Edge) -> Performer<'_, crate::perform::Imports> {
    Performer {
        io: &edge.imports,
        settings: &edge.settings.deployment.hub,
        keyspace: &edge.settings.deployment.keyspace,
        edge: "http",
        connection: "http",
    }
}

async fn body(edge: &Edge, mut request: Request) -> Result<Vec<u8>, Problem> {
    let most = edge.settings.deployment.hub.limits.frame_bytes;
    match body::read(request.stream(), most).await {
        Ok(body) => Ok(body),
        Err(BodyError::TooLarge) => Err(Problem::new(ErrorCode::TooLarge)),
        Err(BodyError::Broken) => Err(Problem::new(ErrorCode::BadJson)),
    }
}

/// The fields of a body, which is an object or nothing.
async fn fields(edge: &Edge, request: Request) -> Result<Map<String, Value>, Problem> {
    let body = body(edge, request).await?;
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => {
            let reason = "the body is not an object";
            Err(Problem::because(ErrorCode::BadFrame, reason))
        }
        Err(error) => Err(Problem::because(ErrorCode::BadJson, &error.to_string())),
    }
}

/// One parameter of a query.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query()?
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned())
}

fn headers(content: &str) -> worker::Result<Headers> {
    let headers = Headers::new();
    headers.set("content-type", content)?;
    headers.set("cache-control", "no-store")?;
    Ok(headers)
}

pub fn json_response(status: u16, body: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_string(body).unwrap_or_default();
    let headers = headers("application/json")?;
    let response = Response::ok(body)?;
    Ok(response.with_status(status).with_headers(headers))
}

/// The error frame of the protocol is the body of every problem.
pub fn problem_response(Problem { error, allow }: Problem) -> worker::Result<Response> {
    let headers = headers("application/json")?;
    if let Some(millis) = error.retry_after_ms {
        headers.set("retry-after", &millis.div_ceil(1000).to_string())?;
    }
    if let Some(methods) = allow {
        headers.set("allow", methods)?;
    }
    let status = status(error.code);
    if status == 401 {
        headers.set("www-authenticate", "Bearer")?;
    }
    let response = Response::ok(ServerFrame::Error(error).encode())?;
    Ok(response.with_status(status).with_headers(headers))
}

fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::BadJson
        | ErrorCode::BadFrame
        | ErrorCode::UnknownType
        | ErrorCode::TooDeep
        | ErrorCode::BadRoom
        | ErrorCode::BadId
        | ErrorCode::BadUser
        | ErrorCode::HelloFirst
        | ErrorCode::AlreadyHello
        | ErrorCode::BadUpgrade => 400,
        ErrorCode::Unauthorized | ErrorCode::TokenExpired => 401,
        ErrorCode::NotJoined
        | ErrorCode::Banned
        | ErrorCode::Muted
        | ErrorCode::Forbidden
        | ErrorCode::BadOrigin => 403,
        ErrorCode::NotFound | ErrorCode::TargetMissing => 404,
        ErrorCode::MethodNotAllowed => 405,
        ErrorCode::TooManyRooms
        | ErrorCode::RoomExists
        | ErrorCode::RoomFull
        | ErrorCode::Archived
        | ErrorCode::StaleTarget
        | ErrorCode::TooManyChanges => 409,
        ErrorCode::TooLarge => 413,
        ErrorCode::Blocked => 422,
        ErrorCode::RateLimited | ErrorCode::SlowMode => 429,
        ErrorCode::Internal => 500,
        ErrorCode::Unavailable => 503,
    }
}
