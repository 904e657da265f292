//! The host's own use of Redis: reading logs, presence, heartbeats. What the hub does with Redis
//! goes through its import (`sandbox/redis.rs`).

use std::time::Duration;

use clustertalk_core::{
    ids::{RoomName, UserId},
    limits::Limits,
    redis::{self as contract, Call, Keyspace, Presence, Value},
    store::{Attendance, Correction, Members, Range, Stretch},
    time::Timestamp,
};
use redis::{
    AsyncConnectionConfig, Client, Cmd,
    aio::{ConnectionManager, ConnectionManagerConfig, PubSub},
};

/// After this time without an answer the outcome of a command is unknown.
const RESPONSE_TIME: Duration = Duration::from_secs(2);

/// Redis, as this edge sees it.
#[derive(Clone)]
pub struct Store {
    client: Client,
    connection: ConnectionManager,
    keyspace: Keyspace,
    /// The id of this edge: whose members are whose.
    edge: String,
    limits: Limits,
}

/// Why Redis did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    #[error("Redis answered what was not asked for: {0}")]
    Reply(#[from] contract::ReplyError),
}

impl StoreError {
    /// The code of a primary that is there and takes no writes for now.
    pub fn refused_write(&self) -> Option<&str> {
        match self {
            Self::Redis(error) => error.code().filter(|code| contract::refuses_writes(code)),
            Self::Reply(_) => None,
        }
    }

    /// Whether Redis answers, and it is what it holds that cannot be read.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Redis(error) => error.code() == Some(contract::CORRUPT),
            Self::Reply(_) => true,
        }
    }
}

