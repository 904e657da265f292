//! The part of the HTTP API that this platform has so far: what a client asks before it connects, and
//! a room without a WebSocket. PROTOCOL.md lists the whole; the rest answers `not_found`.

mod caller;
mod events;
mod messages;

use crate::{
    body::{self, BodyError},
    components::Components,
    edge::Edge,
    wake,
};
use caller::Caller;
use clustertalk_core::{
    event::NoAnswer,
    ids::RoomName,
    perform::Performer,
    protocol::{AnnouncedLimits, ErrorCode, ErrorFrame, RoomSummary, SUBPROTOCOL, ServerFrame},
};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::{rc::Rc, time::Duration};
use worker::{Headers, Method, Request, Response, Url};

/// When to try again what Redis did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// Rooms in one answer of `GET /api/v1/rooms`.
const LISTED_ROOMS: usize = 1_000;

/// Why a request is not answered with what it asked for: the error frame of the protocol.
pub struct Problem(Box<ErrorFrame>);

impl Problem {
    pub fn new(code: ErrorCode) -> Self {
        ServerFrame::error(code).into()
    }

    pub fn because(code: ErrorCode, reason: &str) -> Self {
        ServerFrame::error(code).because(reason).into()
    }
}

impl From<ErrorFrame> for Problem {
    fn from(error: ErrorFrame) -> Self {
        Self(Box::new(error))
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
        Err(problem) => problem_response(*problem.0),
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
    match (segments.as_slice(), is_read) {
        (["healthz"], true) => json_response(
            200,
            &json!({ "status": "ok", "components": Components::digests() }),
        ),
        (["readyz"], true) => {
            performer(edge).command(&["PING".to_owned()]).await?;
            json_response(200, &json!({ "status": "ready" }))
        }
        (["api", "v1", "config"], true) => configuration(edge, &url),
        (["api", "v1", "rooms"], true) => {
            let caller = Caller::of(edge, &request).await?;
            rooms(edge, &caller, &url).await
        }
        (["api", "v1", "rooms", name, "messages"], true) => {
            let (room, caller) = (room(name)?, Caller::of(edge, &request).await?);
            caller.reading(edge, &room)?;
            messages::read(edge, &room, caller.user(&url)?.as_ref(), &url).await
        }
        (["api", "v1", "rooms", name, "messages"], false) => {
            if request.method() != Method::Post {
                return Err(Problem::new(ErrorCode::MethodNotAllowed));
            }
            let (room, caller) = (room(name)?, Caller::of(edge, &request).await?);
            caller.writing(edge, &room)?;
            messages::post(edge, &room, caller, fields(edge, request).await?).await
        }
        (["api", "v1", "rooms", name, "events"], true) => {
            let (room, caller) = (room(name)?, Caller::of(edge, &request).await?);
            caller.reading(edge, &room)?;
            events::stream(edge, room, &caller, &url, &request).await
        }
        (["api", "v1", "wake"], false) if request.method() == Method::Post => {
            let signature = request.headers().get(wake::SIGNATURE)?;
            let body = body(edge, request).await?;
            wake::wake(edge, signature.as_deref(), &body).await
        }
        (["healthz" | "readyz"] | ["api", "v1", "config" | "rooms"], false)
        | (["api", "v1", "rooms", _, "events"], false) => {
            Err(Problem::new(ErrorCode::MethodNotAllowed))
        }
        _ => Err(Problem::new(ErrorCode::NotFound)),
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

/// The rooms that the one who asks may know of.
async fn rooms(edge: &Edge, caller: &Caller, url: &Url) -> Result<Response, Problem> {
    let user = caller.user(url)?;
    let counts = performer(edge)
        .list_rooms(user.as_ref(), LISTED_ROOMS)
        .await?;
    let defaults = &edge.settings.deployment.hub.default_rooms;
    let missing = defaults
        .iter()
        .filter(|room| counts.iter().all(|count| &count.room != *room))
        .map(|room| RoomSummary {
            room: room.clone(),
            members: 0,
            with: None,
        });
    let rooms: Vec<RoomSummary> = counts
        .iter()
        .cloned()
        .map(RoomSummary::from)
        .chain(missing)
        .filter(|summary| caller.reading(edge, &summary.room).is_ok())
        .collect();
    json_response(200, &json!({ "rooms": rooms }))
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
pub fn problem_response(error: ErrorFrame) -> worker::Result<Response> {
    let headers = headers("application/json")?;
    if let Some(millis) = error.retry_after_ms {
        headers.set("retry-after", &millis.div_ceil(1000).to_string())?;
    }
    let status = status(error.code);
    if status == 401 {
        headers.set("www-authenticate", "Bearer")?;
    }
    let body = ServerFrame::Error(Box::new(error)).encode();
    let response = Response::ok(body)?;
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
