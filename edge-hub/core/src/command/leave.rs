//! `{"type":"leave","room":"tech"}` (PROTOCOL.md, "leave"); and the end of a connection, which
//! leaves every room.

use super::Pending as Command;
use crate::effect::Effect;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::{LeftReason, ServerFrame};

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    next: Vec<RoomName>,
}

pub fn start(hub: &mut Hub<'_>, room: RoomName) {
    let Some(live) = hub.live() else { return };
    live.refused = 0;
    if live.rooms.contains(&room) {
        all(hub, vec![room], None);
    } else {
        // Answered alike: the client wants to be out, and is.
        hub.send(ServerFrame::Left { room, reason: None });
    }
}

/// Leaves rooms that the connection has joined; without a reason because the user wants to.
pub fn all(hub: &mut Hub<'_>, rooms: Vec<RoomName>, reason: Option<LeftReason>) {
    let Some(live) = hub.live() else { return };
    live.rooms.retain(|joined| !rooms.contains(joined));
    for room in &rooms {
        hub.send(ServerFrame::Left {
            room: room.clone(),
            reason,
        });
        hub.emit(Effect::Unsubscribe { room: room.clone() });
    }
    next(hub, rooms);
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
