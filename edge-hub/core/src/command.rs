//! What a client can ask for: one file a command.

pub mod change;
pub mod hello;
pub mod history;
pub mod join;
pub mod leave;
pub mod manage;
pub mod moderate;
pub mod notice;
pub mod read;
pub mod send;
pub mod token;
pub mod typing;

mod review;

use crate::event::{NoAnswer, Verdict};
use crate::hub::Hub;
use crate::hub::session::Live;
use crate::ids::{MessageId, RoomName, User, UserId};
use crate::protocol::{ClientFrame, ErrorCode, ErrorFrame, ServerFrame};
use crate::store::{Appended, Attended, Managed, Term};
use crate::time::Timestamp;
use std::time::Duration;

/// A command in the middle: what it needs when the answer to its effect comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Pending {
    Hello(hello::Pending),
    Join(join::Pending),
    Leave(leave::Pending),
    Send(Box<send::Pending>),
    Change(Box<change::Pending>),
    Read(read::Pending),
    History(history::Pending),
    Token(Box<token::Pending>),
    Manage(Box<manage::Pending>),
    Moderate(Box<moderate::Pending>),
    Notice(notice::Pending),
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
                mentions,
            },
        ) => send::start(hub, now, room, id, text, reply_to, mentions),
        (
            true,
            ClientFrame::Change {
                room,
                id,
                target,
                change,
            },
        ) => change::start(hub, now, room, id, target, change),
        (true, ClientFrame::Read { room, seq }) => read::start(hub, now, room, seq, reference),
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
        (
            true,
            ClientFrame::Create {
                room,
                private,
                settings,
            },
        ) => manage::create(hub, now, room, private, settings, reference),
        (true, ClientFrame::Direct { user }) => manage::direct(hub, now, user, reference),
        (true, ClientFrame::Manage { room, action }) => {
            manage::start(hub, now, room, action, reference);
        }
        (
            true,
            ClientFrame::Report {
                room,
                target,
                reason,
                note,
            },
        ) => moderate::report(hub, now, room, target, (reason, note), reference),
        (true, ClientFrame::Dismiss { room, target }) => {
            moderate::dismiss(hub, now, room, target, reference);
        }
        (true, ClientFrame::Restore { room, id, target }) => {
            moderate::restore(hub, now, room, id, target);
        }
        (true, ClientFrame::Kick { user }) => manage::kick(hub, now, user, reference),
    }
}

/// The session, if it is in the room; else the frame is refused.
fn in_room<'h>(
    hub: &'h mut Hub<'_>,
    room: &RoomName,
    reference: &Option<String>,
) -> Option<&'h mut Live> {
    if !hub.live()?.rooms.contains(room) {
        hub.refuse(not_joined(room.clone(), reference.clone()));
        return None;
    }
    let live = hub.live()?;
    live.refused = 0;
    Some(live)
}

/// The user whose command may go on: he is in the room, may write there, and keeps the rate. Before any review: a
/// flood must not cost a component's time.
fn admitted(hub: &mut Hub<'_>, now: Timestamp, room: &RoomName, id: &MessageId) -> Option<User> {
    let limits = &hub.settings.limits;
    let (rate, burst) = (limits.messages_per_second, limits.burst);
    let may_write = hub.may_write(room);
    let live = hub.live()?;
    if !live.rooms.contains(room) {
        hub.refuse(not_joined(room.clone(), Some(id.to_string())));
        return None;
    }
    if !may_write {
        hub.refuse(forbidden(room.clone(), Some(id.to_string())));
        return None;
    }
    if let Err(wait) = live.bucket.take(now, rate, burst) {
        let error = answer(ErrorCode::RateLimited, room, id).retry_after(wait);
        hub.send(ServerFrame::Error(Box::new(error)));
        return None;
    }
    live.refused = 0;
    Some(live.user.clone())
}

/// The user whose command keeps the rate: it costs as much as a message, and is told to as many.
fn paced(hub: &mut Hub<'_>, now: Timestamp, reference: &Option<String>) -> Option<UserId> {
    let limits = &hub.settings.limits;
    let (rate, burst) = (limits.messages_per_second, limits.burst);
    let live = hub.live()?;
    if let Err(wait) = live.bucket.take(now, rate, burst) {
        let error = error(ErrorCode::RateLimited, reference.clone()).retry_after(wait);
        hub.send(ServerFrame::Error(Box::new(error)));
        return None;
    }
    Some(live.user.id.clone())
}

