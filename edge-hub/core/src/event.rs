//! Everything that can happen to a connection.

use crate::auth::KeySet;
use crate::delivery::Notice;
use crate::log::Action;
use crate::store::{Appended, Attended, Managed, Marked, Moderated, Read, RoomCount, Update};

/// One thing that happened. The first five come from the host; the others answer an
/// [`Effect`](crate::effect::Effect) of this call that the component performs itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The upgrade was accepted.
    Opened,
    /// A text frame came.
    Frame(String),
    /// The time asked for by `WakeAt` has come.
    WokeUp,
    /// An edge told of something that concerns the connection's user or one of its rooms.
    Noticed(Notice),
    /// The connection is gone.
    Closed,

    /// Answers `Review`.
    Reviewed(Result<Verdict, NoAnswer>),
    /// Answers `Record`; without figures if analytics failed.
    Recorded(Vec<Update>),
    /// Answers `Append`.
    Appended(Result<Appended, NoAnswer>),
    /// Answers `Mark`.
    Marked(Result<Marked, NoAnswer>),
    /// Answers `Load`.
    Loaded(Result<Read, NoAnswer>),
    /// Answers `ListRooms`.
    RoomsListed(Result<Vec<RoomCount>, NoAnswer>),
    /// Answers `OpenRoom`: whether the deployment has place for the room.
    RoomOpened(Result<bool, NoAnswer>),
    /// Answers `Presence`.
    PresenceChanged(Result<Attended, NoAnswer>),
    /// Answers `Manage`.
    Managed(Result<Managed, NoAnswer>),
    /// Answers `Moderate`.
    Moderated(Result<Moderated, NoAnswer>),
    /// Answers `Notify`.
    Notified(Result<(), NoAnswer>),
    /// Answers `LoadKeys`.
    KeysLoaded(Result<KeySet, NoAnswer>),
}

/// Redis or a component did not answer, so the outcome is unknown; doing the same again is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no answer")]
pub struct NoAnswer;

/// What moderation decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub action: Action,
    /// For `Mask`: what is shown; [`MASKED`] without one.
    pub replacement: Option<String>,
    /// The first label of a message that is not simply allowed.
    pub label: Option<String>,
    /// Highest first.
    pub scores: Vec<Score>,
    /// The rule and the model that decided, if they did.
    pub rule: Option<String>,
    pub model: Option<String>,
    /// The digest of the component that decided.
    pub policy: Option<String>,
}

/// How much of one label a text has, as a component says it: 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    pub label: String,
    pub value: f32,
}

/// What is shown in the place of a masked text.
pub const MASKED: &str = "[CENSORED BY AI]";
