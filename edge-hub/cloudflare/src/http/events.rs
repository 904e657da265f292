//! `GET /api/v1/rooms/{room}/events`: a room as server-sent events. The id of each is a position,
//! so a browser's own `Last-Event-ID` resumes as exactly as a WebSocket does.

use super::messages::{Found, read_on, told};
use super::{Caller, Problem, headers, parameter};
use crate::{
    clock,
    edge::{Edge, Interest},
};
use clustertalk_core::{
    delivery::frame,
    ids::{Position, RoomName, UserId},
    protocol::ErrorCode,
    time::Timestamp,
};
use futures_util::stream::unfold;
use std::{rc::Rc, time::Duration};
use worker::{Request, Response, Url};

/// How long one wait for news lasts.
const WAIT: Duration = Duration::from_secs(3);

/// A stream under way.
struct Stream {
    edge: Rc<Edge>,
    /// Keeps the room open here, so that news are known at once.
    interest: Interest,
    room: RoomName,
    user: Option<UserId>,
    /// When it ends at the latest.
    until: Option<Timestamp>,
    position: Option<Position>,
    /// What was read and is not told yet.
    found: Option<Found>,
}

/// Reads what comes first: after `Last-Event-ID`, or `?after=SEQ-TAG`; without either the newest. So
/// one who may not read is told so by the status.
pub async fn stream(
    edge: &Rc<Edge>,
    room: RoomName,
    caller: &Caller,
    url: &Url,
    request: &Request,
) -> Result<Response, Problem> {
    let header = request.headers().get("last-event-id")?;
    let after = header
        .filter(|text| !text.is_empty())
        .or_else(|| parameter(url, "after"))
        .map(|text| text.parse::<Position>())
        .transpose()
        .map_err(|_| {
            let reason = "the position is not of the form SEQ-TAG";
            Problem::because(ErrorCode::BadFrame, reason)
        })?;
    let user = caller.user(url)?;
    let most = edge.settings.deployment.hub.limits.page_messages;
    let found = read_on(edge, &room, user.as_ref(), after, most).await?;
    let stream = Stream {
        interest: edge.interest(&room),
        edge: Rc::clone(edge),
        room,
        user,
        until: caller.access().expires_at(),
        position: after,
        found: Some(found),
    };
    let body = unfold(stream, |mut stream| async move {
        let chunk = stream.next().await?;
        Some((Ok::<_, worker::Error>(chunk.into_bytes()), stream))
    });
    let headers = headers("text/event-stream")?;
    Ok(Response::from_stream(body)?.with_headers(headers))
}

impl Stream {
    /// What is to be told next; `None` ends the stream, and the browser comes back with its last id.
    async fn next(&mut self) -> Option<String> {
        if self.until.is_some_and(|until| clock::now() >= until) {
            return None;
        }
        let found = match self.found.take() {
            Some(found) => found,
            None => self.read().await?,
        };
        let mut chunk = String::new();
        if self.position.is_none() || found.catch.reason.is_some() {
            // A new truth, told as over a WebSocket; its messages are in it.
            let told = told(&self.room, &found).to_string();
            chunk.push_str(&event(found.catch.position, "joined", &told));
        } else {
            for entry in &found.catch.entries {
                let frame = frame(&self.room, entry).encode();
                chunk.push_str(&event(entry.link.position(), "message", &frame));
            }
        }
        self.position = Some(found.catch.position);
        if chunk.is_empty() {
            chunk.push_str(": waiting\n\n");
        }
        if found.more {
            self.found = Some(self.read().await?);
        }
        Some(chunk)
    }

    async fn read(&self) -> Option<Found> {
        let position = self.position?;
        self.interest.wait_beyond(position.seq, WAIT).await;
        let most = self.edge.settings.deployment.hub.limits.page_messages;
        let user = self.user.as_ref();
        let read = read_on(&self.edge, &self.room, user, Some(position), most).await;
        read.ok()
    }
}

fn event(position: Position, name: &str, data: &str) -> String {
    format!("id: {position}\nevent: {name}\ndata: {data}\n\n")
}
