//! Redis connections shared by all components.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{Pending, Redis, RedisConnection, RedisError, RedisValue};
use crate::redis_client::RedisCertificates;

/// Different addresses that may be in use at once.
const MAX_ADDRESSES: usize = 8;

/// What components may ask of Redis together.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Commands under way on shared connections.
    pub in_flight: usize,
    /// Commands that wait for one of those to end.
    pub waiting: usize,
    /// How long one waits before it is refused.
    pub patience: Duration,
    /// How long a connection or an answer may take; blocking commands excepted.
    pub timeout: Duration,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            in_flight: 256,
            waiting: 1_024,
            patience: Duration::from_millis(250),
            timeout: Duration::from_secs(2),
        }
    }
}

/// One multiplexed connection an address, which comes back by itself when it is lost.
pub struct RedisPool {
    gate: Arc<Gate>,
    certificates: RedisCertificates,
    shared: Mutex<HashMap<String, Arc<Shared>>>,
}

impl RedisPool {
    /// A pool without connections; each is made when it is first used.
    pub fn new(limits: PoolLimits, certificates: RedisCertificates) -> Self {
        Self {
            certificates,
            gate: Arc::new(Gate {
                limits,
                slots: Semaphore::new(limits.in_flight),
                waiting: AtomicUsize::new(0),
            }),
            shared: Mutex::default(),
        }
    }

    fn shared_now(&self, address: &str) -> Result<Arc<dyn RedisConnection>, RedisError> {
        let mut all = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(address) {
            return Ok(Arc::clone(shared) as _);
        }
        if all.len() >= MAX_ADDRESSES {
            return Err(RedisError::TooManyConnections);
        }
        let wait = self.gate.limits.timeout;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(wait))
            .set_response_timeout(Some(wait))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(50));
        let manager = self
            .certificates
            .client(address)
            .and_then(|client| client.get_connection_manager_lazy(config))
            .map_err(|_| RedisError::InvalidAddress)?;
        let shared = Arc::new(Shared {
            manager,
            gate: Arc::clone(&self.gate),
        });
        all.insert(address.to_owned(), Arc::clone(&shared));
        Ok(shared)
    }
}

impl Default for RedisPool {
    fn default() -> Self {
        Self::new(PoolLimits::default(), RedisCertificates::default())
    }
}

impl Redis for RedisPool {
    fn shared<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>> {
        Box::pin(async move { self.shared_now(address) })
    }

    fn dedicated<'a>(&'a self, address: &'a str) -> Pending<'a, Arc<dyn RedisConnection>> {
        Box::pin(async move {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(self.gate.limits.timeout))
                // The command says itself how long it waits.
                .set_response_timeout(None);
            let connection = self
                .certificates
                .client(address)
                .map_err(|_| RedisError::InvalidAddress)?
                .get_multiplexed_async_connection_with_config(&config)
                .await
                .map_err(other)?;
            Ok(Arc::new(Dedicated(connection)) as _)
        })
    }
}

struct Shared {
    manager: ConnectionManager,
    gate: Arc<Gate>,
}

impl RedisConnection for Shared {
    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Pending<'_, Vec<RedisValue>> {
        let command = pack(command, &arguments);
        Box::pin(async move {
            let _slot = self.gate.enter().await?;
            query(&mut self.manager.clone(), &command).await
        })
    }
}

struct Dedicated(MultiplexedConnection);

impl RedisConnection for Dedicated {
    fn execute(&self, command: &str, arguments: Vec<Vec<u8>>) -> Pending<'_, Vec<RedisValue>> {
        let command = pack(command, &arguments);
        Box::pin(async move { query(&mut self.0.clone(), &command).await })
    }
}

/// Keeps a slow Redis from filling this process with waiting calls.
struct Gate {
    limits: PoolLimits,
    slots: Semaphore,
    waiting: AtomicUsize,
}

