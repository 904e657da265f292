//! Removing entries of one user from a log, without a word about him.

use super::{Call, ERASE, Keyspace, ReplyError, Value};
use crate::ids::{Position, RoomName, UserId};

/// An entry to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    pub position: Position,
    /// Whether readers are told: somebody may show it. What goes with a message that is struck needs
    /// no word of its own.
    pub told: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Entries that are tombstones now.
    pub removed: u64,
    /// Deletions written in their place at the end of the log.
    pub written: u64,
}

/// Removes these entries, which are a user's or name him. Doing it twice does no harm.
pub fn erase(keyspace: &Keyspace, room: &RoomName, user: &UserId, strikes: &[Strike]) -> Call {
    let keys = ["log", "seen", "tombstones", "edits", "moderation"];
    let keys = keys.map(|what| keyspace.room(room, what));
    let mut arguments = vec![
        keyspace.channel(room),
        keyspace.publish.to_owned(),
        user.to_string(),
    ];
    for Strike { position, told } in strikes {
        let told = if *told { "1" } else { "" };
        arguments.extend([
            position.seq.to_string(),
            position.tag.to_string(),
            told.to_owned(),
        ]);
    }
    Call::new(&ERASE, keys.into(), arguments)
}

/// The answer to [`erase`]; `None` if the rights do not do for all of it, and nothing was done.
pub fn erased(reply: &[Value]) -> Result<Option<Erased>, ReplyError> {
    if reply.first().and_then(Value::text) == Some("unpublishable") {
        return Ok(None);
    }
    let number = |index: usize| reply.get(index).and_then(Value::number);
    match (number(0), number(1)) {
        (Some(removed), Some(written)) => Ok(Some(Erased { removed, written })),
        _ => Err(ReplyError::Shape("erase")),
    }
}
