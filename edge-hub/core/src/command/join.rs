//! `{"type":"join","room":"tech","since":{"seq":41,"tag":"9f2c01ab33d0e1f2"}}`
//! (PROTOCOL.md, "join"). A second `join` of a room is a resync.

use super::Pending as Command;
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::protocol::{ErrorCode, ErrorFrame, JoinRoom, RoomFrame, ServerFrame};
use crate::store::Attended;
use crate::time::Timestamp;
use std::collections::VecDeque;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    current: JoinRoom,
    next: VecDeque<JoinRoom>,
    reference: Option<String>,
    /// Whether it was asked for by a frame of its own: the rooms of a `hello` are one frame, and
    /// must not close a client that was in many of them.
    alone: bool,
}

pub fn start(hub: &mut Hub<'_>, join: JoinRoom, reference: Option<String>) {
    if hub.may_read(&join.room) {
        next(hub, vec![join].into(), reference, true);
    } else {
        hub.refuse(super::forbidden(join.room, reference));
    }
}

/// Joins the rooms of a `hello` one after the other.
pub fn all(hub: &mut Hub<'_>, rooms: Vec<JoinRoom>, reference: Option<String>) {
    let (open, closed): (Vec<_>, Vec<_>) =
        rooms.into_iter().partition(|join| hub.may_read(&join.room));
    for JoinRoom { room, .. } in closed {
        let error = super::forbidden(room, reference.clone());
        hub.send(ServerFrame::Error(Box::new(error)));
    }
    next(hub, open.into(), reference, false);
}

fn next(hub: &mut Hub<'_>, mut rooms: VecDeque<JoinRoom>, reference: Option<String>, alone: bool) {
    while let Some(join) = rooms.pop_front() {
        let most = hub.settings.limits.rooms_per_connection;
        let default = hub.settings.default_rooms.contains(&join.room);
        let Some(live) = hub.live() else { return };
        if live.rooms.contains(&join.room) {
            // Here already: only its position is new.
            live.refused = 0;
            hub.emit(Effect::Subscribe {
                room: join.room,
                since: join.since,
            });
            continue;
        }
        if live.rooms.len() >= most {
            hub.refuse(super::error(ErrorCode::TooManyRooms, reference.clone()).in_room(join.room));
            continue;
        }
        let room = join.room.clone();
        let pending = Pending {
            current: join,
            next: rooms,
            reference,
            alone,
        };
        // One does not come to a private room by its name alone.
        if default || room.is_private() {
            enter(hub, pending);
        } else {
            hub.pending = Some(Command::Join(pending));
            hub.emit(Effect::OpenRoom { room });
        }
        return;
    }
}

pub fn room_opened(hub: &mut Hub<'_>, opened: Result<bool, NoAnswer>) {
    let Some(Command::Join(pending)) = hub.pending.take() else {
        return;
    };
    match opened {
        Ok(true) => enter(hub, pending),
        Ok(false) => give_up(hub, pending, ServerFrame::error(ErrorCode::TooManyRooms)),
        Err(NoAnswer) => give_up(hub, pending, unanswered()),
    }
}

pub fn present(
    hub: &mut Hub<'_>,
    now: Timestamp,
    pending: Pending,
    attended: Result<Attended, NoAnswer>,
) {
    let view = match attended {
        Ok(Attended::Counted(view)) => view,
        Ok(Attended::Forbidden) => {
            return give_up(hub, pending, ServerFrame::error(ErrorCode::Forbidden));
        }
        Ok(Attended::Banned(term)) => {
            let error = ServerFrame::error(ErrorCode::Banned);
            return give_up(hub, pending, super::lasting(error, now, term));
        }
        Err(NoAnswer) => return give_up(hub, pending, unanswered()),
    };
    let Some(live) = hub.live() else { return };
    live.refused = 0;
    live.rooms.push(pending.current.room.clone());
    if !view.is_plain() {
        let frame = RoomFrame::personal(pending.current.room.clone(), *view);
        hub.send(ServerFrame::Room(Box::new(frame)));
    }
    hub.emit(Effect::Subscribe {
        room: pending.current.room,
        since: pending.current.since,
    });
    next(hub, pending.next, pending.reference, pending.alone);
}

fn enter(hub: &mut Hub<'_>, pending: Pending) {
    let Some(user) = hub.live().map(|live| live.user.clone()) else {
        return;
    };
    let room = pending.current.room.clone();
    hub.pending = Some(Command::Join(pending));
    hub.emit(Effect::Presence {
        room,
        user,
        present: true,
    });
}

/// Redis did not answer.
fn unanswered() -> ErrorFrame {
    ServerFrame::error(ErrorCode::Unavailable).retry_after(super::RETRY)
}

fn give_up(hub: &mut Hub<'_>, pending: Pending, error: ErrorFrame) {
    let error = error
        .answering(pending.reference.clone())
        .in_room(pending.current.room);
    // While Redis is away a client must not be closed for trying again.
    if pending.alone && error.code != ErrorCode::Unavailable {
        hub.refuse(error);
    } else {
        hub.send(ServerFrame::Error(Box::new(error)));
    }
    next(hub, pending.next, pending.reference, pending.alone);
}
