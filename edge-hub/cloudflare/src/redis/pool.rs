//! The shared connections, and the calls over them.

use super::{Address, RedisError, StoreError, codec, connection::Connection};
use crate::clock;
use clustertalk_core::{
    ids::{RoomName, UserId},
    limits::Limits,
    redis::{self as contract, Call, Keyspace, Presence, Value},
    store::{Attendance, Correction, Members, Range, Stretch},
    time::Timestamp,
};
use futures_util::lock::Mutex;
use std::{cell::Cell, rc::Rc, time::Duration};

/// Shared connections. One is enough for the commands; the second keeps a long reply of one room
/// from holding up the messages of the others.
const SHARED: usize = 2;
/// The first pause before another attempt; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Redis, as this object sees it.
pub struct Pool {
    address: Rc<Address>,
    pub keyspace: Keyspace,
    /// The id of this edge: whose members are whose.
    pub edge: String,
    limits: Limits,
    /// When a connection is replaced, before the platform ends it.
    life: Duration,
    slots: [Mutex<Slot>; SHARED],
    next: Cell<usize>,
    in_flight: Cell<usize>,
    /// Commands sent so far.
    sent: Cell<u64>,
}

#[derive(Default)]
struct Slot {
    connection: Option<Connection>,
    failures: u32,
    /// No attempt is made before this.
    not_before: Timestamp,
    error: Option<RedisError>,
}

impl Pool {
    pub fn new(
        address: Rc<Address>,
        keyspace: Keyspace,
        edge: String,
        limits: Limits,
        life: Duration,
    ) -> Self {
        Self {
            address,
            keyspace,
            edge,
            limits,
            life,
            slots: Default::default(),
            next: Cell::new(0),
            in_flight: Cell::new(0),
            sent: Cell::new(0),
        }
    }

    /// Lets go of all connections, so that the object can sleep.
    pub async fn close(&self) {
        for slot in &self.slots {
            slot.lock().await.connection = None;
        }
    }

    /// Commands under way, and commands sent so far.
    pub fn activity(&self) -> (usize, u64) {
        (self.in_flight.get(), self.sent.get())
    }

    /// Sends one command, its name apart; the reply is flat.
    pub async fn send(
        &self,
        command: &str,
        arguments: &[Vec<u8>],
    ) -> Result<Vec<Value>, RedisError> {
        let packed = codec::pack(command.as_bytes(), arguments.iter().map(Vec::as_slice));
        self.in_flight.set(self.in_flight.get() + 1);
        self.sent.set(self.sent.get() + 1);
        let reply = async { self.connection().await?.send(packed).await }.await;
        self.in_flight.set(self.in_flight.get() - 1);
        codec::flatten(reply?)
    }

    /// A connection that is alive and young enough.
    async fn connection(&self) -> Result<Connection, RedisError> {
        let index = self.next.get();
        self.next.set((index + 1) % SHARED);
        let mut slot = self.slots[index].lock().await;
        let now = clock::now();
        if let Some(connection) = &slot.connection
            && connection.is_alive()
            && now.since(connection.opened_at) < self.life
        {
            return Ok(connection.clone());
        }
        // One that is replaced ends when the last of its replies has come.
        slot.connection = None;
        if now < slot.not_before
            && let Some(error) = &slot.error
        {
            return Err(error.clone());
        }
        match Connection::open(&self.address).await {
            Ok(connection) => {
                *slot = Slot {
                    connection: Some(connection.clone()),
                    ..Slot::default()
                };
                Ok(connection)
            }
            Err(error) => {
                let pause = (PAUSE * 2_u32.pow(slot.failures.min(10))).min(LONGEST_PAUSE);
                slot.failures += 1;
                slot.not_before = clock::now().after(pause.mul_f64(0.5 + clock::jitter() / 2.0));
                slot.error = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Calls a script by its digest, and by its source if Redis has forgotten it.
    pub async fn call(&self, call: &Call) -> Result<Vec<Value>, RedisError> {
        match self.send("EVALSHA", &call.evalsha()).await {
            Err(error) if error.code() == Some("NOSCRIPT") => self.send("EVAL", &call.eval()).await,
            other => other,
        }
    }

    /// A plain command, its name first.
    pub async fn command(&self, command: &[String]) -> Result<Vec<Value>, RedisError> {
        let (name, arguments) = command.split_first().ok_or(RedisError::Lost)?;
        let arguments: Vec<Vec<u8>> = arguments
            .iter()
            .map(|argument| argument.as_bytes().to_vec())
            .collect();
        self.send(name, &arguments).await
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

    /// Puts right what is still as it was found.
    pub async fn correct_presence(
        &self,
        room: &RoomName,
        corrections: &[Correction],
    ) -> Result<(), StoreError> {
        let change = Presence::Correct(corrections);
        let call = contract::presence(&self.keyspace, room, &self.edge, change);
        self.call(&call).await?;
        Ok(())
    }
}