impl Gate {
    async fn enter(&self) -> Result<SemaphorePermit<'_>, RedisError> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Ok(slot);
        }
        let _place = Place::take(self).ok_or_else(busy)?;
        match timeout(self.limits.patience, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }
}

/// A place in the queue, given back however the wait ends.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Option<Self> {
        let place = Self(&gate.waiting);
        // `place` gives the count back when there is no room.
        (gate.waiting.fetch_add(1, Ordering::Relaxed) < gate.limits.waiting).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn busy() -> RedisError {
    RedisError::Other("too many Redis commands are waiting".to_owned())
}

fn pack(command: &str, arguments: &[Vec<u8>]) -> redis::Cmd {
    let mut packed = redis::cmd(command);
    for argument in arguments {
        packed.arg(argument);
    }
    packed
}

async fn query(
    connection: &mut impl ConnectionLike,
    command: &redis::Cmd,
) -> Result<Vec<RedisValue>, RedisError> {
    let reply = connection
        .req_packed_command(command)
        .await
        .map_err(other)?;
    let mut values = Vec::new();
    flatten(reply, &mut values)?;
    Ok(values)
}

fn other(error: redis::RedisError) -> RedisError {
    RedisError::Other(error.to_string())
}

/// As Spin does; there, too, the kinds of RESP 3 that have no place in a flat list are errors.
fn flatten(reply: Value, values: &mut Vec<RedisValue>) -> Result<(), RedisError> {
    values.push(match reply {
        Value::Nil => RedisValue::Nil,
        Value::Int(number) => RedisValue::Int64(number),
        Value::Boolean(truth) => RedisValue::Int64(truth.into()),
        Value::BulkString(bytes) => RedisValue::Binary(bytes),
        Value::SimpleString(text) => RedisValue::Status(text),
        Value::Okay => RedisValue::Status("OK".to_owned()),
        Value::Double(number) => RedisValue::Binary(number.to_string().into_bytes()),
        Value::BigNumber(digits) => RedisValue::Binary(digits),
        Value::Array(list) | Value::Set(list) => {
            return list
                .into_iter()
                .try_for_each(|value| flatten(value, values));
        }
        Value::ServerError(error) => return Err(other(error.into())),
        _ => {
            return Err(RedisError::Other(
                "a reply of this kind is not supported".to_owned(),
            ));
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_replies_become_one_list() {
        let reply = Value::Array(vec![
            Value::BulkString(b"1-0".to_vec()),
            Value::Array(vec![Value::Int(7), Value::Nil, Value::Okay]),
            Value::Array(vec![]),
        ]);
        let mut values = Vec::new();
        flatten(reply, &mut values).expect("a flat list");
        assert!(matches!(
            &values[..],
            [
                RedisValue::Binary(id),
                RedisValue::Int64(7),
                RedisValue::Nil,
                RedisValue::Status(ok),
            ] if id == b"1-0" && ok == "OK"
        ));
    }

    #[tokio::test]
    async fn commands_beyond_the_limits_are_refused() {
        let gate = Gate {
            limits: PoolLimits {
                in_flight: 1,
                waiting: 1,
                patience: Duration::from_millis(10),
                ..PoolLimits::default()
            },
            slots: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
        };
        let slot = gate.enter().await.expect("the first one runs");
        let waiting = gate.enter();
        tokio::pin!(waiting);
        assert!(
            poll_once(waiting.as_mut()).await.is_none(),
            "the second one waits"
        );
        assert!(gate.enter().await.is_err(), "there is no place for a third");
        drop(slot);
        let slot = waiting.await.expect("the second one runs in turn");

        let began = tokio::time::Instant::now();
        assert!(gate.enter().await.is_err(), "nobody waits for ever");
        assert!(began.elapsed() >= gate.limits.patience);
        drop(slot);
        let slot = gate.enter().await;
        assert!(slot.is_ok(), "places and slots were given back");
    }

    /// One poll.
    async fn poll_once<F: Future + Unpin>(mut future: F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
