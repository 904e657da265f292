//! `fermyon:spin/redis` for components.
//!
//! Spin opens a TCP connection at each `open`; here a component gets a shared, multiplexed one, and
//! a connection of its own only when it sends a command that blocks.

mod pool;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use opentelemetry::{KeyValue, trace::SpanKind};
use wasmtime::component::Resource;

pub use self::pool::{PoolLimits, RedisPool};
pub use super::bindings::fermyon::spin::redis::{Error as RedisError, RedisResult as RedisValue};
use super::{
    bindings::fermyon::spin::redis::{Host, HostConnection, RedisParameter},
    metrics::{Histogram, Times},
    store::State,
};
use crate::traces;

/// Connections that one instance may hold at once.
const MAX_OPEN: usize = 8;

/// What a Redis call returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, RedisError>> + Send + 'a>>;

/// Where components get their Redis connections.
pub trait Redis: Send + Sync + 'static {
    /// A connection that others use at the same time. `address` was checked against the
    /// component's `allowed_outbound_hosts`.
    ///
    /// # Errors
    /// The address is invalid, or too many are in use. Whether a server is there may show only at
    /// the first command.
    fn shared<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>>;

    /// A connection for one user, closed when it is dropped: for commands that block.
    ///
    /// # Errors
    /// As above, and when no server answers.
    fn dedicated<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>>;
}

/// One connection.
pub trait RedisConnection: Send + Sync {
    /// Sends a command, and flattens its reply as Spin does: nested arrays become one list.
    ///
    /// # Errors
    /// The server's or the connection's.
    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Pending<'_, Vec<RedisValue>>;
}

/// What components asked of Redis, together.
#[derive(Default)]
pub(super) struct RedisFigures {
    times: Times,
    errors: AtomicU64,
}

impl RedisFigures {
    pub fn snapshot(&self) -> (Histogram, u64) {
        (self.times.snapshot(), self.errors.load(Ordering::Relaxed))
    }
}

/// The resource `connection` of one instance.
pub struct Opened {
    address: String,
    shared: Arc<dyn RedisConnection>,
    dedicated: Option<Arc<dyn RedisConnection>>,
}

impl Host for State {}

