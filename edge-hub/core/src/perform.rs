//! The effects that a hub's own platform performs within a call: what is asked of Redis and of the
//! components for each of them, and what the answer means.
//!
//! It does no IO: a platform brings [`Io`], with its own connections. Where calls block, its futures
//! are ready at once.

mod issuer_keys;
mod moderation;
mod rooms;

use crate::auth::KeysUrl;
use crate::effect::{Effect, ForRecord, ForReview};
use crate::event::{Event, NoAnswer, Verdict};
use crate::hub::{Hub, Settings};
use crate::ids::{Position, RoomName, User, UserId};
use crate::limits::WELCOME_ROOMS;
use crate::protocol::{CloseCode, ServerFrame};
use crate::redis::{self, Call, Keyspace, Presence, ReplyError, Value};
use crate::store::{Attended, Range, Read, Update};
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// What a platform does for a hub.
pub trait Io {
    /// Sends one command to Redis, its name apart; the reply is flat.
    fn redis(
        &self,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Vec<Value>, Failure>>;

    /// Asks moderation. A component that failed is [`NoAnswer`], unless the platform answers for it.
    fn review(&self, message: ForReview) -> Result<Verdict, NoAnswer>;

    /// Asks analytics; nothing if it failed.
    fn record(&self, record: ForRecord) -> Vec<Update>;

    /// The body behind a URL of the operator's, at most [`SET_BYTES`](crate::auth::SET_BYTES). No
    /// redirect is followed.
    fn fetch(&self, url: &KeysUrl) -> impl Future<Output = Result<String, String>>;

    /// The digest of each component by its name, where this side knows them.
    fn digests(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Something went wrong that an operator may want to read, and no client is told.
    fn note(&self, what: &str);
}

/// Why Redis did not do a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It does not know the script (`NOSCRIPT`), and has done nothing.
    UnknownScript,
    /// It refused, or the outcome is not known.
    NoAnswer {
        /// Whether that showed at once: a connection was lost. One that is silent for long is a Redis
        /// that is gone, which must not be waited for twice.
        at_once: bool,
    },
}

/// What became of an effect.
pub enum Performed {
    Here(Event),
    ByHost(ForHost),
}

/// The effects that only a host can perform.
#[derive(Debug)]
pub enum ForHost {
    Send(ServerFrame),
    Subscribe {
        room: RoomName,
        since: Option<Position>,
    },
    Unsubscribe {
        room: RoomName,
    },
    Announce {
        room: RoomName,
        frame: ServerFrame,
    },
    Identify(User),
    WakeAt(Timestamp),
    Close(CloseCode),
}

/// Performs for one connection of one edge.
pub struct Performer<'a, I> {
    pub io: &'a I,
    pub settings: &'a Settings,
    pub keyspace: &'a Keyspace,
    pub edge: &'a str,
    pub connection: &'a str,
}

/// Feeds an event and the answers that follow from it; returns what is left for the host, in order.
pub async fn run<I: Io>(
    hub: &mut Hub<'_>,
    performer: &Performer<'_, I>,
    now: Timestamp,
    event: Event,
) -> Vec<ForHost> {
    let mut for_host = Vec::new();
    let mut next = Some(event);
    while let Some(event) = next.take() {
        let effects: Vec<Effect> = hub.handle(now, event).collect();
        for effect in effects {
            match performer.perform(now, effect).await {
                Performed::Here(answer) => next = Some(answer),
                Performed::ByHost(effect) => for_host.push(effect),
            }
        }
    }
    for_host
}

