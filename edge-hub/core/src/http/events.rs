//! `GET /api/v1/rooms/{room}/events`: a room as server-sent events. The id of each is a position,
//! so a browser's own `Last-Event-ID` resumes as exactly as a WebSocket does.

use super::messages::{Found, told};
use super::query::position;
use super::{Api, Asked, Head, Problem};
use crate::delivery::frame;
use crate::ids::{Position, RoomName, Seq, UserId};
use crate::perform::Io;
use crate::time::Timestamp;

/// A stream that may begin. A host sends [`piece`](Self::piece), waits until the room stands beyond
/// [`waits_beyond`](Self::waits_beyond), reads on, and begins again.
#[derive(Debug)]
pub struct Events {
    room: RoomName,
    user: Option<UserId>,
    /// When it ends at the latest.
    until: Option<Timestamp>,
    after: Option<Position>,
    /// What was read after that, so that one who may not read is told so by the status.
    found: Found,
}

/// The stream ends; a browser comes back with its last id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

impl<I: Io> Api<'_, I> {
    /// Reads what comes first: after `Last-Event-ID`, or `?after=SEQ-TAG`; without either the newest.
    pub(super) async fn begin_events(&self, asked: Asked, head: &Head) -> Result<Events, Problem> {
        let room = asked.room()?.clone();
        let caller = self.caller(head).await?;
        self.reading(&caller, &room)?;
        let user = caller.user(&asked.query)?;
        let until = caller.access().expires_at();
        let after = match head.values("last-event-id").next() {
            None | Some([]) => asked.query.position("after")?,
            // What is not text is no position either.
            Some(header) => Some(position(&String::from_utf8_lossy(header))?),
        };
        let most = self.deployment.hub.limits.page_messages;
        let found = self.read_on(&room, user.as_ref(), after, most).await?;
        Ok(Events {
            room,
            user,
            until,
            after,
            found,
        })
    }
}

impl Events {
    /// What the answer has in the place of the usual headers.
    pub const HEADERS: [(&'static str, &'static str); 3] = [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
    ];

    pub fn room(&self) -> &RoomName {
        &self.room
    }

    /// What is to be sent of what was read, which is never nothing: so a client that went away is
    /// noticed. `None` when the right to the room has ended; who comes back with an expired token is
    /// told so.
    pub fn piece(&mut self, now: Timestamp) -> Option<String> {
        if self.until.is_some_and(|until| until <= now) {
            return None;
        }
        let found = &self.found;
        let mut piece = String::new();
        if self.after.is_none() || found.catch.reason.is_some() {
            // A new truth, told as over a WebSocket; its messages are in it.
            let told = serde_json::to_string(&told(&self.room, found)).unwrap_or_default();
            piece.push_str(&event(found.catch.position, "joined", &told));
        } else {
            for entry in &found.catch.entries {
                let frame = frame(&self.room, entry).encode();
                piece.push_str(&event(entry.link.position(), "message", &frame));
            }
        }
        self.after = Some(found.catch.position);
        if piece.is_empty() {
            piece.push_str(": waiting\n\n");
        }
        Some(piece)
    }

    /// The number beyond which there is nothing that is known; `None` if there is more to be read.
    pub fn waits_beyond(&self) -> Option<Seq> {
        (!self.found.more).then_some(self.found.catch.position.seq)
    }

    /// Reads what follows.
    ///
    /// # Errors
    /// It could not be read, or may not be read any more.
    pub async fn read_on<I: Io>(&mut self, api: &Api<'_, I>) -> Result<(), Ended> {
        let most = api.deployment.hub.limits.page_messages;
        let found = api.read_on(&self.room, self.user.as_ref(), self.after, most);
        self.found = found.await.map_err(|_| Ended)?;
        Ok(())
    }
}

fn event(position: Position, name: &str, data: &str) -> String {
    format!("id: {position}\nevent: {name}\ndata: {data}\n\n")
}
