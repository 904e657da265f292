//! `GET` and `POST /api/v1/rooms/{room}/messages`.

use super::answer::{Answer, Problem};
use super::caller::Caller;
use super::{command, parameter};
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::delivery::{Catch, CatchUp, catch_up, frame};
use clustertalk_core::ids::{Position, RoomName, Seq, UserId};
use clustertalk_core::protocol::{EntryFrame, ErrorCode};
use clustertalk_core::store::{Range, Read, Stretch};
use serde_json::{Value, json};
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

/// `?after=SEQ-TAG` reads on from a position, `?before=SEQ` back from a number; without either the
/// newest come.
pub fn read(
    performer: &Performer<'_>,
    settings: &Settings,
    room: &RoomName,
    user: Option<&UserId>,
    query: &str,
) -> Result<Answer, Problem> {
    let limits = &settings.hub.limits;
    let limit = parameter(query, "limit")
        .map(|limit| {
            limit
                .parse::<usize>()
                .map_err(|_| bad("`limit` is not a number"))
        })
        .transpose()?
        .unwrap_or(limits.recent_messages)
        .clamp(1, limits.page_messages);
    let before = parameter(query, "before")
        .map(|seq| {
            seq.parse::<Seq>()
                .map_err(|_| bad("`before` is not a number"))
        })
        .transpose()?;
    let after = parameter(query, "after")
        .map(|after| {
            after
                .parse::<Position>()
                .map_err(|_| bad("`after` is not of the form SEQ-TAG"))
        })
        .transpose()?;
    match (before, after) {
        (Some(_), Some(_)) => Err(bad("`before` and `after` exclude each other")),
        (Some(before), None) => {
            let stretch = load(performer, room, user, Range::Before(before), limit)?;
            let messages: Vec<EntryFrame> = stretch
                .entries
                .iter()
                .map(|entry| frame(room, entry))
                .collect();
            Ok(Answer::json(
                200,
                &json!({ "room": room, "messages": messages, "head": stretch.head, "more": stretch.more }),
            ))
        }
        (None, after) => Ok(Answer::json(
            200,
            &told(room, &read_on(performer, room, user, after, limit)?),
        )),
    }
}

/// The body that tells a reader what was found: the fields of `joined` less the members.
pub fn told(room: &RoomName, found: &Found) -> Value {
    let messages: Vec<EntryFrame> = found
        .catch
        .entries
        .iter()
        .map(|entry| frame(room, entry))
        .collect();
    json!({
        "room": room,
        "position": found.catch.position,
        "head": found.head,
        "recovered": found.catch.recovered,
        "reason": found.catch.reason,
        "lost": found.catch.lost,
        "more": found.more,
        "messages": messages,
    })
}

/// `{"user":"ada","id":"01JD…","text":"hello"}`, or another frame that is stored, by its `type`; the
/// answer is the `ack`.
pub async fn post(
    performer: &Performer<'_>,
    settings: &Settings,
    room: &RoomName,
    caller: Caller,
    request: IncomingRequest,
) -> Result<Answer, Problem> {
    let mut fields = command::fields(request, settings).await?;
    let named = fields.remove("user");
    let speaker = command::speaker(caller, named.as_ref().and_then(Value::as_str))?;
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