impl<I: Io> Performer<'_, I> {
    pub async fn perform(&self, now: Timestamp, effect: Effect) -> Performed {
        use Performed::{ByHost, Here};
        match effect {
            Effect::Send(frame) => ByHost(ForHost::Send(frame)),
            Effect::Subscribe { room, since } => ByHost(ForHost::Subscribe { room, since }),
            Effect::Unsubscribe { room } => ByHost(ForHost::Unsubscribe { room }),
            Effect::Announce { room, frame } => ByHost(ForHost::Announce { room, frame }),
            Effect::Identify(user) => ByHost(ForHost::Identify(user)),
            Effect::WakeAt(at) => ByHost(ForHost::WakeAt(at)),
            Effect::Close(code) => ByHost(ForHost::Close(code)),

            Effect::Review(message) => Here(Event::Reviewed(self.io.review(message))),
            Effect::Record(record) => Here(Event::Recorded(self.io.record(record))),
            Effect::Append {
                room,
                mode,
                draft,
                updates,
            } => {
                let limits = &self.settings.limits;
                let unlisted = self.is_unlisted(&room);
                let call = redis::append(
                    self.keyspace,
                    limits,
                    &room,
                    unlisted,
                    mode,
                    &draft,
                    &updates,
                );
                // An outcome that is not known is asked for again: the script knows its entries.
                let reply = match self.try_call(&call).await {
                    Err(Failure::NoAnswer { at_once: true }) => self.call(&call).await,
                    other => other.map_err(|_| NoAnswer),
                };
                let appended = reply.and_then(|reply| self.read_reply(redis::appended(&reply)));
                Here(Event::Appended(appended))
            }
            Effect::Mark { room, user, seq } => {
                Here(Event::Marked(self.mark(&room, &user, seq).await))
            }
            Effect::Load {
                room,
                user,
                range,
                limit,
            } => Here(Event::Loaded(
                self.read(&room, Some(&user), range, limit).await,
            )),
            Effect::ListRooms { user } => Here(Event::RoomsListed(
                self.list_rooms(Some(&user), WELCOME_ROOMS).await,
            )),
            Effect::OpenRoom { room } => Here(Event::RoomOpened(self.open_room(&room).await)),
            Effect::Manage {
                room,
                by,
                role,
                action,
                record,
            } => {
                let managed = self.manage(&room, &by, role, &action, record.as_deref());
                Here(Event::Managed(managed.await))
            }
            Effect::Moderate {
                room,
                by,
                role,
                action,
                record,
            } => {
                let moderated = self.moderate(&room, (&by, role), &action, record.as_deref());
                Here(Event::Moderated(moderated.await))
            }
            Effect::Notify(notice) => Here(Event::Notified(self.notify(&notice).await)),
            Effect::Presence {
                room,
                user,
                present,
            } => Here(Event::PresenceChanged(
                self.presence(&room, &user, present).await,
            )),
            Effect::LoadKeys { url, refresh } => {
                Here(Event::KeysLoaded(self.load_keys(now, &url, refresh).await))
            }
        }
    }

    /// Whether nobody outside may know of the room: its figures would tell.
    fn is_unlisted(&self, room: &RoomName) -> bool {
        room.is_private() || self.settings.closed_rooms.contains(room)
    }

    /// Reads for a user, if he may be there. For nobody in particular no private room is read.
    pub async fn read(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        range: Range,
        limit: usize,
    ) -> Result<Read, NoAnswer> {
        if user.is_none() && room.is_private() {
            return Ok(Read::Forbidden);
        }
        let bytes = self.settings.limits.page_bytes;
        let call = redis::read(self.keyspace, room, user, range, limit, bytes);
        let reply = self.call(&call).await?;
        self.read_reply(redis::read_for_user(&reply))
    }

    async fn presence(
        &self,
        room: &RoomName,
        user: &User,
        present: bool,
    ) -> Result<Attended, NoAnswer> {
        let connection = self.connection;
        let change = if present {
            Presence::Join { user, connection }
        } else {
            Presence::Leave { user, connection }
        };
        let call = redis::presence(self.keyspace, room, self.edge, change);
        let reply = self.call(&call).await?;
        let (count, attended) = self.read_reply(redis::attended(&reply))?;
        // The lists of rooms lie in other slots, and may be a moment old. The presence is changed
        // already, so a failure here must not look as if it were not.
        match attended {
            Attended::Counted(_) => {
                let list = if count == 0 && self.is_forgettable(room).await.unwrap_or(false) {
                    redis::close_room(self.keyspace, room)
                } else {
                    redis::count_room(self.keyspace, room, count)
                };
                let _ = self.call(&list).await;
            }
            Attended::Forbidden if room.is_private() => self.forget_room_of(&user.id, room).await,
            Attended::Forbidden | Attended::Banned(_) => {}
        }
        Ok(attended)
    }

    /// Calls a script by its digest, and by its source if Redis has forgotten it.
    pub async fn call(&self, call: &Call) -> Result<Vec<Value>, NoAnswer> {
        self.try_call(call).await.map_err(|_| NoAnswer)
    }

    async fn try_call(&self, call: &Call) -> Result<Vec<Value>, Failure> {
        match self.io.redis("EVALSHA", call.evalsha()).await {
            Err(Failure::UnknownScript) => self.io.redis("EVAL", call.eval()).await,
            other => other,
        }
    }

    /// A plain command, its name first.
    pub async fn command(&self, command: &[String]) -> Result<Vec<Value>, NoAnswer> {
        let [name, arguments @ ..] = command else {
            return Err(NoAnswer);
        };
        let arguments = arguments
            .iter()
            .map(|argument| argument.clone().into_bytes())
            .collect();
        let reply = self.io.redis(name, arguments).await;
        reply.map_err(|_| NoAnswer)
    }

    /// A reply that cannot be read is no answer; the reason is for the log.
    fn read_reply<T>(&self, reply: Result<T, ReplyError>) -> Result<T, NoAnswer> {
        reply.map_err(|error| {
            self.io.note(&error.to_string());
            NoAnswer
        })
    }
}
