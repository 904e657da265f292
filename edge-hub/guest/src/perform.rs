//! The effects that a component can perform itself, through its imports.

mod issuer_keys;
mod rooms;

use crate::bindings::clustertalk::analytics::recorder;
use crate::bindings::clustertalk::moderation::moderator;
use crate::settings::Settings;
use crate::{from_wit, to_wit};
use clustertalk_core::effect::Effect;
use clustertalk_core::event::{Event, NoAnswer};
use clustertalk_core::ids::{Position, RoomName, Seq, User, UserId};
use clustertalk_core::limits::WELCOME_ROOMS;
use clustertalk_core::protocol::{CloseCode, ServerFrame};
use clustertalk_core::redis::{self, Call, Presence, Value};
use clustertalk_core::store::{Attended, Range, Read};
use clustertalk_core::time::Timestamp;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use std::cell::OnceCell;
use std::time::{Duration, Instant};

/// A failure within this time was that of a connection, not of Redis.
const SWIFT: Duration = Duration::from_millis(500);

/// What became of an effect.
pub enum Performed {
    Here(Event),
    ByHost(ForHost),
}

/// The effects that only a host can perform.
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

/// Performs for one call. The connection to Redis is opened when first needed.
pub struct Performer<'a> {
    settings: &'a Settings,
    edge: String,
    connection: String,
    redis: OnceCell<Connection>,
    blocking: OnceCell<Connection>,
}

impl<'a> Performer<'a> {
    pub fn new(settings: &'a Settings, edge: &str, connection: &str) -> Self {
        Self {
            settings,
            edge: edge.into(),
            connection: connection.into(),
            redis: OnceCell::new(),
            blocking: OnceCell::new(),
        }
    }

    pub fn perform(&self, now: Timestamp, effect: Effect) -> Performed {
        use Performed::{ByHost, Here};
        match effect {
            Effect::Send(frame) => ByHost(ForHost::Send(frame)),
            Effect::Subscribe { room, since } => ByHost(ForHost::Subscribe { room, since }),
            Effect::Unsubscribe { room } => ByHost(ForHost::Unsubscribe { room }),
            Effect::Announce { room, frame } => ByHost(ForHost::Announce { room, frame }),
            Effect::Identify(user) => ByHost(ForHost::Identify(user)),
            Effect::WakeAt(at) => ByHost(ForHost::WakeAt(at)),
            Effect::Close(code) => ByHost(ForHost::Close(code)),

            Effect::Review(message) => {
                let verdict = moderator::review(&to_wit::message(message));
                Here(Event::Reviewed(
                    verdict.map(from_wit::verdict).map_err(|_| NoAnswer),
                ))
            }
            Effect::Record(record) => {
                let updates = recorder::record(&to_wit::record(record)).unwrap_or_default();
                Here(Event::Recorded(
                    updates.into_iter().map(from_wit::update).collect(),
                ))
            }
            Effect::Append {
                room,
                mode,
                draft,
                updates,
            } => {
                let limits = &self.settings.hub.limits;
                let call = redis::append(
                    &self.settings.keyspace,
                    limits,
                    &room,
                    self.settings.is_unlisted(&room),
                    mode,
                    &draft,
                    &updates,
                );
                // An outcome that is not known is asked for again: the script knows its entries.
                // A connection that was lost shows at once; a Redis that is gone must not be
                // waited for twice.
                let began = Instant::now();
                let reply = self.call(&call).or_else(|NoAnswer| {
                    if began.elapsed() < SWIFT {
                        self.call(&call)
                    } else {
                        Err(NoAnswer)
                    }
                });
                Here(Event::Appended(
                    reply.and_then(|reply| read(redis::appended(&reply))),
                ))
            }
            Effect::Mark { room, user, seq } => Here(Event::Marked(self.mark(&room, &user, seq))),
            Effect::Load {
                room,
                user,
                range,
                limit,
            } => Here(Event::Loaded(self.read(&room, Some(&user), range, limit))),
            Effect::ListRooms { user } => Here(Event::RoomsListed(
                self.list_rooms(Some(&user), WELCOME_ROOMS),
            )),
            Effect::OpenRoom { room } => Here(Event::RoomOpened(self.open_room(&room))),
            Effect::Manage {
                room,
                by,
                role,
                action,
            } => Here(Event::Managed(self.manage(&room, &by, role, &action))),
            Effect::Notify(notice) => Here(Event::Notified(self.notify(&notice))),
            Effect::Presence {
                room,
                user,
                present,
            } => Here(Event::PresenceChanged(self.presence(&room, &user, present))),
            Effect::LoadKeys { url, refresh } => {
                Here(Event::KeysLoaded(self.load_keys(now, &url, refresh)))
            }
        }
    }

