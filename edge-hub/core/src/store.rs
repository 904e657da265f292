//! What the hub and its hosts ask of the store, and what it answers, in words that know no Redis:
//! `redis` turns them into calls.

mod moderation;
mod room;
mod webhooks;

pub use room::{
    Attended, Listed, Managed, Read, RoomAction, RoomList, RoomPatch, RoomRole, RoomSettings,
    RoomView, Term,
};

pub use moderation::{Moderated, ModerationAction, Queue, Queued, Records};
pub use webhooks::Webhooks;

use crate::ids::{Position, RoomName, Seq, User, UserId};
use crate::log::{Action, Entry};
use crate::time::Timestamp;
use std::time::Duration;

/// Whether a call stores the entry or only looks whether it is stored, and counts the refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Append,
    /// Moderation refused it: a resend of what was stored before still gets its position.
    Refuse,
}

impl Mode {
    pub const fn of(action: Action) -> Self {
        match action {
            Action::Allow | Action::Flag | Action::Mask => Self::Append,
            Action::Block => Self::Refuse,
        }
    }
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    Stored {
        position: Position,
        at: Timestamp,
        action: Action,
    },
    /// It had been stored before, here.
    Duplicate {
        position: Position,
        action: Action,
    },
    /// Mode `Refuse`: it was not stored before either.
    Refused,
    Banned(Term),
    Muted(Term),
    /// Nobody writes here any more.
    Archived,
    SlowMode {
        retry_after: Duration,
    },
    RateLimited {
        retry_after: Duration,
    },
    /// The ACL user of this edge may not publish to the room, or not write all of it.
    Unpublishable,
    /// The position that is referred to is another message's.
    StaleTarget,
    /// What is to be changed is not in the kept log, or no message.
    TargetMissing,
    /// What is to be changed is another user's; or the room is read-only, or a private one of others.
    Forbidden,
    /// It was edited as often as it may be.
    TooManyChanges,
    /// What was masked is not kept, or not what the message shows now.
    OriginalGone,
}

/// How far a user has read a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    pub seq: Seq,
    /// Whether that is further than before.
    pub moved: bool,
    /// Users of the room who have read any of it.
    pub readers: u64,
}

/// Counters that come with a message; what analytics decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    Add { field: String, amount: u32 },
    Unique { value: String },
    Top { field: String, amount: u32 },
    Minute { amount: u32 },
}

/// Updates a message may bring; the rest is dropped.
pub const UPDATES: usize = 16;
/// Bytes of one update's field; an update with a longer one is dropped.
pub const UPDATE_FIELD_BYTES: usize = 64;

/// Which stretch of a log to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// For a reader at this number: its entry, if it is kept, so that its tag can be compared, and
    /// what follows it. The reader's own entry is not counted in the limits.
    After(Seq),
    /// This entry and what follows it.
    From(Seq),
    /// What precedes this entry.
    Before(Seq),
    /// The newest.
    Tail,
}

/// A stretch of a room's log as it was at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// Where a reader stands who has everything before the lowest entry or tombstone kept;
    /// `None` if the log is empty.
    pub before_first: Option<Position>,
    /// The newest entry.
    pub head: Position,
    /// Whether the log goes on beyond `entries`, in the direction of reading.
    pub more: bool,
    pub entries: Vec<Entry>,
    /// Bytes of the entries as stored.
    pub bytes: usize,
}

/// The members of a room: how many, and some of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    pub count: u64,
    pub listed: Vec<User>,
}

/// A user whom one edge has in a room, and by how many connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendance {
    pub user: User,
    pub connections: u64,
}

/// What is wrong in an edge's rows of presence, and what is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    pub user: User,
    /// As found in the store: it is put right only if it is still so.
    pub held: u64,
    /// As it is.
    pub connections: u64,
}

/// A room and its members now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomCount {
    pub room: RoomName,
    pub members: u64,
    /// Of a direct room of the user who asks: the other one.
    pub with: Option<UserId>,
}
