//! Everything that the outside must do.
//!
//! # Mistakes
//! - Performing an effect of the second group and not feeding its answer back: the command hangs in
//!   the middle, and its client never hears of it.
//! - Applying effects of the first group of a call that trapped: the session bytes are the old ones,
//!   so the client will send the frame again.
//! - Reordering: `Send(welcome)` before `Subscribe` is a promise to the client.

use crate::auth::{KeysUrl, Role};
use crate::delivery::Notice;
use crate::ids::{MessageId, Position, RoomName, Seq, User, UserId};
use crate::log::{Draft, Reference};
use crate::protocol::{CloseCode, ServerFrame};
use crate::store::{Mode, ModerationAction, Range, RoomAction, Update};
use crate::time::Timestamp;

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    // For the host.
    /// Send a frame to this client.
    Send(ServerFrame),
    /// Attach the connection to a room; the host answers with `joined`.
    Subscribe {
        room: RoomName,
        since: Option<Position>,
    },
    /// Detach it.
    Unsubscribe { room: RoomName },
    /// Tell everyone else in a room, once.
    Announce { room: RoomName, frame: ServerFrame },
    /// The connection speaks for this user from now on.
    Identify(User),
    /// Send [`Event::WokeUp`](crate::event::Event::WokeUp) at this time; replaces an earlier wish.
    WakeAt(Timestamp),
    /// Close after what was sent before.
    Close(CloseCode),

    // Performed through imports; the answer is the next event of the same call. At most one is
    // under way at a time.
    /// Ask moderation.
    Review(ForReview),
    /// Ask analytics what to count.
    Record(ForRecord),
    /// Store and publish.
    Append {
        room: RoomName,
        mode: Mode,
        draft: Box<Draft>,
        updates: Vec<Update>,
    },
    /// Note how far a user has read a room.
    Mark {
        room: RoomName,
        user: UserId,
        seq: Seq,
    },
    /// Read a stretch of a room's log.
    Load {
        room: RoomName,
        user: UserId,
        range: Range,
        limit: usize,
    },
    /// List the private rooms of a user, and the public ones with most members.
    ListRooms { user: UserId },
    /// Put a public room into the list if there is place.
    OpenRoom { room: RoomName },
    /// Do something with a room.
    Manage {
        room: RoomName,
        by: UserId,
        /// By his token.
        role: Role,
        action: RoomAction,
        /// The rest of the entry that the moderation log gets.
        record: Option<String>,
    },
    /// Report a message, or do something about it.
    Moderate {
        room: RoomName,
        by: UserId,
        /// By his token.
        role: Role,
        action: ModerationAction,
        /// The rest of the entry that the moderation log gets.
        record: Option<String>,
    },
    /// Tell every edge.
    Notify(Notice),
    /// One connection of the user came to or went from a room.
    Presence {
        room: RoomName,
        user: User,
        present: bool,
    },
    /// Load an issuer's keys: by [`Cached`](crate::auth::Cached), which says when to ask it.
    LoadKeys { url: KeysUrl, refresh: bool },
}

/// A text before anyone sees it: of a message, an edit or a reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForReview {
    pub room: RoomName,
    pub user: UserId,
    pub id: MessageId,
    pub text: String,
    pub at: Timestamp,
    pub reply_to: Option<Reference>,
}

/// A message that was reviewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForRecord {
    pub room: RoomName,
    pub user: UserId,
    /// As it will be shown.
    pub text: String,
    pub at: Timestamp,
    pub action: crate::log::Action,
    pub label: Option<String>,
}
