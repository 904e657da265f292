//! Moderation in a room: reports, the moderators' queue and log.

use super::{Call, Keyspace, MODERATION, ReplyError, Value, flag, named, term};
use crate::auth::Role;
use crate::ids::{MessageId, Position, RoomName, Seq, UserId};
use crate::limits::Limits;
use crate::log::Entry;
use crate::log::moderation::Recorded;
use crate::store::{Moderated, ModerationAction, Queue, Queued, Records};
use std::time::Duration;

/// What the script is asked for.
#[derive(Default)]
struct Asked {
    operation: &'static str,
    reference: String,
    record: String,
    most: usize,
    strikes: Vec<Position>,
}

fn call(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    (by, role): (&UserId, Role),
    asked: Asked,
) -> Call {
    let rate = format!("rate:{by}");
    let keys = [
        "log",
        "seen",
        "tombstones",
        "edits",
        "granted",
        "ban",
        &rate,
        "moderation",
    ];
    let mut arguments = vec![
        asked.operation.to_owned(),
        by.to_string(),
        role.as_str().to_owned(),
        flag(room.is_private()),
        asked.reference,
        asked.record,
        (1000 / limits.messages_per_second.max(1)).to_string(),
        limits.burst.to_string(),
        asked.most.to_string(),
    ];
    for position in asked.strikes {
        arguments.extend([position.seq.to_string(), position.tag.to_string()]);
    }
    let keys = keys.map(|what| keyspace.room(room, what));
    Call::new(&MODERATION, keys.into(), arguments)
}

/// Does something about a message for `by`; `record` is what the log gets of it.
pub fn moderate(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    by: (&UserId, Role),
    action: &ModerationAction,
    record: Option<&str>,
) -> Call {
    let operation = match action {
        ModerationAction::Report { .. } => "report",
        ModerationAction::Dismiss { .. } => "dismiss",
        ModerationAction::Original { .. } => "original",
    };
    let asked = Asked {
        operation,
        reference: named(action.target()),
        record: record.unwrap_or_default().to_owned(),
        ..Asked::default()
    };
    call(keyspace, limits, room, by, asked)
}

/// The answer to [`moderate`].
pub fn moderated(reply: &[Value]) -> Result<Moderated, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("moderation");
    let text = |index: usize| reply.get(index).and_then(Value::text).ok_or(SHAPE);
    let number = |index: usize| reply.get(index).and_then(Value::number).ok_or(SHAPE);
    Ok(match text(0)? {
        "done" => Moderated::Done,
        "original" => Moderated::Original {
            seq: number(1)?,
            user: UserId::parse(text(2)?)?,
            id: MessageId::parse(text(3)?)?,
            sealed: text(4)?.to_owned(),
        },
        "original_gone" => Moderated::OriginalGone,
        "forbidden" => Moderated::Forbidden,
        "banned" => Moderated::Banned(term(reply.get(1))),
        "rate_limited" => Moderated::RateLimited {
            retry_after: Duration::from_millis(number(1)?),
        },
        "target_missing" => Moderated::TargetMissing,
        "stale_target" => Moderated::StaleTarget,
        "unpublishable" => Moderated::Unpublishable,
        _ => return Err(SHAPE),
    })
}

/// Reads a page of what waits for moderators: at most `most` messages, after the `next` of the page
/// before.
pub fn queue(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    by: (&UserId, Role),
    after: Option<Seq>,
    most: usize,
) -> Call {
    page(keyspace, limits, room, by, "queue", after, most)
}

/// Reads a page of the moderation log, newest first.
pub fn records(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    by: (&UserId, Role),
    after: Option<Seq>,
    most: usize,
) -> Call {
    page(keyspace, limits, room, by, "log", after, most)
}

fn page(
    keyspace: &Keyspace,
    limits: &Limits,
    room: &RoomName,
    by: (&UserId, Role),
    operation: &'static str,
    after: Option<Seq>,
    most: usize,
) -> Call {
    let asked = Asked {
        operation,
        reference: after.map(|seq| seq.to_string()).unwrap_or_default(),
        most,
        ..Asked::default()
    };
    call(keyspace, limits, room, by, asked)
}

/// The answer to [`queue`].
pub fn queued(reply: &[Value]) -> Result<Queue, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("moderation");
    let (next, mut rest) = match reply {
        [code, ..] if code.text() == Some("forbidden") => return Ok(Queue::Forbidden),
        [code, rest @ ..] if code.text() == Some("banned") => {
            return Ok(Queue::Banned(term(rest.first())));
        }
        [code, next, rest @ ..] if code.text() == Some("queue") => (next.number(), rest),
        _ => return Err(SHAPE),
    };
    let mut page = Vec::new();
    while let [_, message, edit, reports, told, more @ ..] = rest {
        let told = told.number().and_then(|told| usize::try_from(told).ok());
        let (records, left) = more.split_at_checked(told.ok_or(SHAPE)?).ok_or(SHAPE)?;
        let edit = bytes(edit).ok_or(SHAPE)?;
        page.push(Queued {
            message: Entry::parse(bytes(message).ok_or(SHAPE)?)?,
            edit: (!edit.is_empty()).then(|| Entry::parse(edit)).transpose()?,
            reports: reports.number().ok_or(SHAPE)?,
            records: records.iter().filter_map(recorded).collect(),
        });
        rest = left;
    }
    Ok(Queue::Page(page, next))
}

/// The answer to [`records`].
pub fn record_page(reply: &[Value]) -> Result<Records, ReplyError> {
    Ok(match reply {
        [code, ..] if code.text() == Some("forbidden") => Records::Forbidden,
        [code, rest @ ..] if code.text() == Some("banned") => Records::Banned(term(rest.first())),
        [code, next, rest @ ..] if code.text() == Some("log") => {
            Records::Page(rest.iter().filter_map(recorded).collect(), next.number())
        }
        _ => return Err(ReplyError::Shape("moderation")),
    })
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Nil | Value::Integer(_) => None,
    }
}

/// What nobody can read was written by hand, and is passed over.
fn recorded(value: &Value) -> Option<Recorded> {
    Recorded::parse(bytes(value)?).ok()
}

/// Removes these entries of the moderation log, which have to do with a user. Doing it twice does no
/// harm.
pub fn erase_records(
    keyspace: &Keyspace,
    room: &RoomName,
    user: &UserId,
    strikes: &[Position],
) -> Call {
    let asked = Asked {
        operation: "erase",
        strikes: strikes.to_vec(),
        ..Asked::default()
    };
    let by = (user, Role::Member);
    call(keyspace, &Limits::default(), room, by, asked)
}

/// The answer to [`erase_records`]: how many are gone; `None` if the rights do not do for it.
pub fn records_erased(reply: &[Value]) -> Result<Option<u64>, ReplyError> {
    match reply {
        [code, ..] if code.text() == Some("unpublishable") => Ok(None),
        [code, removed] if code.text() == Some("erased") => {
            Ok(Some(removed.number().unwrap_or_default()))
        }
        _ => Err(ReplyError::Shape("moderation")),
    }
}
