//! What a client can ask for: one file a command.

pub mod hello;
pub mod history;
pub mod join;
pub mod leave;
pub mod send;
pub mod token;
pub mod typing;

use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::{ClientFrame, ErrorCode, ErrorFrame, ServerFrame};
use crate::time::Timestamp;

/// A command in the middle: what it needs when the answer to its effect comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Pending {
    Hello(hello::Pending),
    Join(join::Pending),
    Leave(leave::Pending),
    Send(Box<send::Pending>),
    History(history::Pending),
    Token(Box<token::Pending>),
}

/// Starts a command. Everything but `hello` needs a session.
pub fn dispatch(hub: &mut Hub<'_>, now: Timestamp, frame: ClientFrame, reference: Option<String>) {
    match (hub.live().is_some(), frame) {
        (false, ClientFrame::Hello { user, token, rooms }) => {
            hello::start(hub, now, user, token, rooms, reference);
        }
        (false, _) => hub.refuse(error(ErrorCode::HelloFirst, reference)),
        (true, ClientFrame::Hello { .. }) => hub.refuse(error(ErrorCode::AlreadyHello, reference)),
        (true, ClientFrame::Join(join)) => join::start(hub, join, reference),
        (true, ClientFrame::Leave { room }) => leave::start(hub, room),
        (
            true,
            ClientFrame::Send {
                room,
                id,
                text,
                reply_to,
            },
        ) => {
            send::start(hub, now, room, id, text, reply_to);
        }
        (true, ClientFrame::Typing { room }) => typing::start(hub, now, room, reference),
        (true, ClientFrame::History { room, range, limit }) => {
            history::start(hub, room, range, limit, reference);
        }
        // A host answers `ping` itself, with the positions that only it knows. One that does not
        // has none to tell.
        (true, ClientFrame::Ping) => hub.send(ServerFrame::Pong(crate::protocol::Pong {
            rooms: Vec::new(),
            reference,
        })),
        (true, ClientFrame::Token { token }) => token::start(hub, now, token, reference),
    }
}

/// Presence is the last step of both joining and leaving.
pub fn presence_changed(hub: &mut Hub<'_>, members: Result<u64, NoAnswer>) {
    match hub.pending.take() {
        Some(Pending::Join(pending)) => join::present(hub, pending, members),
        Some(Pending::Leave(pending)) => leave::absent(hub, pending),
        other => hub.pending = other,
    }
}

/// When to try again what Redis or a component did not answer.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

fn error(code: ErrorCode, reference: Option<String>) -> ErrorFrame {
    ServerFrame::error(code).answering(reference)
}

/// The error for a command in a room that the connection has not joined.
fn not_joined(room: RoomName, reference: Option<String>) -> ErrorFrame {
    error(ErrorCode::NotJoined, reference).in_room(room)
}

/// The error for what the session's access does not cover.
fn forbidden(room: RoomName, reference: Option<String>) -> ErrorFrame {
    error(ErrorCode::Forbidden, reference).in_room(room)
}
