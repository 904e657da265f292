//! A stretch of a room's log as it is, for whoever checks it.

use super::{Call, INSPECT, Keyspace, ReplyError, Value};
use crate::ids::{RoomName, Seq};
use crate::log::{Found, Inspection, Seen};

/// Shows at most `most` entries and tombstones from the number `from` on, 0 for the lowest kept.
pub fn inspect(keyspace: &Keyspace, room: &RoomName, from: Seq, most: usize) -> Call {
    let keys = ["log", "tombstones", "seen", "edits"].map(|what| keyspace.room(room, what));
    Call::new(
        &INSPECT,
        keys.into(),
        vec![from.to_string(), most.to_string()],
    )
}

/// The same of the room's moderation log, beside which no `seen` and no `edits` stand.
pub fn inspect_moderation(keyspace: &Keyspace, room: &RoomName, from: Seq, most: usize) -> Call {
    let keys =
        ["moderation", "moderation:tombstones", "", ""].map(|what| keyspace.room(room, what));
    Call::new(
        &INSPECT,
        keys.into(),
        vec![from.to_string(), most.to_string()],
    )
}

/// The answer to [`inspect`] and [`inspect_moderation`].
pub fn inspected(reply: &[Value]) -> Result<Inspection, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("inspect");
    let number = |index: usize| reply.get(index).and_then(Value::number).ok_or(SHAPE);
    let count = usize::try_from(number(3)?).map_err(|_| SHAPE)?;
    let seen = count.checked_mul(4).and_then(|items| items.checked_add(4));
    let seen = seen.filter(|&seen| seen <= reply.len()).ok_or(SHAPE)?;
    let items = reply[4..seen]
        .chunks_exact(4)
        .map(|item| match item {
            [key, kind, Value::Bytes(json), edits] => Ok(Found {
                key: key.text().ok_or(SHAPE)?.to_owned(),
                is_tombstone: kind.text() == Some("tombstone"),
                json: json.clone(),
                edits: edits.number(),
            }),
            _ => Err(SHAPE),
        })
        .collect::<Result<_, _>>()?;
    Ok(Inspection {
        first: number(0)?,
        generated: number(1)?,
        next: Some(number(2)?).filter(|&next| next > 0),
        items,
        seen: reply[seen..].chunks_exact(2).filter_map(noted).collect(),
    })
}

/// A score is the number, and half of one more after a deletion.
fn noted(pair: &[Value]) -> Option<Seen> {
    let score = pair[1].text()?;
    let (seq, deleted) = match score.strip_suffix(".5") {
        Some(seq) => (seq, true),
        None => (score, false),
    };
    Some(Seen {
        sender: String::from_utf8_lossy(match &pair[0] {
            Value::Bytes(bytes) => bytes,
            Value::Nil | Value::Integer(_) => return None,
        })
        .into_owned(),
        // What is no number stands nowhere.
        seq: seq.parse().unwrap_or(0),
        deleted,
    })
}
