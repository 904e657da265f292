//! What this component does for the hub: Redis, moderation, analytics and HTTP, through its imports.
//!
//! They block, so a future of [`clustertalk_core::perform`] is ready when it is first asked
//! ([`now`]), and what is behind it needs no runtime.

mod issuer_keys;

use crate::bindings::clustertalk::analytics::recorder;
use crate::bindings::clustertalk::moderation::moderator;
use crate::settings::Settings;
use crate::{from_wit, to_wit};
use clustertalk_core::auth::{KeySet, KeysUrl, Role};
use clustertalk_core::effect::{ForRecord, ForReview};
use clustertalk_core::event::{Event, NoAnswer, Verdict};
use clustertalk_core::hub::Hub;
use clustertalk_core::ids::{RoomName, Seq, UserId};
pub use clustertalk_core::perform::ForHost;
use clustertalk_core::perform::{self, Failure, Io};
use clustertalk_core::protocol::ServerFrame;
use clustertalk_core::redis::{Call, Value};
use clustertalk_core::store::{Managed, Range, Read, RoomAction, RoomCount, Update};
use clustertalk_core::time::Timestamp;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use std::cell::OnceCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A failure within this time was that of a connection, not of Redis.
const SWIFT: Duration = Duration::from_millis(500);

/// Performs for one call. The connection to Redis is opened when first needed.
pub struct Performer<'a> {
    settings: &'a Settings,
    edge: String,
    connection: String,
    imports: Imports,
}

struct Imports {
    redis_url: String,
    redis: OnceCell<Connection>,
    blocking: OnceCell<Connection>,
}

impl<'a> Performer<'a> {
    pub fn new(settings: &'a Settings, edge: &str, connection: &str) -> Self {
        Self {
            settings,
            edge: edge.into(),
            connection: connection.into(),
            imports: Imports {
                redis_url: settings.redis_url.clone(),
                redis: OnceCell::new(),
                blocking: OnceCell::new(),
            },
        }
    }

    fn shared(&self) -> perform::Performer<'_, Imports> {
        perform::Performer {
            io: &self.imports,
            settings: &self.settings.hub,
            keyspace: &self.settings.keyspace,
            edge: &self.edge,
            connection: &self.connection,
        }
    }

    /// Feeds an event and the answers that follow from it; returns what is left for the host.
    pub fn run(&self, hub: &mut Hub<'_>, at: Timestamp, event: Event) -> Vec<ForHost> {
        now(perform::run(hub, &self.shared(), at, event))
    }

    pub fn read(
        &self,
        room: &RoomName,
        user: Option<&UserId>,
        range: Range,
        limit: usize,
    ) -> Result<Read, NoAnswer> {
        now(self.shared().read(room, user, range, limit))
    }

    pub fn call(&self, call: &Call) -> Result<Vec<Value>, NoAnswer> {
        now(self.shared().call(call))
    }

    pub fn command(&self, command: &[String]) -> Result<Vec<Value>, NoAnswer> {
        now(self.shared().command(command))
    }

    pub fn list_rooms(
        &self,
        user: Option<&UserId>,
        most: usize,
    ) -> Result<Vec<RoomCount>, NoAnswer> {
        now(self.shared().list_rooms(user, most))
    }

    pub fn open_room(&self, room: &RoomName) -> Result<bool, NoAnswer> {
        now(self.shared().open_room(room))
    }

    pub fn manage(
        &self,
        room: &RoomName,
        by: &UserId,
        role: Role,
        action: &RoomAction,
    ) -> Result<Managed, NoAnswer> {
        now(self.shared().manage(room, by, role, action))
    }

    pub fn announce(&self, room: &RoomName, frame: &ServerFrame) -> Result<(), NoAnswer> {
        now(self.shared().announce(room, frame))
    }

    pub fn load_keys(
        &self,
        at: Timestamp,
        url: &KeysUrl,
        refresh: bool,
    ) -> Result<KeySet, NoAnswer> {
        now(self.shared().load_keys(at, url, refresh))
    }

    /// Waits for an entry beyond `seq`, on a connection of its own: a blocking read holds up
    /// whatever else is on it.
    pub fn await_entry(&self, room: &RoomName, seq: Seq, millis: u32) -> Result<(), NoAnswer> {
        let connection = self.imports.blocking()?;
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
}

/// The value of a future whose IO blocks.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("an import blocks until it has answered"),
    }
}

impl Io for Imports {
    async fn redis(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Value>, Failure> {
        let began = Instant::now();
        self.execute(command, arguments).map_err(|error| {
            if let Error::Other(message) = &error
                && is_unknown_script(message)
            {
                return Failure::UnknownScript;
            }
            eprintln!("Redis did not do {command}: {error}");
            Failure::NoAnswer {
                at_once: began.elapsed() < SWIFT,
            }
        })
    }

    fn review(&self, message: ForReview) -> Result<Verdict, NoAnswer> {
        let verdict = moderator::review(&to_wit::message(message));
        verdict.map(from_wit::verdict).map_err(|_| NoAnswer)
    }

    fn record(&self, record: ForRecord) -> Vec<Update> {
        let updates = recorder::record(&to_wit::record(record)).unwrap_or_default();
        updates.into_iter().map(from_wit::update).collect()
    }

    async fn fetch(&self, url: &KeysUrl) -> Result<String, String> {
        issuer_keys::fetch(url)
    }

    fn note(&self, what: &str) {
        eprintln!("{what}");
    }
}

impl Imports {
    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Result<Vec<Value>, Error> {
        if self.redis.get().is_none() {
            let connection = Connection::open(&self.redis_url)?;
            let _ = self.redis.set(connection);
        }
        let connection = self.redis.get().ok_or(Error::InvalidAddress)?;
        let parameters: Vec<RedisParameter> =
            arguments.into_iter().map(RedisParameter::Binary).collect();
        let reply = connection.execute(command, &parameters)?;
        Ok(reply.into_iter().map(value).collect())
    }

    fn blocking(&self) -> Result<&Connection, NoAnswer> {
        if self.blocking.get().is_none() {
            let connection = Connection::open(&self.redis_url).map_err(|_| NoAnswer)?;
            let _ = self.blocking.set(connection);
        }
        self.blocking.get().ok_or(NoAnswer)
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
