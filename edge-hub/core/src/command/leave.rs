//! `{"type":"leave","room":"tech"}` (PROTOCOL.md, "leave"); and the end of a connection, which
//! leaves every room.

use super::Pending as Command;
use crate::effect::Effect;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::ServerFrame;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    next: Vec<RoomName>,
}

pub fn start(hub: &mut Hub<'_>, room: RoomName) {
    let Some(live) = hub.live() else { return };
    live.refused = 0;
    let before = live.rooms.len();
    live.rooms.retain(|joined| joined != &room);
    let was_there = live.rooms.len() < before;
    // Leaving a room that was not joined is answered alike: the client wants to be out, and is.
    hub.send(ServerFrame::Left { room: room.clone() });
    if was_there {
        hub.emit(Effect::Unsubscribe { room: room.clone() });
        next(hub, vec![room]);
    }
}

/// The connection is gone: only presence is left to be cleared.
pub fn everything(hub: &mut Hub<'_>) {
    let rooms = hub
        .live()
        .map(|live| std::mem::take(&mut live.rooms))
        .unwrap_or_default();
    next(hub, rooms);
}

pub fn absent(hub: &mut Hub<'_>, pending: Pending) {
    next(hub, pending.next);
}

fn next(hub: &mut Hub<'_>, mut rooms: Vec<RoomName>) {
    let Some(user) = hub.live().map(|live| live.user.clone()) else {
        return;
    };
    let Some(room) = rooms.pop() else { return };
    hub.pending = Some(Command::Leave(Pending { next: rooms }));
    hub.emit(Effect::Presence {
        room,
        user,
        present: false,
    });
}
