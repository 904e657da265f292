//! The HTTP API: what PROTOCOL.md lists under "HTTP", for bots, servers and networks that block
//! WebSockets.

mod answer;
mod caller;
mod events;
mod messages;
mod stats;

use crate::perform::Performer;
use crate::settings::{self, Settings};
use answer::{Answer, Problem};
use caller::Caller;
use clustertalk_core::ids::RoomName;
use clustertalk_core::protocol::{AnnouncedLimits, ErrorCode, RoomSummary, SUBPROTOCOL};
use clustertalk_core::statistics::Scope;
use clustertalk_core::time::{Timestamp, millis};
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Method, ResponseOutparam, Scheme};
use spin_sdk::http_component;

/// Rooms in one answer of `GET /api/v1/rooms`.
const LISTED_ROOMS: usize = 1_000;

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
                Ok((events::position(&request, query)?, caller))
            });
            match asked {
                Ok((after, caller)) => {
                    let until = caller.access().expires_at();
                    events::stream(&performer, &settings, &room, after, until, out).await;
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
    Stats,
    RoomStats(RoomName),
    Health,
    Ready,
}

fn route(request: &IncomingRequest, path: &str) -> Result<Route, Problem> {
    let method = request.method();
    let read = matches!(method, Method::Get | Method::Head);
    let room = |name: &str| RoomName::parse(name).map_err(|_| Problem::new(ErrorCode::BadRoom));
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
        Route::Health => Ok(Answer::json(200, &json!({ "status": "ok" }))),
        Route::Ready => {
            performer.command(&["PING".to_owned()])?;
            Ok(Answer::json(200, &json!({ "status": "ready" })))
        }
        Route::Config => Ok(config(&request, settings)),
        Route::Rooms => rooms(performer, settings, &caller()?),
        Route::Stats => stats::stats(performer, settings, Scope::Overall, &caller()?, now()),
        Route::RoomStats(room) => {
            let caller = caller()?;
            caller.reading(settings, &room)?;
            stats::stats(performer, settings, Scope::Room(&room), &caller, now())
        }
        Route::Messages(room) => {
            caller()?.reading(settings, &room)?;
            messages::read(performer, settings, &room, query)
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

fn rooms(
    performer: &Performer<'_>,
    settings: &Settings,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let counts = performer.list_rooms(LISTED_ROOMS)?;
    let defaults = &settings.hub.default_rooms;
    let missing = defaults
        .iter()
        .filter(|room| counts.iter().all(|count| &count.room != *room))
        .map(|room| RoomSummary {
            room: room.clone(),
            members: 0,
        });
    let rooms: Vec<RoomSummary> = counts
        .iter()
        .map(|count| RoomSummary {
            room: count.room.clone(),
            members: count.members,
        })
        .chain(missing)
        .filter(|summary| caller.reading(settings, &summary.room).is_ok())
        .collect();
    Ok(Answer::json(200, &json!({ "rooms": rooms })))
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(millis(since))
}
