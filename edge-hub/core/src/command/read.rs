//! `{"type":"read","room":"general","seq":44}` (PROTOCOL.md, "read").

use super::Pending as Command;
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::{RoomName, Seq};
use crate::limits::RECEIPT_READERS;
use crate::protocol::{ErrorCode, ServerFrame};
use crate::store::Marked;
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    room: RoomName,
    reference: Option<String>,
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    seq: Seq,
    reference: Option<String>,
) {
    let pause = hub.settings.limits.read;
    let Some(live) = super::in_room(hub, &room, &reference) else {
        return;
    };
    // Dropped in silence, like `typing`: the next one says more.
    if live.read_at > now || now.since(live.read_at) < pause {
        return;
    }
    live.read_at = now;
    let user = live.user.id.clone();
    hub.emit(Effect::Mark {
        room: room.clone(),
        user,
        seq,
    });
    hub.pending = Some(Command::Read(Pending { room, reference }));
}

pub fn marked(hub: &mut Hub<'_>, marked: Result<Marked, NoAnswer>) {
    let Some(Command::Read(Pending { room, reference })) = hub.pending.take() else {
        return;
    };
    let Some(user) = hub.live().map(|live| live.user.clone()) else {
        return;
    };
    let Ok(marked) = marked else {
        let error = super::error(ErrorCode::Unavailable, reference).in_room(room);
        hub.send(ServerFrame::Error(Box::new(
            error.retry_after(super::RETRY),
        )));
        return;
    };
    let receipt = ServerFrame::Receipt {
        room: room.clone(),
        user,
        seq: marked.seq,
    };
    hub.send(receipt.clone());
    if marked.moved && marked.readers <= RECEIPT_READERS {
        hub.emit(Effect::Announce {
            room,
            frame: receipt,
        });
    }
}
