//! How the requests of [`ROUTES`](crate::api::ROUTES) are answered, for bots, servers and networks that
//! block WebSockets.
//!
//! It does no IO: a platform brings what [`perform`](crate::perform) asks for, the head of a request
//! and its body in pieces, and sends the answer. What only a platform knows stays there: whether it is
//! ready beyond Redis, whose pages may read an answer, and how it waits for news of a room.

mod answer;
mod caller;
mod command;
mod events;
mod messages;
mod moderation;
mod people;
mod query;
mod rooms;
mod stats;

pub use answer::{Answer, Problem};
pub use events::Events;

use crate::api::{self, Configuration, Found, Health, Operation};
use crate::deployment::Deployment;
use crate::ids::{RoomName, UserId};
use crate::perform::{Io, Performer};
use crate::protocol::{AnnouncedLimits, ErrorCode, SUBPROTOCOL};
use crate::statistics::Scope;
use crate::store::RoomList;
use crate::time::Timestamp;
use query::Query;
use std::collections::BTreeMap;

/// `protocol/openapi.json` without white space.
const DESCRIPTION: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Whom requests are to Redis: nobody's connection, of no edge.
const NOBODY: &str = "http";

/// A request less its body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// Whether it came by TLS, to here or to a proxy before.
    pub is_secure: bool,
    /// Host and port by which it was asked for.
    pub authority: String,
    /// Their names in small letters.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The values of a header, whose name is given in small letters.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let headers = self.headers.iter();
        headers
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_slice())
    }
}

/// The body of a request.
pub trait Body {
    /// The next piece; `None` at the end.
    fn piece(&mut self) -> impl Future<Output = Option<Result<Vec<u8>, BrokenBody>>>;
}

/// A body that ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenBody;

/// What a request is answered with.
#[derive(Debug)]
pub enum Reply {
    Answer(Answer),
    /// A stream that may begin.
    Events(Events),
}

/// Answers one request.
pub struct Api<'a, I> {
    performer: Performer<'a, I>,
    deployment: &'a Deployment,
    now: Timestamp,
    seed: [u8; 16],
}

impl<'a, I: Io> Api<'a, I> {
    /// `seed` is unpredictable.
    pub fn new(io: &'a I, deployment: &'a Deployment, now: Timestamp, seed: [u8; 16]) -> Self {
        Self {
            performer: Performer {
                io,
                settings: &deployment.hub,
                keyspace: &deployment.keyspace,
                edge: NOBODY,
                connection: NOBODY,
            },
            deployment,
            now,
            seed,
        }
    }

    pub async fn answer(&self, head: &Head, body: &mut impl Body) -> Reply {
        let replied = match Asked::of(head) {
            Ok(asked) if asked.operation == Operation::Events => {
                self.begin_events(asked, head).await.map(Reply::Events)
            }
            Ok(asked) => self.respond(asked, head, body).await.map(Reply::Answer),
            Err(problem) => Err(problem),
        };
        replied.unwrap_or_else(|problem| Reply::Answer(problem.into()))
    }

    async fn respond(
        &self,
        asked: Asked,
        head: &Head,
        body: &mut impl Body,
    ) -> Result<Answer, Problem> {
        let kind = match asked.operation {
            Operation::Health => return Ok(self.health("ok", self.performer.io.digests())),
            Operation::Ready => {
                self.performer.command(&["PING".to_owned()]).await?;
                return Ok(self.health("ready", BTreeMap::new()));
            }
            Operation::Description => return Ok(self.description()),
            Operation::Configuration => return Ok(self.configuration(head)),
            Operation::Rooms => return self.list_rooms(&asked, &self.caller(head).await?).await,
            Operation::TotalFigures => {
                return self
                    .figures(Scope::Overall, &self.caller(head).await?)
                    .await;
            }
            Operation::RoomFigures => {
                let (room, caller) = (asked.room()?, self.caller(head).await?);
                self.reading(&caller, room)?;
                self.admitted(&asked, &caller).await?;
                return self.figures(Scope::Room(room), &caller).await;
            }
            Operation::Room => return self.look(&asked, self.caller(head).await?).await,
            Operation::Messages => {
                return self.read_messages(&asked, &self.caller(head).await?).await;
            }
            Operation::Post => {
                let caller = self.caller(head).await?;
                return self.post(&asked, caller, head, body).await;
            }
            Operation::Presence => return self.present(&asked, &self.caller(head).await?).await,
            Operation::Members => {
                let caller = self.caller(head).await?;
                return self.list_users(&asked, caller, RoomList::Granted).await;
            }
            Operation::Bans => {
                let caller = self.caller(head).await?;
                return self.list_users(&asked, caller, RoomList::Bans).await;
            }
            Operation::Mutes => {
                let caller = self.caller(head).await?;
                return self.list_users(&asked, caller, RoomList::Mutes).await;
            }
            Operation::ModerationQueue => {
                let caller = self.caller(head).await?;
                return self.moderation_queue(&asked, caller).await;
            }
            Operation::ModerationLog => {
                let caller = self.caller(head).await?;
                return self.moderation_log(&asked, caller).await;
            }
            Operation::LookRead => return self.look_read(&asked, self.caller(head).await?).await,
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
            Operation::Report => "report",
            Operation::Dismiss => "dismiss",
        };
        let caller = self.caller(head).await?;
        self.command(kind, asked, caller, head, body).await
    }

    fn health(&self, status: &'static str, components: BTreeMap<String, String>) -> Answer {
        Answer::json(200, &Health { status, components })
    }

    /// The description of this API, as it is here: without the alternative of no credentials where none
    /// do not do.
    fn description(&self) -> Answer {
        let text = if self.deployment.anonymous {
            DESCRIPTION.to_owned()
        } else {
            DESCRIPTION.replacen(r#""security":[{},"#, r#""security":["#, 1)
        };
        Answer::text(text)
    }

    /// What a client needs before it connects.
    fn configuration(&self, head: &Head) -> Answer {
        let scheme = if head.is_secure { "wss" } else { "ws" };
        Answer::json(
            200,
            &Configuration {
                protocol: SUBPROTOCOL,
                websocket_url: format!("{scheme}://{}/ws", head.authority),
                anonymous: self.deployment.anonymous,
                default_rooms: self.deployment.hub.default_rooms.clone(),
                limits: AnnouncedLimits::from(&self.deployment.hub.limits),
            },
        )
    }
}

/// What a request asks for.
struct Asked {
    operation: Operation,
    room: Option<RoomName>,
    /// Whom the path names: whom it is about.
    about: Option<UserId>,
    query: Query,
}

impl Asked {
    fn of(head: &Head) -> Result<Self, Problem> {
        let target = head.target.as_str();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (operation, room, user) = match api::find(&head.method, path) {
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

#[cfg(test)]
mod tests;