pub fn reviewed(hub: &mut Hub<'_>, now: Timestamp, verdict: Result<Verdict, NoAnswer>) {
    let unreviewed = match (hub.pending.take(), verdict) {
        (Some(Pending::Send(pending)), Ok(verdict)) => {
            return send::reviewed(hub, now, *pending, verdict);
        }
        (Some(Pending::Change(pending)), Ok(verdict)) => {
            return change::reviewed(hub, *pending, verdict);
        }
        (Some(Pending::Send(pending)), Err(NoAnswer)) => (pending.room, pending.body.id),
        (Some(Pending::Change(pending)), Err(NoAnswer)) => (pending.room, pending.id),
        (other, _) => {
            hub.pending = other;
            return;
        }
    };
    // Nothing unreviewed is kept: it stays in the sender's outbox.
    let (room, id) = unreviewed;
    let error = answer(ErrorCode::Unavailable, &room, &id).retry_after(RETRY);
    hub.send(ServerFrame::Error(Box::new(error)));
}

/// The last step of whatever is stored: the acknowledgement, or why there is none.
pub fn appended(hub: &mut Hub<'_>, now: Timestamp, outcome: Result<Appended, NoAnswer>) {
    let (room, id) = match hub.pending.take() {
        Some(Pending::Send(pending)) => (pending.room, pending.body.id),
        Some(Pending::Change(pending)) => (pending.room, pending.id),
        other => {
            hub.pending = other;
            return;
        }
    };
    let refused = |code| answer(code, &room, &id);
    let error = match outcome {
        Ok(
            Appended::Stored {
                position, action, ..
            }
            | Appended::Duplicate { position, action },
        ) => {
            hub.send(ServerFrame::Ack {
                room,
                id,
                position,
                action,
            });
            return;
        }
        Ok(Appended::Refused) => refused(ErrorCode::Blocked),
        Ok(Appended::Banned(term)) => lasting(refused(ErrorCode::Banned), now, term),
        Ok(Appended::Muted(term)) => lasting(refused(ErrorCode::Muted), now, term),
        Ok(Appended::Archived) => refused(ErrorCode::Archived),
        Ok(Appended::SlowMode { retry_after }) => {
            refused(ErrorCode::SlowMode).retry_after(retry_after)
        }
        Ok(Appended::RateLimited { retry_after }) => {
            refused(ErrorCode::RateLimited).retry_after(retry_after)
        }
        Ok(Appended::Unpublishable) => {
            refused(ErrorCode::Unavailable).retry_after(Duration::from_secs(30))
        }
        Ok(Appended::StaleTarget) => refused(ErrorCode::StaleTarget),
        Ok(Appended::TargetMissing) => refused(ErrorCode::TargetMissing),
        Ok(Appended::Forbidden) => refused(ErrorCode::Forbidden),
        Ok(Appended::TooManyChanges) => refused(ErrorCode::TooManyChanges),
        Ok(Appended::OriginalGone) => refused(ErrorCode::OriginalGone),
        Err(NoAnswer) => refused(ErrorCode::Unavailable).retry_after(RETRY),
    };
    hub.send(ServerFrame::Error(Box::new(error)));
}

/// Presence is the last step of both joining and leaving.
pub fn presence_changed(hub: &mut Hub<'_>, now: Timestamp, attended: Result<Attended, NoAnswer>) {
    match hub.pending.take() {
        Some(Pending::Join(pending)) => join::present(hub, now, pending, attended),
        Some(Pending::Leave(pending)) => leave::absent(hub, pending),
        other => hub.pending = other,
    }
}

/// Something was done with a room, by a command or because of a notice.
pub fn managed(hub: &mut Hub<'_>, now: Timestamp, managed: Result<Managed, NoAnswer>) {
    match hub.pending.take() {
        Some(Pending::Manage(pending)) => manage::managed(hub, now, *pending, managed),
        Some(Pending::Notice(pending)) => notice::looked(hub, pending, managed),
        other => hub.pending = other,
    }
}

/// When to try again what Redis or a component did not answer.
const RETRY: Duration = Duration::from_secs(1);

fn error(code: ErrorCode, reference: Option<String>) -> ErrorFrame {
    ServerFrame::error(code).answering(reference)
}

/// The error that answers what was to be stored.
fn answer(code: ErrorCode, room: &RoomName, id: &MessageId) -> ErrorFrame {
    error(code, Some(id.to_string())).in_room(room.clone())
}

/// The error for a command in a room that the connection has not joined.
fn not_joined(room: RoomName, reference: Option<String>) -> ErrorFrame {
    error(ErrorCode::NotJoined, reference).in_room(room)
}

/// The error for what a ban or mute forbids: with the time that is left of it.
fn lasting(error: ErrorFrame, now: Timestamp, term: Term) -> ErrorFrame {
    match term.until {
        Some(until) => error.retry_after(until.since(now)),
        None => error,
    }
}

/// The error for what the user may not: by his token, by his role in the room, or because it is a
/// private room of others or of nobody.
fn forbidden(room: RoomName, reference: Option<String>) -> ErrorFrame {
    error(ErrorCode::Forbidden, reference).in_room(room)
}
