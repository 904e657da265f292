//! `GET` and `POST /api/v1/rooms/{room}/messages`.

use super::{Caller, Problem, command, json_response, parameter, performer};
use crate::{clock, edge::Edge};
use clustertalk_core::{
    delivery::{Catch, CatchUp, catch_up, frame},
    ids::{Position, RoomName, Seq, UserId},
    protocol::{EntryFrame, ErrorCode},
    store::{Range, Read, Stretch},
};
use serde_json::{Map, Value, json};
use worker::{Response, Url};

/// The frames that a `POST` may carry.
const STORED: [&str; 4] = ["send", "edit", "delete", "react"];

/// What was found for a reader, and where it ends.
pub struct Found {
    pub catch: Catch,
    pub head: Position,
    pub more: bool,
}

/// Reads on from a position: the first unbroken run that has something to tell.
pub async fn read_on(
    edge: &Edge,
    room: &RoomName,
    user: Option<&UserId>,
    after: Option<Position>,
    limit: usize,
) -> Result<Found, Problem> {
    let (mut segments, head, more) = match after {
        Some(position) => {
            // His own entry comes with the answer, so that its tag can be compared.
            let stretch = load(edge, room, user, Range::After(position.seq), limit).await?;
            let (head, more) = (stretch.head, stretch.more);
            match catch_up(position, stretch) {
                CatchUp::Segments(segments) => (segments, head, more),
                CatchUp::Diverged => recent(edge, room, user, true, limit).await?,
            }
        }
        None => recent(edge, room, user, false, limit).await?,
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

async fn recent(
    edge: &Edge,
    room: &RoomName,
    user: Option<&UserId>,
    diverged: bool,
    limit: usize,
) -> Result<(Vec<Catch>, Position, bool), Problem> {
    let stretch = load(edge, room, user, Range::Tail, limit).await?;
    let head = stretch.head;
    Ok((CatchUp::recent(diverged, stretch), head, false))
}

/// A stretch, for a user who may be there.
async fn load(
    edge: &Edge,
    room: &RoomName,
    user: Option<&UserId>,
    range: Range,
    limit: usize,
) -> Result<Stretch, Problem> {
    match performer(edge).read(room, user, range, limit).await? {
        Read::Stretch(stretch) => Ok(stretch),
        Read::Forbidden => Err(Problem::forbidden(room)),
        Read::Banned(term) => Err(Problem::banned(room, term, clock::now())),
    }
}

/// `?after=SEQ-TAG` reads on from a position, `?before=SEQ` back from a number; without either the
/// newest come.
pub async fn read(
    edge: &Edge,
    room: &RoomName,
    user: Option<&UserId>,
    url: &Url,
) -> Result<Response, Problem> {
    let limits = &edge.settings.deployment.hub.limits;
    let limit = match parameter(url, "limit") {
        Some(limit) => limit
            .parse::<usize>()
            .map_err(|_| bad("`limit` is not a number"))?,
        None => limits.recent_messages,
    };
    let limit = limit.clamp(1, limits.page_messages);
    let before = parameter(url, "before").map(|seq| seq.parse::<Seq>());
    let before = before
        .transpose()
        .map_err(|_| bad("`before` is not a number"))?;
    let after = parameter(url, "after").map(|after| after.parse::<Position>());
    let after = after
        .transpose()
        .map_err(|_| bad("`after` is not of the form SEQ-TAG"))?;
    match (before, after) {
        (Some(_), Some(_)) => Err(bad("`before` and `after` exclude each other")),
        (Some(before), None) => {
            let stretch = load(edge, room, user, Range::Before(before), limit).await?;
            let messages: Vec<EntryFrame> = stretch
                .entries
                .iter()
                .map(|entry| frame(room, entry))
                .collect();
            json_response(
                200,
                &json!({ "room": room, "messages": messages, "head": stretch.head, "more": stretch.more }),
            )
        }
        (None, after) => {
            let found = read_on(edge, room, user, after, limit).await?;
            json_response(200, &told(room, &found))
        }
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
    edge: &Edge,
    room: RoomName,
    caller: Caller,
    mut fields: Map<String, Value>,
) -> Result<Response, Problem> {
    let named = fields.remove("user");
    let speaker = caller.speaker(named.as_ref().and_then(Value::as_str))?;
    let is_default = edge.settings.deployment.hub.default_rooms.contains(&room);
    let is_listed = is_default || room.is_private();
    if !is_listed && !performer(edge).open_room(&room).await? {
        return Err(Problem::new(ErrorCode::TooManyRooms));
    }
    let kind = fields.entry("type").or_insert_with(|| "send".into());
    if !STORED.iter().any(|stored| kind == stored) {
        return Err(Problem::new(ErrorCode::UnknownType));
    }
    fields.insert("room".to_owned(), room.to_string().into());
    let ack = command::run(edge, speaker, room.clone(), fields).await?;
    edge.changed(&room);
    edge.appended(&room);
    json_response(201, &ack)
}

fn bad(reason: &str) -> Problem {
    Problem::because(ErrorCode::BadFrame, reason)
}
