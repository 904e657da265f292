use crate::ids::{RoomName, UserId};
use serde::{Deserialize, Serialize};

/// What edges tell each other of rooms and users, as JSON on the channel `notices`. A hint, like all
/// that is published: whom it concerns looks what is true, or is found by the next refresh of the
/// room's presence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    v: u32,
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The user leaves the room, or, without one, the deployment.
    Kick,
    /// The room is gone.
    Delete,
    /// What the user is or may in the room: a role, a mute or a ban came or went.
    #[serde(other)]
    Changed,
}

/// The connections that a notice is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern<'a> {
    /// All of a user.
    User(&'a UserId),
    /// All in a room.
    Room(&'a RoomName),
}

impl Notice {
    pub const fn new(kind: Kind, room: Option<RoomName>, user: Option<UserId>) -> Self {
        Self {
            v: 1,
            kind,
            room,
            user,
        }
    }

    pub fn parse(payload: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(payload)
    }

    pub fn encode(&self) -> String {
        // As with frames.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whom it concerns; `None` if nobody, as this build reads it.
    pub fn concern(&self) -> Option<Concern<'_>> {
        match (&self.user, &self.room) {
            (Some(user), _) => Some(Concern::User(user)),
            (None, Some(room)) => Some(Concern::Room(room)),
            (None, None) => None,
        }
    }
}
