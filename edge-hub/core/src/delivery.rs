//! What may be shown to a reader of a room, and when: the cursor, the room with its readers, catching
//! up, and the frames that a host encodes on its own; and what became of that which a client sent:
//! the outbox. Linked into every host; the rules of cursor and outbox are the same in each client.

mod audit;
mod cache;
mod cursor;
mod notice;
pub mod outbox;
mod pages;
mod presence;
mod publication;
pub mod room;

pub use audit::{PresenceAudit, Present};
pub use cursor::{Offer, RoomCursor};
pub use notice::{Concern, Kind as NoticeKind, Notice};
pub use outbox::Outbox;
pub use pages::{Catch, CatchUp, Lost, Reason, catch_up, joined, page};
pub use presence::RoomPresence;
pub use publication::{Ephemeral, Publication, frame};
pub use room::Room;
