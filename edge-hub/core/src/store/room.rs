//! What is asked of a room itself: what is set of it, who has a role in it, who is kept out.

use crate::ids::{Pair, UserId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is set of a room. One of which nothing is set is open to everybody, as long as somebody is
/// there or it has a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomSettings {
    /// One line, at most 256 bytes.
    pub topic: Option<String>,
    /// Only its moderators and owners write.
    pub read_only: bool,
    /// Nobody writes.
    pub archived: bool,
    /// The least time between two messages of a user.
    pub slow_mode: Option<Duration>,
    /// Entries kept, and for how long: what is less than the deployment's limit counts.
    pub log_entries: Option<u64>,
    pub log_age: Option<Duration>,
    /// `None` for a room that somebody just joined.
    pub created_by: Option<UserId>,
    pub created_at: Option<Timestamp>,
    /// Of a direct room: whose it is.
    pub direct: Option<Pair>,
}

/// What is to be set. `None` leaves a setting as it is; an empty text or zero takes it away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomPatch {
    pub topic: Option<String>,
    pub read_only: Option<bool>,
    pub archived: Option<bool>,
    pub slow_mode: Option<Duration>,
    pub log_entries: Option<u64>,
    pub log_age: Option<Duration>,
}

/// What a user is in one room. Each may all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomRole {
    /// May be in a private room.
    Member,
    Moderator,
    Owner,
}

impl RoomRole {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Owner => "owner",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Moderator, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

/// How long a ban or mute lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// `None`: for ever.
    pub until: Option<Timestamp>,
}

/// A room as one user finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomView {
    pub settings: RoomSettings,
    pub role: Option<RoomRole>,
    pub muted: Option<Term>,
}

impl RoomView {
    /// Whether there is nothing to be told of it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// What somebody does with a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomAction {
    /// Asks how he finds it, and whether he may be there.
    Look,
    /// Makes it, and is its owner.
    Create(RoomPatch),
    Configure(RoomPatch),
    /// Finds the direct room of the two, or makes it.
    Direct(Pair),
    Grant {
        user: UserId,
        role: RoomRole,
    },
    Revoke {
        user: UserId,
    },
    /// Has a user leave who may come back.
    Kick {
        user: UserId,
    },
    /// Lets a user read only.
    Mute {
        user: UserId,
        span: Option<Duration>,
    },
    /// Keeps a user out.
    Ban {
        user: UserId,
        span: Option<Duration>,
    },
    /// Ends a ban and a mute.
    Unban {
        user: UserId,
    },
    /// Removes it with everything in it.
    Delete,
}

/// What became of a [`RoomAction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Managed {
    Done(Box<RoomView>),
    /// Who had a role there.
    Deleted {
        listed: Vec<UserId>,
    },
    /// By his roles, or there is no such private room.
    Forbidden,
    /// To `Look`: he is kept out.
    Banned(Term),
    /// To `Create`.
    Exists,
    /// There is no place for another room, or for another user in its lists.
    Full,
    /// The ACL user of this edge may not publish what has to be told.
    Unpublishable,
}

/// A list of users that a room has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomList {
    /// Who has a role there.
    Granted,
    Bans,
    Mutes,
}

/// A page of a [`RoomList`], or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// With where the next page begins, if there is one.
    Granted(Vec<(UserId, RoomRole)>, Option<String>),
    /// Bans or mutes, those first that end first.
    Kept(Vec<(UserId, Term)>, Option<String>),
    Forbidden,
    Banned(Term),
}

/// What became of a change of presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attended {
    /// What one who joined finds; of a room that was left, nothing.
    Counted(Box<RoomView>),
    /// He has to stay out of a private room.
    Forbidden,
    Banned(Term),
}

/// A stretch of a log, or why it is not shown to him who asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    Stretch(super::Stretch),
    Forbidden,
    Banned(Term),
}
