//! `GET` and `POST /api/v1/rooms/{room}/messages`.

use super::answer::{Answer, Problem};
use super::caller::Caller;
use crate::perform::{ForHost, Performer};
use crate::settings::{self, Settings};
use clustertalk_core::auth::Identity;
use clustertalk_core::delivery::{Catch, CatchUp, catch_up, frame};
use clustertalk_core::event::{Event, NoAnswer};
use clustertalk_core::hub::{Connection, Hub};
use clustertalk_core::ids::{Position, RoomName, Seq, User, UserId};
use clustertalk_core::protocol::{EntryFrame, ErrorCode, ServerFrame};
use clustertalk_core::store::Range;
use futures::StreamExt;
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
    after: Option<Position>,
    limit: usize,
) -> Result<Found, NoAnswer> {
    let (mut segments, head, more) = match after {
        Some(position) => {
            // His own entry comes with the answer, so that its tag can be compared.
            let stretch = performer.load(room, Range::After(position.seq), limit)?;
            let (head, more) = (stretch.head, stretch.more);
            match catch_up(position, stretch) {
                CatchUp::Segments(segments) => (segments, head, more),
                CatchUp::Diverged => recent(performer, room, true, limit)?,
            }
        }
        None => recent(performer, room, false, limit)?,
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
    diverged: bool,
    limit: usize,
) -> Result<(Vec<Catch>, Position, bool), NoAnswer> {
    let stretch = performer.load(room, Range::Tail, limit)?;
    let head = stretch.head;
    Ok((CatchUp::recent(diverged, stretch), head, false))
}

/// `?after=SEQ-TAG` reads on from a position, `?before=SEQ` back from a number; without either the
/// newest come.
pub fn read(
    performer: &Performer<'_>,
    settings: &Settings,
    room: &RoomName,
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
            let stretch = performer.load(room, Range::Before(before), limit)?;
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
            &told(room, &read_on(performer, room, after, limit)?),
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
    let length = request.headers().get("content-length");
    let declared = length
        .first()
        .and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > settings.hub.limits.frame_bytes) {
        return Err(Problem::new(ErrorCode::TooLarge));
    }
    // One that does not declare its length could fill the memory otherwise.
    let mut chunks = request.into_body_stream();
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.map_err(|_| Problem::new(ErrorCode::BadJson))?);
        if body.len() > settings.hub.limits.frame_bytes {
            return Err(Problem::new(ErrorCode::TooLarge));
        }
    }
    let mut fields = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(bad("the body is not an object")),
        Err(error) => return Err(Problem::because(ErrorCode::BadJson, &error.to_string())),
    };
    let named = fields
        .remove("user")
        .as_ref()
        .and_then(Value::as_str)
        .and_then(|user| UserId::parse(user).ok());
    let Identity { user, access } = match caller {
        Caller::User(identity) => identity,
        Caller::Spokesman(access) => {
            let id = named.ok_or_else(|| Problem::new(ErrorCode::BadUser))?;
            let name = id.to_string();
            let user = User { id, name };
            Identity { user, access }
        }
    };
    if !settings.hub.default_rooms.contains(room) && !performer.open_room(room)? {
        return Err(Problem::new(ErrorCode::TooManyRooms));
    }
    // From here on it is a frame like any other.
    let kind = fields.entry("type").or_insert_with(|| "send".into());
    if !STORED.iter().any(|stored| kind == stored) {
        return Err(Problem::new(ErrorCode::UnknownType));
    }
    fields.insert("room".to_owned(), room.to_string().into());
    let connection = Connection {
        id: "http".into(),
        edge: "http".into(),
        anonymous: true,
        token: None,
    };
    let mut hub = Hub::speaking(
        &settings.hub,
        connection,
        user,
        access,
        room.clone(),
        settings::seed(),
    );
    let event = Event::Frame(Value::Object(fields).to_string());
    let effects = crate::run(&mut hub, performer, super::now(), event);
    for effect in effects {
        match effect {
            ForHost::Send(ServerFrame::Error(error)) => return Err((*error).into()),
            ForHost::Send(ack @ ServerFrame::Ack { .. }) => {
                // A room that no socket follows has no host to do this.
                super::stats::bring_overall_up(performer, settings, room, super::now());
                return Ok(Answer::json(201, &ack));
            }
            _ => {}
        }
    }
    Err(Problem::new(ErrorCode::Internal))
}

/// One parameter of a query; our values need no percent-decoding.
pub fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn bad(reason: &str) -> Problem {
    Problem::because(ErrorCode::BadFrame, reason)
}