impl HostConnection for State {
    async fn open(
        &mut self,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Opened>, RedisError>> {
        let context = Arc::clone(&self.context);
        if !context.allowed_hosts.allows(&address) {
            tracing::warn!(
                component = context.name,
                "connection to a host that is not allowed"
            );
            return Ok(Err(RedisError::InvalidAddress));
        }
        if self.open_connections >= MAX_OPEN {
            return Ok(Err(RedisError::TooManyConnections));
        }
        let shared = match context.redis.shared(&address).await {
            Ok(shared) => shared,
            Err(error) => return Ok(Err(error)),
        };
        let opened = Opened {
            address,
            shared,
            dedicated: None,
        };
        self.open_connections += 1;
        Ok(Ok(self.table.push(opened)?))
    }

    async fn publish(
        &mut self,
        connection: Resource<Opened>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), RedisError>> {
        let arguments = vec![channel.into_bytes(), payload];
        Ok(self.run(connection, "PUBLISH", arguments).await?.map(drop))
    }

    async fn get(
        &mut self,
        connection: Resource<Opened>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, RedisError>> {
        let reply = self.run(connection, "GET", vec![key.into_bytes()]).await?;
        Ok(
            reply.and_then(|values| match <[RedisValue; 1]>::try_from(values) {
                Ok([RedisValue::Nil]) => Ok(None),
                Ok([RedisValue::Binary(bytes)]) => Ok(Some(bytes)),
                _ => Err(RedisError::TypeError),
            }),
        )
    }

    async fn set(
        &mut self,
        connection: Resource<Opened>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), RedisError>> {
        let arguments = vec![key.into_bytes(), value];
        Ok(self.run(connection, "SET", arguments).await?.map(drop))
    }

    async fn incr(
        &mut self,
        connection: Resource<Opened>,
        key: String,
    ) -> wasmtime::Result<Result<i64, RedisError>> {
        let reply = self.run(connection, "INCR", vec![key.into_bytes()]).await?;
        Ok(reply.and_then(number))
    }

    async fn del(
        &mut self,
        connection: Resource<Opened>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, RedisError>> {
        let arguments = keys.into_iter().map(String::into_bytes).collect();
        Ok(self
            .run(connection, "DEL", arguments)
            .await?
            .and_then(count))
    }

    async fn sadd(
        &mut self,
        connection: Resource<Opened>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, RedisError>> {
        let arguments = [key]
            .into_iter()
            .chain(values)
            .map(String::into_bytes)
            .collect();
        Ok(self
            .run(connection, "SADD", arguments)
            .await?
            .and_then(count))
    }

    async fn smembers(
        &mut self,
        connection: Resource<Opened>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, RedisError>> {
        let reply = self
            .run(connection, "SMEMBERS", vec![key.into_bytes()])
            .await?;
        Ok(reply.and_then(|values| {
            values
                .into_iter()
                .map(|value| match value {
                    RedisValue::Binary(bytes) => {
                        String::from_utf8(bytes).map_err(|_| RedisError::TypeError)
                    }
                    _ => Err(RedisError::TypeError),
                })
                .collect()
        }))
    }

    async fn srem(
        &mut self,
        connection: Resource<Opened>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, RedisError>> {
        let arguments = [key]
            .into_iter()
            .chain(values)
            .map(String::into_bytes)
            .collect();
        Ok(self
            .run(connection, "SREM", arguments)
            .await?
            .and_then(count))
    }

    async fn execute(
        &mut self,
        connection: Resource<Opened>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisValue>, RedisError>> {
        let arguments = arguments
            .into_iter()
            .map(|argument| match argument {
                RedisParameter::Int64(number) => number.to_string().into_bytes(),
                RedisParameter::Binary(bytes) => bytes,
            })
            .collect();
        self.run(connection, &command, arguments).await
    }

    async fn drop(&mut self, connection: Resource<Opened>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.open_connections -= 1;
        Ok(())
    }
}

impl State {
    async fn run(
        &mut self,
        connection: Resource<Opened>,
        command: &str,
        arguments: Vec<Vec<u8>>,
    ) -> wasmtime::Result<Result<Vec<RedisValue>, RedisError>> {
        let opened = self.table.get_mut(&connection)?;
        let manner = Manner::of(command, &arguments);
        let connection = match manner {
            Manner::Shared => Arc::clone(&opened.shared),
            Manner::Forbidden => {
                return Ok(Err(RedisError::Other(format!(
                    "{command} would change the connection for others; it is not possible here"
                ))));
            }
            Manner::Blocking => match &opened.dedicated {
                Some(connection) => Arc::clone(connection),
                None => match self.context.redis.dedicated(&opened.address).await {
                    Ok(connection) => Arc::clone(opened.dedicated.insert(connection)),
                    Err(error) => return Ok(Err(error)),
                },
            },
        };
        let began = Instant::now();
        let told = |reply: &Result<_, RedisError>| traces::Told {
            attributes: vec![
                KeyValue::new("db.system.name", "redis"),
                KeyValue::new("db.operation.name", command.to_owned()),
            ],
            ..traces::Told::success(reply)
        };
        let execute = connection.execute(command, arguments);
        let reply = traces::within("redis", SpanKind::Client, execute, told).await;
        let figures = &self.context.redis_figures;
        if manner == Manner::Shared {
            figures.times.add(began.elapsed());
        }
        if reply.is_err() {
            figures.errors.fetch_add(1, Ordering::Relaxed);
        }
        Ok(reply)
    }
}

/// How a command may be sent.
#[derive(Debug, PartialEq, Eq)]
enum Manner {
    Shared,
    /// It may wait in the server, and all commands behind it on the connection.
    Blocking,
    /// It changes the state of the connection.
    Forbidden,
}

impl Manner {
    fn of(command: &str, arguments: &[Vec<u8>]) -> Self {
        match command.to_ascii_uppercase().as_str() {
            "BLPOP" | "BRPOP" | "BRPOPLPUSH" | "BLMOVE" | "BLMPOP" | "BZPOPMIN" | "BZPOPMAX"
            | "BZMPOP" | "WAIT" | "WAITAOF" => Self::Blocking,
            "XREAD" | "XREADGROUP" => {
                let mut options = arguments
                    .iter()
                    .take_while(|argument| !argument.eq_ignore_ascii_case(b"STREAMS"));
                match options.any(|argument| argument.eq_ignore_ascii_case(b"BLOCK")) {
                    true => Self::Blocking,
                    false => Self::Shared,
                }
            }
            "SUBSCRIBE" | "PSUBSCRIBE" | "SSUBSCRIBE" | "UNSUBSCRIBE" | "PUNSUBSCRIBE"
            | "SUNSUBSCRIBE" | "MONITOR" | "MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH"
            | "SELECT" | "AUTH" | "HELLO" | "RESET" | "QUIT" | "CLIENT" | "SYNC" | "PSYNC"
            | "ASKING" | "READONLY" | "READWRITE" => Self::Forbidden,
            _ => Self::Shared,
        }
    }
}

fn number(values: Vec<RedisValue>) -> Result<i64, RedisError> {
    match values[..] {
        [RedisValue::Int64(number)] => Ok(number),
        _ => Err(RedisError::TypeError),
    }
}

fn count(values: Vec<RedisValue>) -> Result<u32, RedisError> {
    u32::try_from(number(values)?).map_err(|_| RedisError::TypeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_and_stateful_commands_are_told_apart() {
        #[rustfmt::skip]
        let cases: [(&str, &[&str], Manner); 8] = [
            ("GET",       &["block"],                                     Manner::Shared),
            ("XREAD",     &["COUNT", "2", "STREAMS", "a", "0"],           Manner::Shared),
            ("XREAD",     &["STREAMS", "block", "0"],                     Manner::Shared),
            ("xread",     &["block", "5000", "streams", "a", "0"],        Manner::Blocking),
            ("BLPOP",     &["a", "0"],                                    Manner::Blocking),
            ("Subscribe", &["a"],                                         Manner::Forbidden),
            ("CLIENT",    &["REPLY", "OFF"],                              Manner::Forbidden),
            ("EVALSHA",   &["abc", "1", "a", "MULTI"],                    Manner::Shared),
        ];
        for (command, arguments, expected) in cases {
            let arguments: Vec<_> = arguments.iter().map(|a| a.as_bytes().to_vec()).collect();
            assert_eq!(Manner::of(command, &arguments), expected, "{command}");
        }
    }
}
