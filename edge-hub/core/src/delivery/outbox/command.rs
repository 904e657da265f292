use crate::ids::{MessageId, Position, RoomName, UserId};
use crate::log::Reference;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What its user asked of a room, and how far it has come. As JSON it is what a client stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Its own; with the user it is what the log knows it by.
    pub id: MessageId,
    pub room: RoomName,
    #[serde(flatten)]
    pub request: Request,
    /// By the client's clock.
    #[serde(rename = "created_at_ms")]
    pub created_at: Timestamp,
    /// How often it was answered by `internal`.
    pub tries: u32,
    /// Who sent it; `None` until it is sent for the first time.
    pub user: Option<UserId>,
    /// Where the room's cursor stood then: what was stored stands behind it.
    pub after: Option<Position>,
    #[serde(flatten)]
    pub progress: Progress,
}

/// What is asked, by the `type` of the frame that asks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    Send {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Reference>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
    },
    Edit {
        target: Named,
        text: String,
    },
    Delete {
        target: Named,
    },
    React {
        target: Named,
        reaction: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        remove: bool,
    },
}

/// A message as its sender knows it. Never a position: after a failover it has another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub user: UserId,
    pub id: MessageId,
}

/// How far a command has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Progress {
    /// To be sent, not before a moment; `paced` ones at half the announced rate.
    Waiting {
        #[serde(rename = "not_before_ms")]
        not_before: Timestamp,
        paced: bool,
    },
    /// On a connection, without an answer.
    Sent { connection: u64 },
    /// Said to be stored there, and not yet delivered back.
    Acked { position: Position },
    /// Delivered back; kept for a while, since a failover may lose it.
    Delivered {
        position: Position,
        #[serde(rename = "settled_at_ms")]
        settled_at: Timestamp,
    },
    /// Sent, but whether it was stored cannot be known any more: the user decides.
    Uncertain,
    /// Refused for good. The code is text, since a newer server has codes of its own.
    Failed { code: String, message: String },
}

impl Command {
    /// The frame that sends it, as JSON text.
    pub fn encode(&self) -> String {
        #[derive(Serialize)]
        struct Frame<'a> {
            #[serde(flatten)]
            request: &'a Request,
            room: &'a RoomName,
            id: &'a MessageId,
        }
        let Self {
            request, room, id, ..
        } = self;
        // Serialising these types cannot fail: no maps with odd keys, no floats.
        serde_json::to_string(&Frame { request, room, id }).unwrap_or_default()
    }

    /// Where it was stored, as far as is known.
    pub const fn stored_at(&self) -> Option<Position> {
        match self.progress {
            Progress::Acked { position } | Progress::Delivered { position, .. } => Some(position),
            _ => None,
        }
    }

    /// Whether it sends this message or changes it; one that was never sent is `own`'s.
    pub(super) fn concerns(&self, room: &RoomName, message: &Named, own: Option<&UserId>) -> bool {
        if self.room != *room {
            return false;
        }
        match &self.request {
            Request::Send { .. } => {
                self.id == message.id && self.user.as_ref().or(own) == Some(&message.user)
            }
            Request::Edit { target, .. }
            | Request::Delete { target }
            | Request::React { target, .. } => target == message,
        }
    }

    /// Nobody can tell what became of it. Deleting twice does no harm, so nobody is asked about that.
    pub(super) fn lose_sight(&mut self) {
        match self.request {
            Request::Delete { .. } => self.resend(Timestamp::default()),
            _ => self.progress = Progress::Uncertain,
        }
    }

    /// It stands in the log at `position`.
    pub(super) fn settle(&mut self, now: Timestamp, position: Position) {
        if matches!(self.progress, Progress::Delivered { position: own, .. } if own == position) {
            return;
        }
        self.progress = Progress::Delivered {
            position,
            settled_at: now,
        };
    }

    /// It is sent again, behind what is new.
    pub(super) fn resend(&mut self, not_before: Timestamp) {
        self.progress = Progress::Waiting {
            not_before,
            paced: true,
        };
    }

    /// Whether it was sent, and not by `user`.
    pub(super) fn is_of_another(&self, user: &UserId) -> bool {
        self.user.as_ref().is_some_and(|sent_by| sent_by != user)
    }
}
