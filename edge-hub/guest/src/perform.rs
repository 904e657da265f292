//! What this component does for the hub: Redis, moderation, analytics and HTTP, through its imports.
//!
//! They block, so a future of [`clustertalk_core::perform`] is ready when it is first asked
//! ([`now`]), and what is behind it needs no runtime.

mod issuer_keys;

use crate::bindings::clustertalk::analytics::recorder;
use crate::bindings::clustertalk::moderation::moderator;
use crate::settings::Settings;
use crate::{from_wit, to_wit};
use clustertalk_core::auth::KeysUrl;
use clustertalk_core::effect::{ForRecord, ForReview};
use clustertalk_core::event::{Event, NoAnswer, Verdict};
use clustertalk_core::hub::{self, Hub};
use clustertalk_core::ids::Seq;
pub use clustertalk_core::perform::ForHost;
use clustertalk_core::perform::{self, Failure, Io, Performer};
use clustertalk_core::redis::Value;
use clustertalk_core::store::Update;
use clustertalk_core::time::Timestamp;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use std::cell::OnceCell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A failure within this time was that of a connection, not of Redis.
const SWIFT: Duration = Duration::from_millis(500);

/// Feeds an event of a connection and the answers that follow from it; returns what is left for the
/// host.
pub fn run(
    hub: &mut Hub<'_>,
    settings: &Settings,
    connection: &hub::Connection,
    at: Timestamp,
    event: Event,
) -> Vec<ForHost> {
    let imports = Imports::new(&settings.redis_url);
    let performer = Performer {
        io: &imports,
        settings: &settings.hub,
        keyspace: &settings.keyspace,
        edge: &connection.edge,
        connection: &connection.id,
    };
    now(perform::run(hub, &performer, at, event))
}

/// The value of a future whose IO blocks.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("an import blocks until it has answered"),
    }
}

/// The imports, for one call. A connection to Redis is opened when first needed.
pub struct Imports {
    redis_url: String,
    redis: OnceCell<Connection>,
    blocking: OnceCell<Connection>,
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
    pub fn new(redis_url: &str) -> Self {
        Self {
            redis_url: redis_url.to_owned(),
            redis: OnceCell::new(),
            blocking: OnceCell::new(),
        }
    }

    /// Waits for an entry of a log beyond `seq`, on a connection of its own: a blocking read holds up
    /// whatever else is on it.
    pub fn await_entry(&self, log: &str, seq: Seq, millis: u32) -> Result<(), NoAnswer> {
        if self.blocking.get().is_none() {
            let connection = Connection::open(&self.redis_url).map_err(|_| NoAnswer)?;
            let _ = self.blocking.set(connection);
        }
        let connection = self.blocking.get().ok_or(NoAnswer)?;
        let arguments: Vec<RedisParameter> = [
            "COUNT",
            "1",
            "BLOCK",
            &millis.to_string(),
            "STREAMS",
            log,
            &format!("{seq}-0"),
        ]
        .map(|argument| RedisParameter::Binary(argument.as_bytes().to_vec()))
        .into();
        connection
            .execute("XREAD", &arguments)
            .map(drop)
            .map_err(|_| NoAnswer)
    }

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
