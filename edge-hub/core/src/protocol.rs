//! The wire: frames of protocol version 1, as PROTOCOL.md describes them.

pub mod codes;
mod decode;
#[cfg(feature = "schema")]
pub mod schema;
mod webhook;

pub use codes::{CloseCode, ErrorCode};
pub use decode::{ClientFrame, HistoryRange, JoinRoom, Refusal, decode, deeper_than, reference_of};
pub use webhook::{WebhookData, WebhookEvent, WebhookType};

use crate::auth::Role;
use crate::delivery::Lost;
use crate::ids::{MessageId, Pair, Position, RoomName, Seq, Tag, User, UserId};
use crate::limits::Limits;
use crate::log::{Action, Change, Link, Moderation, Reference, Target};
use crate::store::{RoomCount, RoomRole, RoomSettings, RoomView};
use crate::time::{Timestamp, millis};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The WebSocket subprotocol; without it the upgrade is refused.
pub const SUBPROTOCOL: &str = "clustertalk.v1";

/// A frame from the server. Each variant stands in PROTOCOL.md under its wire name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    Welcome(Box<Welcome>),
    Joined(Box<Joined>),
    Page(Box<Page>),
    Left {
        room: RoomName,
        /// Not there if the user left it himself.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<LeftReason>,
    },
    Room(Box<RoomFrame>),
    Done(Done),
    Ack {
        room: RoomName,
        id: MessageId,
        position: Position,
        action: Action,
    },
    History(Box<History>),
    Presence(Box<PresenceFrame>),
    Typing {
        room: RoomName,
        user: User,
    },
    /// How far a user has read: told to himself as the answer to `read`, and to the others.
    Receipt {
        room: RoomName,
        user: User,
        seq: Seq,
    },
    Error(Box<ErrorFrame>),
    Draining {
        after_ms: u64,
    },
    Pong(Pong),
    Renewed(Renewed),
    #[serde(untagged)]
    Entry(EntryFrame),
}

/// What shows one entry of a room's log, live or within a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EntryFrame {
    Message(Box<MessageFrame>),
    Changed(Box<ChangedFrame>),
    Skipped(Skipped),
}

impl EntryFrame {
    /// The frame as JSON text.
    pub fn encode(&self) -> String {
        // As below.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// How the entry hangs on the one before it.
    pub fn link(&self) -> Link {
        let (position, prev, from) = match self {
            Self::Message(message) => (message.position, message.prev, None),
            Self::Changed(changed) => (changed.position, changed.prev, None),
            Self::Skipped(skipped) => (skipped.position, skipped.prev, skipped.from),
        };
        Link {
            from: from.unwrap_or(position.seq),
            seq: position.seq,
            prev,
            tag: position.tag,
        }
    }
}

impl ServerFrame {
    /// The frame as JSON text.
    pub fn encode(&self) -> String {
        // Serialising these types cannot fail: no maps with odd keys, no floats.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn error(code: ErrorCode) -> ErrorFrame {
        ErrorFrame {
            code,
            message: code.sentence().to_owned(),
            retry_after_ms: None,
            reference: None,
            room: None,
        }
    }
}

/// Why a user follows a room no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftReason {
    /// He may come back.
    Kicked,
    Banned,
    /// His role there, or his new token, opens the room no longer.
    Forbidden,
    /// The room is gone.
    Deleted,
}

/// What is set of a room: before the first `joined` of one of which anything is, the answer to
/// commands about it, and when it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomFrame {
    pub room: RoomName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Whether only who was let in may be here. Never changes.
    pub private: bool,
    /// The two users of a direct room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<Pair>,
    /// Whether only moderators and owners write.
    pub read_only: bool,
    /// Whether nobody writes.
    pub archived: bool,
    /// The least time between two messages of a user; 0 without slow mode.
    pub slow_mode_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_age_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// What the receiver is here. Not there in what everybody in the room is told alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub you: Option<Standing>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Standing {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoomRole>,
    pub muted: bool,
    /// Not there for a mute for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Timestamp>,
}

impl RoomFrame {
    /// The room as the user finds it.
    pub fn personal(room: RoomName, view: RoomView) -> Self {
        let you = Standing {
            role: view.role,
            muted: view.muted.is_some(),
            muted_until: view.muted.and_then(|term| term.until),
        };
        let you = Some(you);
        Self {
            you,
            ..Self::common(room, view.settings)
        }
    }

