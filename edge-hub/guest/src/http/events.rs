//! `GET /api/v1/rooms/{room}/events`: a room as server-sent events. The id of each is a position,
//! so a browser's own `Last-Event-ID` resumes as exactly as a WebSocket does.

use super::Asked;
use super::answer::{Problem, response};
use super::caller::Caller;
use super::messages::{Found, read_on, told};
use super::query::position;
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::delivery::frame;
use clustertalk_core::ids::{Position, RoomName, UserId};
use clustertalk_core::time::Timestamp;
use futures::SinkExt;
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

/// How long one wait for news lasts. A client that went away is noticed after at most this.
const WAIT_MS: u32 = 3_000;

/// A stream that may begin.
pub struct Stream {
    room: RoomName,
    user: Option<UserId>,
    /// When it ends at the latest.
    until: Option<Timestamp>,
    after: Option<Position>,
    /// What was read after that, so that one who may not read is told so by the status.
    found: Found,
}

/// Reads what comes first: after `Last-Event-ID`, or `?after=SEQ-TAG`; without either the newest.
pub fn begin(
    asked: Asked,
    request: &IncomingRequest,
    performer: &Performer<'_>,
    settings: &Settings,
) -> Result<Stream, Problem> {
    let room = asked.room()?.clone();
    let caller = Caller::of(request, settings, performer, super::now())?;
    caller.reading(settings, &room)?;
    let user = caller.user(&asked.query)?;
    let until = caller.access().expires_at();
    let after = match &request.headers().get("last-event-id")[..] {
        [] => asked.query.position("after")?,
        [header, ..] if header.is_empty() => asked.query.position("after")?,
        // What is not text is no position either.
        [header, ..] => Some(position(&String::from_utf8_lossy(header))?),
    };
    let most = settings.hub.limits.page_messages;
    let found = read_on(performer, &room, user.as_ref(), after, most)?;
    Ok(Stream {
        room,
        user,
        until,
        after,
        found,
    })
}

impl Stream {
    /// What follows is read for him again and again, and ends with his right to it.
    pub async fn run(self, performer: &Performer<'_>, settings: &Settings, out: ResponseOutparam) {
        let Self {
            room,
            user,
            until,
            after: mut position,
            mut found,
        } = self;
        let headers = [
            ("content-type".to_owned(), b"text/event-stream".to_vec()),
            ("cache-control".to_owned(), b"no-store".to_vec()),
            ("x-accel-buffering".to_owned(), b"no".to_vec()),
        ];
        let answer = response(200, &headers);
        let mut body = answer.take_body();
        out.set(answer);
        // Who comes back with an expired token is told so.
        while until.is_none_or(|until| super::now() < until) {
            let mut chunk = String::new();
            if position.is_none() || found.catch.reason.is_some() {
                // A new truth, told as over a WebSocket; its messages are in it.
                let told = told(&room, &found);
                chunk.push_str(&event(
                    found.catch.position,
                    "joined",
                    &serde_json::to_string(&told).unwrap_or_default(),
                ));
            } else {
                for entry in &found.catch.entries {
                    chunk.push_str(&event(
                        entry.link.position(),
                        "message",
                        &frame(&room, entry).encode(),
                    ));
                }
            }
            position = Some(found.catch.position);
            if chunk.is_empty() {
                chunk.push_str(": waiting\n\n");
            }
            if body.send(chunk.into_bytes()).await.is_err() {
                return;
            }
            if !found.more
                && performer
                    .await_entry(&room, found.catch.position.seq, WAIT_MS)
                    .is_err()
            {
                return;
            }
            let most = settings.hub.limits.page_messages;
            let Ok(next) = read_on(performer, &room, user.as_ref(), position, most) else {
                // Ending the stream makes the browser come back with its last id.
                return;
            };
            found = next;
        }
    }
}

fn event(position: Position, name: &str, data: &str) -> String {
    format!("id: {position}\nevent: {name}\ndata: {data}\n\n")
}
