//! The Redis of a deployment, for the commands that look into it themselves.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use clustertalk_core::{
    ids::{RoomName, Seq},
    limits::Limits,
    log::Inspection,
    redis::{Call, Keyspace, Value, inspect, inspect_moderation, inspected, person},
};

use crate::{
    config::{Database, RedisUrl},
    local_redis,
    redis_client::RedisCertificates,
    store::Store,
};

/// Entries and tombstones that are read at once: a megabyte or two.
const STRETCH: usize = 500;

/// Connects to the Redis that was named, or to the private one of an edge that runs.
pub async fn open(database: &Database) -> Result<Store> {
    let keyspace = Keyspace::new(database.redis_prefix.as_str()).context("--redis-prefix")?;
    let url = match database.redis() {
        Some(url) => url.clone(),
        None => match local_redis::running(&database.data) {
            Some(url) => RedisUrl::new(url),
            None => bail!(
                "no Redis is named, and no edge runs with a private one in {}; give CLUSTERTALK_REDIS \
                 or `--redis`",
                database.data.display()
            ),
        },
    };
    let client = RedisCertificates::read(&database.redis_tls())?
        .client(url.reveal())
        .with_context(|| format!("`{url}` is not the URL of a Redis"))?;
    let store = Store::new(client, keyspace, "cli".to_owned(), Limits::default())?;
    let reached = store.command(&["PING".to_owned()]).await;
    reached.with_context(|| format!("cannot reach Redis at {url}"))?;
    Ok(store)
}

/// Every room that has a key, in order.
pub async fn rooms(store: &Store) -> Result<BTreeSet<RoomName>> {
    let (mut rooms, mut cursor) = (BTreeSet::new(), "0".to_owned());
    loop {
        let reply = store
            .command(&person::scan_rooms(store.keyspace(), &cursor))
            .await?;
        let (next, found) = person::scanned_rooms(store.keyspace(), &reply);
        rooms.extend(found);
        if next == "0" {
            return Ok(rooms);
        }
        cursor = next;
    }
}

/// A room's log, or its moderation log, from the lowest entry on, a stretch at a time.
pub struct Stretches<'s> {
    store: &'s Store,
    room: &'s RoomName,
    inspect: fn(&Keyspace, &RoomName, Seq, usize) -> Call,
    next: Option<Seq>,
}

impl<'s> Stretches<'s> {
    pub const fn new(store: &'s Store, room: &'s RoomName) -> Self {
        Self {
            store,
            room,
            inspect,
            next: Some(0),
        }
    }

    pub const fn of_moderation(store: &'s Store, room: &'s RoomName) -> Self {
        Self {
            inspect: inspect_moderation,
            ..Self::new(store, room)
        }
    }

    pub async fn next(&mut self) -> Result<Option<Inspection>> {
        let Some(from) = self.next else {
            return Ok(None);
        };
        let call = (self.inspect)(self.store.keyspace(), self.room, from, STRETCH);
        let stretch = inspected(&self.store.call(&call).await?)?;
        self.next = stretch.next;
        Ok(Some(stretch))
    }
}

/// One value as text; `None` for nil.
pub async fn text(store: &Store, command: &[String]) -> Result<Option<String>> {
    let reply = store.command(command).await?;
    Ok(match reply.first() {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Some(Value::Integer(number)) => Some(number.to_string()),
        Some(Value::Nil) | None => None,
    })
}

/// A list of texts.
pub async fn texts(store: &Store, command: &[String]) -> Result<Vec<String>> {
    let reply = store.command(command).await?;
    let text = |value: &Value| match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Nil => String::new(),
    };
    Ok(reply.iter().map(text).collect())
}