    /// The room as everybody finds it.
    pub fn common(room: RoomName, settings: RoomSettings) -> Self {
        Self {
            private: room.is_private(),
            room,
            topic: settings.topic,
            direct: settings.direct,
            read_only: settings.read_only,
            archived: settings.archived,
            slow_mode_ms: settings.slow_mode.map_or(0, millis),
            log_entries: settings.log_entries,
            log_age_ms: settings.log_age.map(millis),
            created_by: settings.created_by,
            created_at: settings.created_at,
            you: None,
            reference: None,
        }
    }

    pub fn answering(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }
}

/// The answer to a command that has no other: it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// The answer to `token`: the connection goes on with the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renewed {
    pub expires_at: Timestamp,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Welcome {
    pub session: String,
    pub user: User,
    pub edge: String,
    pub limits: AnnouncedLimits,
    /// At most 50: the default rooms first, then the user's private ones.
    pub rooms: Vec<RoomSummary>,
    /// Not there for a member.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// When the connection is closed unless a new token comes before. Not there without a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The limits that a client can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnnouncedLimits {
    pub text_bytes: usize,
    pub frame_bytes: usize,
    pub messages_per_second: u32,
    pub burst: u32,
    pub rooms: usize,
    pub ping_ms: u64,
    pub typing_ms: u64,
}

impl From<&Limits> for AnnouncedLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            text_bytes: limits.text_bytes,
            frame_bytes: limits.frame_bytes,
            messages_per_second: limits.messages_per_second,
            burst: limits.burst,
            rooms: limits.rooms_per_connection,
            ping_ms: millis(limits.ping),
            typing_ms: millis(limits.typing),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomSummary {
    pub room: RoomName,
    /// Members now; a moment old.
    pub members: u64,
    /// The other user of a direct room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<UserId>,
}

impl From<RoomCount> for RoomSummary {
    fn from(count: RoomCount) -> Self {
        Self {
            room: count.room,
            members: count.members,
            with: count.with,
        }
    }
}

/// A new truth about a room: the answer to `join`, and unsolicited when something was lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Joined {
    pub room: RoomName,
    /// Where the client stands after `messages`.
    pub position: Position,
    /// The newest entry of the room.
    pub head: Position,
    /// Whether everything since the client's position is here or in the pages that follow.
    pub recovered: bool,
    pub reason: Option<crate::delivery::Reason>,
    /// The numbers that cannot be had any more, both included.
    pub lost: Option<Lost>,
    /// Whether `page` frames follow.
    pub more: bool,
    /// Oldest first.
    pub messages: Vec<EntryFrame>,
    pub members_count: u64,
    /// At most 50.
    pub members: Vec<User>,
}

/// More of what `joined` began.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    pub room: RoomName,
    pub messages: Vec<EntryFrame>,
    pub position: Position,
    pub head: Position,
    pub more: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageFrame {
    pub room: RoomName,
    pub position: Position,
    pub prev: Tag,
    pub id: MessageId,
    pub user: User,
    pub text: String,
    pub at: Timestamp,
    pub moderation: Moderation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Reference>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
}

/// What became of an earlier message: an edit, its deletion or a reaction, each with a position of
/// its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangedFrame {
    pub room: RoomName,
    pub position: Position,
    pub prev: Tag,
    /// The change's own.
    pub id: MessageId,
    pub user: User,
    pub at: Timestamp,
    pub target: Target,
    #[serde(flatten)]
    pub change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<Moderation>,
}

/// An entry without content: advance over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Skipped {
    pub room: RoomName,
    pub position: Position,
    pub prev: Tag,
    /// The first number covered, where that is not the position's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Seq>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    pub room: RoomName,
    pub messages: Vec<EntryFrame>,
    /// Whether there is more in the direction asked for.
    pub more: bool,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Somebody came or went: one of `joined` and `left` is there, but in a room of more than 200
/// members, where only the count is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PresenceFrame {
    pub room: RoomName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<User>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<User>,
    pub members_count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorFrame {
    pub code: ErrorCode,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The id of the message, or the `ref` of the frame, that this answers.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
}

impl ErrorFrame {
    pub fn retry_after(mut self, span: Duration) -> Self {
        self.retry_after_ms = Some(millis(span));
        self
    }

    /// With what the sentence of the code does not tell.
    pub fn because(mut self, reason: &str) -> Self {
        self.message = format!("{}: {reason}", self.code.sentence());
        self
    }

    pub fn answering(mut self, reference: Option<String>) -> Self {
        self.reference = reference;
        self
    }

    pub fn in_room(mut self, room: RoomName) -> Self {
        self.room = Some(room);
        self
    }
}

/// The answer to `ping`: where the edge stands in the connection's rooms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pong {
    pub rooms: Vec<RoomPosition>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomPosition {
    pub room: RoomName,
    pub position: Position,
}
