//! Who is in a room, as one edge knows it: a list read from the store, kept fresh by what is
//! announced, and what its followers are told of it.

use super::{PresenceAudit, Present};
use crate::ids::{RoomName, User, UserId};
use crate::limits::{JOINED_MEMBERS, PRESENCE_MEMBERS};
use crate::protocol::{PresenceFrame, ServerFrame};
use crate::redis::PRESENCE_LIFE;
use crate::store::{Attendance, Correction, Members};
use crate::time::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// A list younger than this answers a join without another look.
const FRESH: Duration = Duration::from_secs(1);
/// Comings and goings are told at most this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The presence of one room on one edge. It reads nothing itself; times are the host's.
#[derive(Debug, Default)]
pub struct RoomPresence {
    members: Members,
    read_at: Option<Timestamp>,
    refreshed_at: Option<Timestamp>,
    audit: PresenceAudit,
    /// The last refresh failed.
    unsure: bool,
    told_at: Option<Timestamp>,
    /// Not told yet; one who comes and goes in between is told as he is now.
    changes: HashMap<UserId, (User, bool)>,
}

impl RoomPresence {
    pub const fn members(&self) -> &Members {
        &self.members
    }

    /// Whether the list is to be read before it answers a join.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.read_at.is_none_or(|at| now.since(at) > FRESH)
    }

    /// The list was read, or could not be: those who come meanwhile must not wait for the store one
    /// after the other.
    pub fn read(&mut self, now: Timestamp, members: Option<Members>) {
        if let Some(members) = members {
            self.members = members;
        }
        self.read_at = Some(now);
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

    /// Somebody's coming or going was announced.
    pub fn changed(&mut self, user: User, joined: bool, members_count: u64) {
        self.members.count = members_count;
        self.members.listed.retain(|member| member.id != user.id);
        if joined && self.members.listed.len() < JOINED_MEMBERS {
            self.members.listed.push(user.clone());
        }
        self.changes.insert(user.id.clone(), (user, joined));
    }

    /// What is to be told now. In a large room that is the count alone.
    pub fn due(&mut self, now: Timestamp, room: &RoomName) -> Vec<ServerFrame> {
        if self.changes.is_empty() || self.told_at.is_some_and(|at| now.since(at) < TOLD_EVERY) {
            return Vec::new();
        }
        self.told_at = Some(now);
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

    /// Whether the edge's members are to be kept alive in the store again; then that counts as done.
    pub fn refresh_is_due(&mut self, now: Timestamp) -> bool {
        let due = self
            .refreshed_at
            .is_none_or(|at| now.since(at) >= PRESENCE_LIFE / 3);
        if due {
            self.refreshed_at = Some(now);
        }
        due
    }

    /// It is time for it, whenever it was done last.
    pub fn refresh_soon(&mut self) {
        self.refreshed_at = None;
    }

    /// The store refreshed `held` users of this edge: whether the rows are to be read and compared.
    pub fn begin_audit(&mut self, held: u64, present: &Present<'_>) -> bool {
        self.audit.begin(held, present)
    }

    /// What has to be put right of the rows of this edge.
    pub fn compare(
        &mut self,
        held: u64,
        rows: &[Attendance],
        present: &Present<'_>,
    ) -> Vec<Correction> {
        let corrections = self.audit.compare(rows, present);
        if held == 0 && present.users() > 0 && corrections.is_empty() {
            // This edge was silent for so long that it was taken for dead: its members need not wait
            // for a whole round to come back.
            self.refresh_soon();
        }
        corrections
    }

    /// How a refresh ended.
    pub fn refreshed(&mut self, failed: bool) {
        self.unsure = failed;
    }

    /// Whether the store counts nobody here in vain, as far as is known.
    pub fn is_settled(&self) -> bool {
        !self.unsure && self.audit.is_settled()
    }
}
