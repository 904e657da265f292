//! What an edge told of the connection's user or of one of its rooms. It is a hint: but for a kick
//! and a room that is gone, the room is asked how its user finds it.

use super::{Pending as Command, leave};
use crate::delivery::{Notice, NoticeKind};
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::{CloseCode, LeftReason, RoomFrame, ServerFrame};
use crate::store::{Managed, RoomAction};

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    room: RoomName,
}

pub fn noticed(hub: &mut Hub<'_>, notice: Notice) {
    let Some(live) = hub.live() else { return };
    if notice.user.is_some_and(|user| user != live.user.id) {
        return;
    }
    let by = live.user.id.clone();
    let is_in = |room: &RoomName| live.rooms.contains(room);
    match (notice.kind, notice.room) {
        (NoticeKind::Kick, None) => hub.close(CloseCode::Kicked),
        (NoticeKind::Kick, Some(room)) if is_in(&room) => {
            leave::all(hub, vec![room], Some(LeftReason::Kicked));
        }
        (NoticeKind::Delete, Some(room)) if is_in(&room) => {
            leave::all(hub, vec![room], Some(LeftReason::Deleted));
        }
        (NoticeKind::Changed, Some(room)) if hub.may_read(&room) => {
            let role = hub.role();
            hub.emit(Effect::Manage {
                room: room.clone(),
                by,
                role,
                action: RoomAction::Look,
                record: None,
            });
            hub.pending = Some(Command::Notice(Pending { room }));
        }
        _ => {}
    }
}

pub fn looked(hub: &mut Hub<'_>, pending: Pending, managed: Result<Managed, NoAnswer>) {
    let Some(live) = hub.live() else { return };
    let room = pending.room;
    let is_in = live.rooms.contains(&room);
    match managed {
        // One who is not there is told of private rooms only, into which he was let.
        Ok(Managed::Done(view)) if is_in || room.is_private() => {
            let frame = RoomFrame::personal(room, *view);
            hub.send(ServerFrame::Room(Box::new(frame)));
        }
        Ok(Managed::Banned(_)) if is_in => {
            leave::all(hub, vec![room], Some(LeftReason::Banned));
        }
        Ok(Managed::Forbidden) if is_in => {
            leave::all(hub, vec![room], Some(LeftReason::Forbidden));
        }
        // Without an answer the next refresh of the room's presence finds whoever may not be there.
        _ => {}
    }
}
