//! `{"type":"join","room":"tech","since":{"seq":41,"tag":"9f2c01ab33d0e1f2"}}`
//! (PROTOCOL.md, "join"). A second `join` of a room is a resync.

use super::Pending as Command;
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::protocol::{ErrorCode, JoinRoom, ServerFrame};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    current: JoinRoom,
    next: VecDeque<JoinRoom>,
    reference: Option<String>,
}

pub fn start(hub: &mut Hub<'_>, join: JoinRoom, reference: Option<String>) {
    if hub.may_read(&join.room) {
        next(hub, vec![join].into(), reference);
    } else {
        hub.refuse(super::forbidden(join.room, reference));
    }
}

/// Joins the rooms of a `hello` one after the other.
pub fn all(hub: &mut Hub<'_>, rooms: Vec<JoinRoom>, reference: Option<String>) {
    let (open, closed): (Vec<_>, Vec<_>) =
        rooms.into_iter().partition(|join| hub.may_read(&join.room));
    for JoinRoom { room, .. } in closed {
        // All of them are one frame, and must not close a client that was in many rooms.
        let error = super::forbidden(room, reference.clone());
        hub.send(ServerFrame::Error(Box::new(error)));
    }
    next(hub, open.into(), reference);
}

fn next(hub: &mut Hub<'_>, mut rooms: VecDeque<JoinRoom>, reference: Option<String>) {
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
        };
        if default {
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
    let (code, retry) = match opened {
        Ok(true) => return enter(hub, pending),
        Ok(false) => (ErrorCode::TooManyRooms, None),
        Err(NoAnswer) => (ErrorCode::Unavailable, Some(super::RETRY)),
    };
    give_up(hub, pending, code, retry);
}

pub fn present(hub: &mut Hub<'_>, pending: Pending, members: Result<u64, NoAnswer>) {
    if members.is_err() {
        return give_up(hub, pending, ErrorCode::Unavailable, Some(super::RETRY));
    }
    let Some(live) = hub.live() else { return };
    live.refused = 0;
    live.rooms.push(pending.current.room.clone());
    hub.emit(Effect::Subscribe {
        room: pending.current.room,
        since: pending.current.since,
    });
    next(hub, pending.next, pending.reference);
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

fn give_up(hub: &mut Hub<'_>, pending: Pending, code: ErrorCode, retry: Option<Duration>) {
    let error = super::error(code, pending.reference.clone()).in_room(pending.current.room);
    match retry {
        // Not the client's fault: while Redis is away it must not be closed for trying again.
        Some(span) => hub.send(ServerFrame::Error(Box::new(error.retry_after(span)))),
        None => hub.refuse(error),
    }
    next(hub, pending.next, pending.reference);
}
