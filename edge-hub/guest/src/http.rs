//! The HTTP API: what `protocol/openapi.json` describes, for bots, servers and networks that block
//! WebSockets.

mod answer;
mod caller;
mod command;
mod events;
mod messages;
mod people;
mod query;
mod rooms;
mod stats;

use crate::perform::Performer;
use crate::settings::{self, Settings};
use answer::{Answer, Problem};
use caller::Caller;
use clustertalk_core::api::{self, Configuration, Found, Health, Operation};
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::protocol::{AnnouncedLimits, ErrorCode, SUBPROTOCOL};
use clustertalk_core::statistics::Scope;
use clustertalk_core::store::RoomList;
use clustertalk_core::time::{Timestamp, millis};
use query::Query;
use spin_sdk::http::{IncomingRequest, Method, ResponseOutparam, Scheme};
use spin_sdk::http_component;

/// `protocol/openapi.json` without white space.
const DESCRIPTION: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

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
    let performer = Performer::new(&settings, "http", "http");
    let asked = Asked::of(&request);
    let problem = match asked {
        Ok(asked) if asked.operation == Operation::Events => {
            match events::begin(asked, &request, &performer, &settings) {
                Ok(stream) => return stream.run(&performer, &settings, out).await,
                Err(problem) => problem,
            }
        }
        Ok(asked) => match respond(asked, request, &performer, &settings).await {
            Ok(answer) => return answer.send(out).await,
            Err(problem) => problem,
        },
        Err(problem) => problem,
    };
    answer::problem(problem).send(out).await;
}

/// What a request asks for.
pub struct Asked {
    operation: Operation,
    room: Option<RoomName>,
    /// Whom the path names: whom it is about.
    about: Option<UserId>,
    query: Query,
}

impl Asked {
    fn of(request: &IncomingRequest) -> Result<Self, Problem> {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let method = match request.method() {
            Method::Get => "GET".to_owned(),
            Method::Head => "HEAD".to_owned(),
            Method::Post => "POST".to_owned(),
            Method::Put => "PUT".to_owned(),
            Method::Patch => "PATCH".to_owned(),
            Method::Delete => "DELETE".to_owned(),
            other => format!("{other:?}"),
        };
        let (operation, room, user) = match api::find(&method, path) {
            Found::Operation {
                operation,
                room,
                user,
            } => (operation, room, user),
            Found::OtherMethods(allow) => return Err(Problem::method(allow)),
            Found::Nothing => return Err(Problem::new(ErrorCode::NotFound)),
        };
        let bad = |code| move || Problem::new(code);
        let room = room.map(|name| {
            let name = query::decoded(name);
            let name = name.and_then(|name| RoomName::parse(name).ok());
            name.ok_or_else(bad(ErrorCode::BadRoom))
        });
        let about = user.map(|id| {
            let id = query::decoded(id).and_then(|id| UserId::parse(id).ok());
            id.ok_or_else(bad(ErrorCode::BadUser))
        });
        Ok(Self {
            operation,
            room: room.transpose()?,
            about: about.transpose()?,
            query: Query::parse(query)?,
        })
    }

    /// The room of a path that names one.
    fn room(&self) -> Result<&RoomName, Problem> {
        let room = self.room.as_ref();
        room.ok_or_else(|| Problem::new(ErrorCode::Internal))
    }
}

async fn respond(
    asked: Asked,
    request: IncomingRequest,
    performer: &Performer<'_>,
    settings: &Settings,
) -> Result<Answer, Problem> {
    let caller = || Caller::of(&request, settings, performer, now());
    let kind = match asked.operation {
        Operation::Health => return Ok(Answer::json(200, &Health { status: "ok" })),
        Operation::Ready => {
            performer.command(&["PING".to_owned()])?;
            return Ok(Answer::json(200, &Health { status: "ready" }));
        }
        Operation::Description => return Ok(description(settings)),
        Operation::Configuration => return Ok(configuration(&request, settings)),
        Operation::Rooms => return rooms::list(&asked, performer, settings, &caller()?),
        Operation::TotalFigures => {
            return stats::stats(performer, settings, Scope::Overall, &caller()?, now());
        }
        Operation::RoomFigures => {
            let (room, caller) = (asked.room()?, caller()?);
            caller.reading(settings, room)?;
            rooms::admitted(&asked, performer, &caller)?;
            return stats::stats(performer, settings, Scope::Room(room), &caller, now());
        }
        Operation::Room => return rooms::look(&asked, performer, settings, caller()?),
        Operation::Messages => return messages::read(&asked, performer, settings, &caller()?),
        Operation::Post => {
            let caller = caller()?;
            return messages::post(&asked, performer, settings, caller, request).await;
        }
        Operation::Presence => return people::present(&asked, performer, settings, &caller()?),
        Operation::Members => {
            return people::list(&asked, performer, settings, caller()?, RoomList::Granted);
        }
        Operation::Bans => {
            return people::list(&asked, performer, settings, caller()?, RoomList::Bans);
        }
        Operation::Mutes => {
            return people::list(&asked, performer, settings, caller()?, RoomList::Mutes);
        }
        Operation::LookRead => return people::look_read(&asked, performer, settings, caller()?),
        Operation::Events => return Err(Problem::new(ErrorCode::Internal)),
        // The rest are frames.
        Operation::Read => "read",
        Operation::Create => "create",
        Operation::Configure => "configure",
        Operation::DeleteRoom => "delete_room",
        Operation::Grant => "grant",
        Operation::Revoke => "revoke",
        Operation::KickFromRoom | Operation::Kick => "kick",
        Operation::Ban => "ban",
        Operation::Mute => "mute",
        Operation::Unban | Operation::Unmute => "unban",
        Operation::Direct => "direct",
    };
    let caller = caller()?;
    command::perform(kind, asked, performer, settings, caller, request).await
}

/// The description of this API, as it is here: without the alternative of no credentials where none do
/// not do.
fn description(settings: &Settings) -> Answer {
    let text = if settings.anonymous {
        DESCRIPTION.to_owned()
    } else {
        DESCRIPTION.replacen(r#""security":[{},"#, r#""security":["#, 1)
    };
    Answer::text(text)
}

/// What a client needs before it connects.
fn configuration(request: &IncomingRequest, settings: &Settings) -> Answer {
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
        &Configuration {
            protocol: SUBPROTOCOL,
            websocket_url: format!("{scheme}://{authority}/ws"),
            anonymous: settings.anonymous,
            default_rooms: settings.hub.default_rooms.clone(),
            limits: AnnouncedLimits::from(&settings.hub.limits),
        },
    )
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(millis(since))
}