impl Store {
    /// Prepares a connection to the server of `client`; it is made, and made again after a loss,
    /// when needed.
    ///
    /// # Errors
    /// If what the client says cannot be used.
    pub fn new(
        client: Client,
        keyspace: Keyspace,
        edge: String,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIME))
            .set_response_timeout(Some(RESPONSE_TIME))
            // Each task tries again by itself, and a room's must not be held up for long.
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_secs(1));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self {
            client,
            connection,
            keyspace,
            edge,
            limits,
        })
    }

    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    pub fn edge(&self) -> &str {
        &self.edge
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Calls a script by its digest, and by its source if Redis has forgotten it.
    pub async fn call(&self, call: &Call) -> Result<Vec<Value>, StoreError> {
        let evaluate = |name: &str, arguments: Vec<Vec<u8>>| {
            let mut command = Cmd::new();
            command.arg(name).arg(arguments);
            command
        };
        match self.send(evaluate("EVALSHA", call.evalsha())).await {
            Err(StoreError::Redis(error)) if error.code() == Some("NOSCRIPT") => {
                self.send(evaluate("EVAL", call.eval())).await
            }
            answered => answered,
        }
    }

    /// A plain command, its name first.
    pub async fn command(&self, command: &[String]) -> Result<Vec<Value>, StoreError> {
        let mut sent = Cmd::new();
        sent.arg(command);
        self.send(sent).await
    }

    /// A stretch of a room's log, at most one page.
    pub async fn read(
        &self,
        room: &RoomName,
        range: Range,
        entries: usize,
    ) -> Result<Stretch, StoreError> {
        let bytes = self.limits.page_bytes;
        let call = contract::read(&self.keyspace, room, None, range, entries, bytes);
        Ok(contract::stretch(&self.call(&call).await?)?)
    }

    /// Who is in a room.
    pub async fn members(&self, room: &RoomName) -> Result<Members, StoreError> {
        let call = contract::presence(&self.keyspace, room, &self.edge, Presence::List);
        Ok(contract::members(&self.call(&call).await?)?)
    }

    /// A change of presence; answers the first number of the script's reply.
    pub async fn presence(
        &self,
        room: &RoomName,
        presence: Presence<'_>,
    ) -> Result<u64, StoreError> {
        let call = contract::presence(&self.keyspace, room, &self.edge, presence);
        let reply = self.call(&call).await?;
        Ok(contract::members(&reply[..reply.len().min(1)])?.count)
    }

    /// Keeps this edge's users in a room alive; answers how many they are, and who of them may not be
    /// there any more.
    pub async fn refresh_presence(
        &self,
        room: &RoomName,
    ) -> Result<(u64, Vec<UserId>), StoreError> {
        let call = contract::presence(&self.keyspace, room, &self.edge, Presence::Refresh);
        Ok(contract::refreshed(&self.call(&call).await?)?)
    }

    /// Whom Redis counts in a room for this edge.
    pub async fn attendance(&self, room: &RoomName) -> Result<Vec<Attendance>, StoreError> {
        let command = contract::list_attendance(&self.keyspace, room, &self.edge);
        Ok(contract::attendance(&self.command(&command).await?))
    }

    /// Puts right what is still as it was found; answers how many users that were.
    pub async fn correct_presence(
        &self,
        room: &RoomName,
        corrections: &[Correction],
    ) -> Result<usize, StoreError> {
        let change = Presence::Correct(corrections);
        let call = contract::presence(&self.keyspace, room, &self.edge, change);
        let corrected = contract::corrected(&self.call(&call).await?)?;
        Ok(usize::try_from(corrected).unwrap_or(usize::MAX))
    }

    /// Publishes something ephemeral to a room.
    pub async fn publish(&self, room: &RoomName, payload: String) -> Result<(), StoreError> {
        self.command(&["PUBLISH".into(), self.keyspace.channel(room), payload])
            .await?;
        Ok(())
    }

    /// A connection for subscriptions.
    pub async fn subscriber(&self) -> Result<PubSub, StoreError> {
        let connected = tokio::time::timeout(RESPONSE_TIME, self.client.get_async_pubsub()).await;
        Ok(connected.map_err(|_| timed_out())??)
    }

    /// Whether Redis answers, and a sentence about it: its version.
    pub async fn version(&self) -> Result<String, StoreError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(RESPONSE_TIME))
            .set_response_timeout(Some(RESPONSE_TIME));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let info: String = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await?;
        let version = info
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        Ok(version.unwrap_or("unknown").trim().to_owned())
    }

    /// Redis' own time.
    pub async fn time(&self) -> Result<Timestamp, StoreError> {
        let reply = self.command(&["TIME".into()]).await?;
        match reply[..] {
            [Value::Bytes(ref seconds), Value::Bytes(ref micros)] => {
                let number = |text| String::from_utf8_lossy(text).parse().unwrap_or(0_u64);
                let millis = number(seconds) * 1000 + number(micros) / 1000;
                Ok(Timestamp::from_millis(millis))
            }
            _ => Err(contract::ReplyError::Shape("TIME").into()),
        }
    }

    /// The policy by which a full Redis would remove rooms in silence, if it has one.
    pub async fn eviction_policy(&self) -> Result<Option<String>, StoreError> {
        let info = self.command(&["INFO".into(), "memory".into()]).await?;
        let Some(Value::Bytes(info)) = info.first() else {
            return Ok(None);
        };
        let info = String::from_utf8_lossy(info);
        Ok(contract::eviction_policy(&info).map(str::to_owned))
    }

    async fn send(&self, command: Cmd) -> Result<Vec<Value>, StoreError> {
        let reply = self
            .connection
            .clone()
            .send_packed_command(&command)
            .await?;
        let mut flat = Vec::new();
        flatten(reply, &mut flat)?;
        Ok(flat)
    }
}

fn timed_out() -> redis::RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

fn flatten(value: redis::Value, into: &mut Vec<Value>) -> Result<(), redis::RedisError> {
    match value.extract_error()? {
        redis::Value::Nil => into.push(Value::Nil),
        redis::Value::Int(number) => into.push(Value::Integer(number)),
        redis::Value::BulkString(bytes) => into.push(Value::Bytes(bytes)),
        redis::Value::SimpleString(text) => into.push(Value::Bytes(text.into_bytes())),
        redis::Value::Okay => into.push(Value::Bytes(b"OK".to_vec())),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            for value in values {
                flatten(value, into)?;
            }
        }
        redis::Value::Map(pairs) => {
            for (key, value) in pairs {
                flatten(key, into)?;
                flatten(value, into)?;
            }
        }
        redis::Value::Double(number) => into.push(Value::Bytes(number.to_string().into_bytes())),
        other => into.push(Value::Bytes(format!("{other:?}").into_bytes())),
    }
    Ok(())
}
