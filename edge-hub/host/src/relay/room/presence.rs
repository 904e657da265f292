//! Who is in a room, as this edge knows it: a list read from Redis, kept fresh by what is announced.

use std::{collections::HashMap, time::Duration};

use clustertalk_core::{
    delivery::{PresenceAudit, Present},
    ids::{RoomName, User, UserId},
    limits::{JOINED_MEMBERS, PRESENCE_MEMBERS},
    protocol::{PresenceFrame, ServerFrame},
    redis::{self as contract, CORRECTIONS, PRESENCE_LIFE},
    store::Members,
};
use tokio::time::Instant;

use crate::{
    relay::{Figures, Relay},
    store::{Store, StoreError},
};

/// A list younger than this answers a join without another look.
const FRESH: Duration = Duration::from_secs(1);
/// Comings and goings are told at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Presence {
    pub members: Members,
    read_at: Option<Instant>,
    refreshed_at: Option<Instant>,
    audit: PresenceAudit,
    /// The last refresh failed.
    unsure: bool,
    told_at: Option<Instant>,
    /// Not told yet; one who comes and goes in between is told as he is now.
    changes: HashMap<UserId, (User, bool)>,
}

impl Presence {
    pub fn stale(&self) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() > FRESH)
    }

    pub async fn read(&mut self, store: &Store, room: &RoomName) {
        match store.members(room).await {
            Ok(members) => self.members = members,
            Err(error) => tracing::debug!(%room, %error, "cannot read the members"),
        }
        // Also after a failure: those who come meanwhile must not wait for Redis one after the other.
        self.read_at = Some(Instant::now());
    }

    /// One who joins is there, even if the list is a moment older than he.
    pub fn note(&mut self, user: &User) {
        let listed = &mut self.members.listed;
        if self.members.count <= listed.len() as u64
            && !listed.iter().any(|member| member.id == user.id)
        {
            self.members.count += 1;
            if listed.len() < JOINED_MEMBERS {
                listed.push(user.clone());
            }
        }
    }

    pub fn changed(&mut self, user: User, joined: bool, members_count: u64) {
        self.members.count = members_count;
        self.members.listed.retain(|member| member.id != user.id);
        if joined && self.members.listed.len() < JOINED_MEMBERS {
            self.members.listed.push(user.clone());
        }
        self.changes.insert(user.id.clone(), (user, joined));
    }

    /// What is to be told now. In a large room that is the count alone.
    pub fn due(&mut self, room: &RoomName) -> Vec<ServerFrame> {
        if self.changes.is_empty() || self.told_at.is_some_and(|at| at.elapsed() < TOLD_EVERY) {
            return Vec::new();
        }
        self.told_at = Some(Instant::now());
        let members_count = self.members.count;
        let frame = |joined, left| {
            ServerFrame::Presence(Box::new(PresenceFrame {
                room: room.clone(),
                joined,
                left,
                members_count,
            }))
        };
        if members_count > PRESENCE_MEMBERS {
            self.changes.clear();
            return vec![frame(None, None)];
        }
        self.changes
            .drain()
            .map(|(_, (user, joined))| {
                if joined {
                    frame(Some(user), None)
                } else {
                    frame(None, Some(user))
                }
            })
            .collect()
    }

    /// Whether it is time for [`refresh`]; then it counts as done.
    pub fn refresh_is_due(&mut self) -> bool {
        let due = self
            .refreshed_at
            .is_none_or(|at| at.elapsed() >= PRESENCE_LIFE / 3);
        if due {
            self.refreshed_at = Some(Instant::now());
        }
        due
    }

    /// Keeps this edge's members alive, puts right whom Redis counts among them in vain or does
    /// not count, and lets the members of dead edges leave.
    pub async fn refresh(&mut self, relay: &Relay, room: &RoomName, present: &Present<'_>) {
        let refreshed = self.try_refresh(relay, room, present).await;
        self.unsure = refreshed.is_err();
        if let Err(error) = refreshed {
            tracing::debug!(%room, %error, "cannot refresh the presence");
        }
    }

    /// Whether Redis counts nobody here in vain, as far as is known.
    pub fn is_settled(&self) -> bool {
        !self.unsure && self.audit.is_settled()
    }

    async fn try_refresh(
        &mut self,
        relay: &Relay,
        room: &RoomName,
        present: &Present<'_>,
    ) -> Result<(), StoreError> {
        let store = &relay.store;
        let held = store.presence(room, contract::Presence::Refresh).await?;
        if self.audit.begin(held, present) {
            let rows = store.attendance(room).await?;
            let corrections = self.audit.compare(&rows, present);
            if held == 0 && present.users() > 0 && corrections.is_empty() {
                // This edge was silent for so long that it was taken for dead: its members need
                // not wait for a whole round to come back.
                self.refreshed_at = None;
            }
            for corrections in corrections.chunks(CORRECTIONS) {
                let corrected = store.correct_presence(room, corrections).await?;
                Figures::count(&relay.figures.presence_corrections, corrected);
            }
        }
        let count = store.presence(room, contract::Presence::Sweep).await?;
        store
            .call(&contract::count_room(store.keyspace(), room, count))
            .await?;
        Ok(())
    }
}
