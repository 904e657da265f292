//! The HTTP API: what PROTOCOL.md lists under "HTTP", for bots, servers and networks that block
//! WebSockets.

mod answer;
mod caller;
mod command;
mod events;
mod messages;
mod rooms;
mod stats;

use crate::perform::Performer;
use crate::settings::{self, Settings};
use answer::{Answer, Problem};
use caller::Caller;
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::protocol::{AnnouncedLimits, ErrorCode, SUBPROTOCOL};
use clustertalk_core::statistics::Scope;
use clustertalk_core::time::{Timestamp, millis};
use percent_encoding::percent_decode_str;
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Method, ResponseOutparam, Scheme};
use spin_sdk::http_component;

#[http_component]
async fn http(request: IncomingRequest, out: ResponseOutparam) {
    let settings = match settings::read() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            return answer::problem(Problem::because(ErrorCode::Internal, &error))
                .send(out)
                .await;
        }
    };
    let target = request.path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let performer = Performer::new(&settings, "http", "http");
    match route(&request, path) {
        Ok(Route::Events(room)) => {
            let asked = Caller::of(&request, &settings, &performer, now()).and_then(|caller| {
                caller.reading(&settings, &room)?;
                let reader = events::Reader {
                    user: caller.user(query)?,
                    until: caller.access().expires_at(),
                };
                let after = events::position(&request, query)?;
                let most = settings.hub.limits.page_messages;
                let user = reader.user.as_ref();
                let found = messages::read_on(&performer, &room, user, after, most)?;
                Ok((reader, (after, found)))
            });
            match asked {
                Ok((reader, first)) => {
                    events::stream(&performer, &settings, &room, reader, first, out).await;
                }
                Err(problem) => answer::problem(problem).send(out).await,
            }
        }
        Ok(route) => {
            let answer = respond(route, request, query, &performer, &settings).await;
            answer.unwrap_or_else(answer::problem).send(out).await;
        }
        Err(problem) => answer::problem(problem).send(out).await,
    }
}

enum Route {
    Config,
    Rooms,
    Messages(RoomName),
    Post(RoomName),
    Events(RoomName),
    Room(RoomName),
    Manage(rooms::Command),
    Stats,
    RoomStats(RoomName),
    Health,
    Ready,
}

fn route(request: &IncomingRequest, path: &str) -> Result<Route, Problem> {
    let method = request.method();
    let read = matches!(method, Method::Get | Method::Head);
    let room = |name: &str| RoomName::parse(name).map_err(|_| Problem::new(ErrorCode::BadRoom));
    let user = |id: &str| UserId::parse(decoded(id)).map_err(|_| Problem::new(ErrorCode::BadUser));
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let route = match segments[..] {
        ["healthz"] => Route::Health,
        ["readyz"] => Route::Ready,
        ["api", "v1", "config"] => Route::Config,
        ["api", "v1", "rooms"] => Route::Rooms,
        ["api", "v1", "stats"] => Route::Stats,
        ["api", "v1", "rooms", name, "stats"] => Route::RoomStats(room(name)?),
        ["api", "v1", "rooms", name, "events"] => Route::Events(room(name)?),
        ["api", "v1", "rooms", name, "messages"] if matches!(method, Method::Post) => {
            return Ok(Route::Post(room(name)?));
        }
        ["api", "v1", "rooms", name, "messages"] => Route::Messages(room(name)?),
        ["api", "v1", ref rest @ ..] => {
            let path = match rest[..] {
                ["rooms", name] => rooms::Path::Room(room(name)?),
                ["rooms", name, "members", id] => rooms::Path::Member(room(name)?, user(id)?),
                ["rooms", name, "bans", id] => rooms::Path::Ban(room(name)?, user(id)?),
                ["rooms", name, "mutes", id] => rooms::Path::Mute(room(name)?, user(id)?),
                ["rooms", name, "members", id, "kick"] => {
                    rooms::Path::Kick(Some(room(name)?), user(id)?)
                }
                ["users", id, "kick"] => rooms::Path::Kick(None, user(id)?),
                ["direct", id] => rooms::Path::Direct(user(id)?),
                _ => return Err(Problem::new(ErrorCode::NotFound)),
            };
            return path.route(&method);
        }
        _ => return Err(Problem::new(ErrorCode::NotFound)),
    };
    match route {
        route if read => Ok(route),
        Route::Messages(_) => Err(Problem::method("GET, HEAD, POST")),
        _ => Err(Problem::method("GET, HEAD")),
    }
}

async fn respond(
    route: Route,
    request: IncomingRequest,
    query: &str,
    performer: &Performer<'_>,
    settings: &Settings,
) -> Result<Answer, Problem> {
    let caller = || Caller::of(&request, settings, performer, now());
    match route {
        Route::Room(room) => rooms::look(performer, settings, caller()?, query, room),
        Route::Manage(command) => {
            let caller = caller()?;
            rooms::perform(command, performer, settings, caller, query, request).await
        }
        Route::Health => Ok(Answer::json(200, &json!({ "status": "ok" }))),
        Route::Ready => {
            performer.command(&["PING".to_owned()])?;
            Ok(Answer::json(200, &json!({ "status": "ready" })))
        }
        Route::Config => Ok(config(&request, settings)),
        Route::Rooms => rooms::list(performer, settings, &caller()?, query),
        Route::Stats => stats::stats(performer, settings, Scope::Overall, &caller()?, now()),
        Route::RoomStats(room) => {
            let caller = caller()?;
            caller.reading(settings, &room)?;
            rooms::admitted(performer, &caller, query, &room)?;
            stats::stats(performer, settings, Scope::Room(&room), &caller, now())
        }
        Route::Messages(room) => {
            let caller = caller()?;
            caller.reading(settings, &room)?;
            let user = caller.user(query)?;
            messages::read(performer, settings, &room, user.as_ref(), query)
        }
        Route::Post(room) => {
            let caller = caller()?;
            caller.writing(settings, &room)?;
            messages::post(performer, settings, &room, caller, request).await
        }
        Route::Events(_) => Err(Problem::new(ErrorCode::Internal)),
    }
}

/// What a client needs before it connects.
fn config(request: &IncomingRequest, settings: &Settings) -> Answer {
    let header = |name: &str| {
        let values = request.headers().get(name);
        values
            .first()
            .and_then(|value| String::from_utf8(value.clone()).ok())
    };
    let authority = request
        .authority()
        .or_else(|| header("host"))
        .unwrap_or_default();
    let secure = matches!(request.scheme(), Some(Scheme::Https))
        || header("x-forwarded-proto").as_deref() == Some("https");
    let scheme = if secure { "wss" } else { "ws" };
    Answer::json(
        200,
        &json!({
            "protocol": SUBPROTOCOL,
            "websocket_url": format!("{scheme}://{authority}/ws"),
            "anonymous": settings.anonymous,
            "default_rooms": settings.hub.default_rooms,
            "limits": AnnouncedLimits::from(&settings.hub.limits),
        }),
    )
}

/// One parameter of a query.
fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        .map(decoded)
}

/// A part of a path or query without its percent-encoding. What is not UTF-8 then is no name.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(millis(since))
}
