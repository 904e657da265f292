//! `GET` and `POST /api/v1/rooms/{room}/messages`.

use super::answer::{Answer, Problem};
use super::caller::Caller;
use super::{Asked, command};
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::api::{self, ReadOn};
use clustertalk_core::delivery::{Catch, CatchUp, catch_up, frame};
use clustertalk_core::ids::{Position, RoomName, UserId};
use clustertalk_core::protocol::ErrorCode;
use clustertalk_core::store::{Range, Read, Stretch};
use spin_sdk::http::IncomingRequest;

/// The frames that a `POST` may carry.
const STORED: [&str; 4] = ["send", "edit", "delete", "react"];

/// What was found for a reader, and where it ends.
pub struct Found {
    pub catch: Catch,
    pub head: Position,
    pub more: bool,
}

/// Reads on from a position: the first unbroken run that has something to tell.
pub fn read_on(
    performer: &Performer<'_>,
    room: &RoomName,
    user: Option<&UserId>,
    after: Option<Position>,
    limit: usize,
) -> Result<Found, Problem> {
    let (mut segments, head, more) = match after {
        Some(position) => {
            // His own entry comes with the answer, so that its tag can be compared.
            let stretch = load(performer, room, user, Range::After(position.seq), limit)?;
            let (head, more) = (stretch.head, stretch.more);
            match catch_up(position, stretch) {
                CatchUp::Segments(segments) => (segments, head, more),
                CatchUp::Diverged => recent(performer, room, user, true, limit)?,
            }
        }
        None => recent(performer, room, user, false, limit)?,
    };
    // An empty run before a hole tells nothing, and would be told again and again.
    let told = usize::from(
        segments.len() > 1 && segments[0].entries.is_empty() && segments[0].reason.is_none(),
    );
    let more = more || segments.len() > told + 1;
    Ok(Found {
        catch: segments.swap_remove(told),
        head,
        more,
    })
}

fn recent(
    performer: &Performer<'_>,
    room: &RoomName,
    user: Option<&UserId>,
    diverged: bool,
    limit: usize,
) -> Result<(Vec<Catch>, Position, bool), Problem> {
    let stretch = load(performer, room, user, Range::Tail, limit)?;
    let head = stretch.head;
    Ok((CatchUp::recent(diverged, stretch), head, false))
}

/// A stretch, for a user who may be there.
fn load(
    performer: &Performer<'_>,
    room: &RoomName,
    user: Option<&UserId>,
    range: Range,
    limit: usize,
) -> Result<Stretch, Problem> {
    match performer.read(room, user, range, limit)? {
        Read::Stretch(stretch) => Ok(stretch),
        Read::Forbidden => Err(Problem::forbidden(room.clone())),
        Read::Banned(term) => Err(Problem::banned(room.clone(), term, super::now())),
    }
}

/// `?after=SEQ-TAG` reads on from a position, `?before=SEQ` back from a number and `?from=SEQ` on from
/// one; without any the newest come.
pub fn read(
    asked: &Asked,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let (room, query) = (asked.room()?, &asked.query);
    caller.reading(settings, room)?;
    let user = caller.user(query)?;
    let limits = &settings.hub.limits;
    let limit = query.limit()?.unwrap_or(limits.recent_messages);
    let limit = limit.min(limits.page_messages);
    let after = query.position("after")?;
    let range = match (after, query.number("before")?, query.number("from")?) {
        (after, None, None) => {
            let found = read_on(performer, room, user.as_ref(), after, limit)?;
            return Ok(Answer::json(200, &told(room, &found)));
        }
        (None, Some(before), None) => Range::Before(before),
        (None, None, Some(from)) => Range::From(from),
        _ => return Err(bad("`after`, `before` and `from` exclude each other")),
    };
    let stretch = load(performer, room, user.as_ref(), range, limit)?;
    let entries = stretch.entries.iter();
    Ok(Answer::json(
        200,
        &api::Stretch {
            room: room.clone(),
            messages: entries.map(|entry| frame(room, entry)).collect(),
            head: stretch.head,
            more: stretch.more,
        },
    ))
}

/// What tells a reader what was found.
pub fn told(room: &RoomName, found: &Found) -> ReadOn {
    let entries = found.catch.entries.iter();
    ReadOn {
        room: room.clone(),
        position: found.catch.position,
        head: found.head,
        recovered: found.catch.recovered,
        reason: found.catch.reason,
        lost: found.catch.lost,
        more: found.more,
        messages: entries.map(|entry| frame(room, entry)).collect(),
    }
}

/// `{"user":"ada","id":"01JD…","text":"hello"}`, or another frame that is stored, by its `type`; the
/// answer is the `ack`.
pub async fn post(
    asked: &Asked,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: Caller,
    request: IncomingRequest,
) -> Result<Answer, Problem> {
    let room = asked.room()?;
    caller.writing(settings, room)?;
    let mut fields = command::fields(request, settings).await?;
    let named = command::named(&mut fields)?.or(asked.query.user()?);
    let speaker = caller.speaker(named)?;
    let is_listed = settings.hub.default_rooms.contains(room) || room.is_private();
    if !is_listed && !performer.open_room(room)? {
        return Err(Problem::new(ErrorCode::TooManyRooms));
    }
    let kind = fields.entry("type").or_insert_with(|| "send".into());
    if !STORED.iter().any(|stored| kind == stored) {
        return Err(Problem::new(ErrorCode::UnknownType));
    }
    fields.insert("room".to_owned(), room.to_string().into());
    let ack = command::run(performer, settings, speaker, room.clone(), fields)?;
    // A room that no socket follows has no host to do this.
    super::stats::bring_overall_up(performer, settings, room, super::now());
    Ok(Answer::json(201, &ack))
}

fn bad(reason: &str) -> Problem {
    Problem::because(ErrorCode::BadFrame, reason)
}
