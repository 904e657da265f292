//! `GET /api/v1/rooms/{room}/events`: a room as server-sent events. The id of each is a position,
//! so a browser's own `Last-Event-ID` resumes as exactly as a WebSocket does.

use super::answer::{Problem, response};
use super::messages::{Found, read_on, told};
use super::parameter;
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::delivery::frame;
use clustertalk_core::ids::{Position, RoomName, UserId};
use clustertalk_core::protocol::ErrorCode;
use clustertalk_core::time::Timestamp;
use futures::SinkExt;
use spin_sdk::http::{IncomingRequest, ResponseOutparam};

/// How long one wait for news lasts. A client that went away is noticed after at most this.
const WAIT_MS: u32 = 3_000;

/// Where to begin: `Last-Event-ID`, or `?after=SEQ-TAG`; without either the newest come first.
pub fn position(request: &IncomingRequest, query: &str) -> Result<Option<Position>, Problem> {
    let header = request.headers().get("last-event-id");
    let header = header
        .first()
        .and_then(|value| std::str::from_utf8(value).ok());
    let text = header
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .or(parameter(query, "after"));
    text.map(|text| {
        text.parse().map_err(|_| {
            Problem::because(
                ErrorCode::BadFrame,
                "the position is not of the form SEQ-TAG",
            )
        })
    })
    .transpose()
}

/// Whom the events of a room are for, and until when at most.
pub struct Reader {
    pub user: Option<UserId>,
    pub until: Option<Timestamp>,
}

/// `found` is what was read for the reader after his position: so one who may not read is told so by
/// the status. What follows is read for him again and again, and ends with his right to it.
pub async fn stream(
    performer: &Performer<'_>,
    settings: &Settings,
    room: &RoomName,
    Reader { user, until }: Reader,
    (after, mut found): (Option<Position>, Found),
    out: ResponseOutparam,
) {
    let headers = [
        ("content-type".to_owned(), b"text/event-stream".to_vec()),
        ("cache-control".to_owned(), b"no-store".to_vec()),
        ("x-accel-buffering".to_owned(), b"no".to_vec()),
    ];
    let answer = response(200, &headers);
    let mut body = answer.take_body();
    out.set(answer);
    let mut position = after;
    // Who comes back with an expired token is told so.
    while until.is_none_or(|until| super::now() < until) {
        let mut chunk = String::new();
        if position.is_none() || found.catch.reason.is_some() {
            // A new truth, told as over a WebSocket; its messages are in it.
            let told = told(room, &found);
            chunk.push_str(&event(found.catch.position, "joined", &told.to_string()));
        } else {
            for entry in &found.catch.entries {
                chunk.push_str(&event(
                    entry.link.position(),
                    "message",
                    &frame(room, entry).encode(),
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
                .await_entry(room, found.catch.position.seq, WAIT_MS)
                .is_err()
        {
            return;
        }
        let most = settings.hub.limits.page_messages;
        let Ok(next) = read_on(performer, room, user.as_ref(), position, most) else {
            // Ending the stream makes the browser come back with its last id.
            return;
        };
        found = next;
    }
}

fn event(position: Position, name: &str, data: &str) -> String {
    format!("id: {position}\nevent: {name}\ndata: {data}\n\n")
}