    /// Reads for a user, if he may be there. For nobody in particular no private room is read.
    pub fn read(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        range: Range,
        limit: usize,
    ) -> Result<Read, NoAnswer> {
        if user.is_none() && room.is_private() {
            return Ok(Read::Forbidden);
        }
        let bytes = self.settings.hub.limits.page_bytes;
        let keyspace = &self.settings.keyspace;
        let reply = self.call(&redis::read(keyspace, room, user, range, limit, bytes))?;
        read(redis::read_for_user(&reply))
    }

    fn presence(&self, room: &RoomName, user: &User, present: bool) -> Result<Attended, NoAnswer> {
        let connection = self.connection.as_str();
        let change = if present {
            Presence::Join { user, connection }
        } else {
            Presence::Leave { user, connection }
        };
        let keyspace = &self.settings.keyspace;
        let reply = self.call(&redis::presence(keyspace, room, &self.edge, change))?;
        let (count, attended) = read(redis::attended(&reply))?;
        // The lists of rooms lie in other slots, and may be a moment old. The presence is changed
        // already, so a failure here must not look as if it were not.
        match attended {
            Attended::Counted(_) => {
                let list = if count == 0 && self.is_forgettable(room).unwrap_or(false) {
                    redis::close_room(keyspace, room)
                } else {
                    redis::count_room(keyspace, room, count)
                };
                let _ = self.call(&list);
            }
            Attended::Forbidden if room.is_private() => self.forget_room_of(&user.id, room),
            Attended::Forbidden | Attended::Banned(_) => {}
        }
        Ok(attended)
    }

    /// Calls a script by its digest, and by its source if Redis has forgotten it.
    pub fn call(&self, call: &Call) -> Result<Vec<Value>, NoAnswer> {
        match self.execute("EVALSHA", call.evalsha()) {
            Err(Error::Other(message)) if is_unknown_script(&message) => {
                self.execute("EVAL", call.eval()).map_err(|_| NoAnswer)
            }
            other => other.map_err(|_| NoAnswer),
        }
    }

    /// Waits for an entry beyond `seq`, on a connection of its own: a blocking read holds up
    /// whatever else is on it.
    pub fn await_entry(&self, room: &RoomName, seq: Seq, millis: u32) -> Result<(), NoAnswer> {
        if self.blocking.get().is_none() {
            let connection = Connection::open(&self.settings.redis_url).map_err(|_| NoAnswer)?;
            let _ = self.blocking.set(connection);
        }
        let connection = self.blocking.get().ok_or(NoAnswer)?;
        let log = self.settings.keyspace.log(room);
        let arguments: Vec<RedisParameter> = [
            "COUNT",
            "1",
            "BLOCK",
            &millis.to_string(),
            "STREAMS",
            &log,
            &format!("{seq}-0"),
        ]
        .map(|argument| RedisParameter::Binary(argument.as_bytes().to_vec()))
        .into();
        connection
            .execute("XREAD", &arguments)
            .map(drop)
            .map_err(|_| NoAnswer)
    }

    /// A plain command, its name first.
    pub fn command(&self, command: &[String]) -> Result<Vec<Value>, NoAnswer> {
        let [name, arguments @ ..] = command else {
            return Err(NoAnswer);
        };
        let arguments = arguments
            .iter()
            .map(|argument| argument.clone().into_bytes())
            .collect();
        self.execute(name, arguments).map_err(|_| NoAnswer)
    }

    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Value>, Error> {
        if self.redis.get().is_none() {
            let connection = Connection::open(&self.settings.redis_url)?;
            let _ = self.redis.set(connection);
        }
        let connection = self.redis.get().ok_or(Error::InvalidAddress)?;
        let parameters: Vec<RedisParameter> =
            arguments.into_iter().map(RedisParameter::Binary).collect();
        let reply = connection
            .execute(command, &parameters)
            .inspect_err(|error| match error {
                Error::Other(message) if is_unknown_script(message) => {}
                error => eprintln!("Redis did not do {command}: {error}"),
            })?;
        Ok(reply.into_iter().map(value).collect())
    }
}

/// Hosts hand on the server's words in their own; what they share is Redis's sentence.
fn is_unknown_script(message: &str) -> bool {
    message.contains("NOSCRIPT") || message.contains("No matching script")
}

fn value(result: RedisResult) -> Value {
    match result {
        RedisResult::Nil => Value::Nil,
        RedisResult::Int64(number) => Value::Integer(number),
        RedisResult::Status(text) => Value::Bytes(text.into_bytes()),
        RedisResult::Binary(bytes) => Value::Bytes(bytes),
    }
}

/// A reply that cannot be read is no answer; the reason is for the log.
fn read<T>(reply: Result<T, redis::ReplyError>) -> Result<T, NoAnswer> {
    reply.map_err(|error| {
        eprintln!("{error}");
        NoAnswer
    })
}
