//! `clustertalk user`: what Redis holds of one user, for him to have or to be rid of.

mod erase;
mod export;

use anyhow::Result;
use clustertalk_core::{
    ids::{Pair, RoomName, UserId},
    redis::person::{self, Holding},
};

use super::database::{text, texts};
use crate::{config::User, store::Store};

pub async fn run(user: User) -> Result<()> {
    match user {
        User::Export(export) => export::run(export).await,
        User::Erase(erase) => erase::run(erase).await,
    }
}

/// What is held of a user in a room beside its log.
async fn held(store: &Store, holdings: Vec<Holding>) -> Result<Vec<(Holding, String)>> {
    let mut held = Vec::new();
    for holding in holdings {
        if let Some(value) = text(store, &holding.read).await?
            && holding.only.as_ref().is_none_or(|only| *only == value)
        {
            held.push((holding, value));
        }
    }
    Ok(held)
}

/// A user's row on one edge.
struct Row {
    edge: String,
    /// `CONNECTIONS "NAME"`.
    value: String,
    /// Whether the edge is there: he is connected to it.
    is_live: bool,
}

async fn rows(store: &Store, room: &RoomName, user: &UserId) -> Result<Vec<Row>> {
    let edges = texts(store, &person::edges(store.keyspace(), room)).await?;
    if edges.is_empty() {
        return Ok(Vec::new());
    }
    let time = texts(store, &["TIME".to_owned()]).await?;
    let now = time.first().and_then(|seconds| seconds.parse::<f64>().ok());
    let now = now.unwrap_or(0.0) * 1000.0;
    let mut rows = Vec::new();
    for pair in edges.chunks_exact(2) {
        let command = person::row(store.keyspace(), room, &pair[0], user);
        if let Some(value) = text(store, &command).await? {
            rows.push(Row {
                edge: pair[0].clone(),
                value,
                is_live: pair[1].parse::<f64>().is_ok_and(|dead_at| dead_at > now),
            });
        }
    }
    Ok(rows)
}

/// The ids that a room remembers of a user, some at a time.
struct Remembered<'s> {
    store: &'s Store,
    room: &'s RoomName,
    user: &'s UserId,
    cursor: Option<String>,
}

impl<'s> Remembered<'s> {
    fn new(store: &'s Store, room: &'s RoomName, user: &'s UserId) -> Self {
        Self {
            store,
            room,
            user,
            cursor: Some("0".to_owned()),
        }
    }

    /// Members of `seen`, each `USER ID`, with their scores; one may come twice.
    async fn next(&mut self) -> Result<Option<Vec<(String, String)>>> {
        let Some(cursor) = self.cursor.take() else {
            return Ok(None);
        };
        let (store, room) = (self.store, self.room);
        let command = person::scan_remembered(store.keyspace(), room, self.user, &cursor);
        let (next, members) = person::remembered(&store.command(&command).await?);
        self.cursor = Some(next).filter(|next| next != "0");
        Ok(Some(members))
    }
}

/// The two users of a direct room that is one of his.
async fn direct(store: &Store, room: &RoomName, user: &UserId) -> Result<Option<Pair>> {
    let pair = text(store, &person::direct(store.keyspace(), room)).await?;
    let pair = pair.and_then(|pair| Pair::parse(&pair));
    Ok(pair.filter(|pair| pair.users().contains(user)))
}

/// The private rooms on his list, with the other user of a direct one.
async fn listed(store: &Store, user: &UserId) -> Result<Vec<(String, String)>> {
    let command = clustertalk_core::redis::list_rooms_of(store.keyspace(), user);
    let flat = texts(store, &command).await?;
    let pairs = flat.chunks_exact(2);
    Ok(pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect())
}
