//! `{"type":"typing","room":"general"}` (PROTOCOL.md, "typing"). Told once, never stored.

use crate::effect::Effect;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::ServerFrame;
use crate::time::Timestamp;

pub fn start(hub: &mut Hub<'_>, now: Timestamp, room: RoomName, reference: Option<String>) {
    let pause = hub.settings.limits.typing;
    let may_write = hub.may_write(&room);
    let Some(live) = super::in_room(hub, &room, &reference) else {
        return;
    };
    // Dropped in silence: nobody misses it, and an answer would cost more than it saves.
    if !may_write || live.typed_at > now || now.since(live.typed_at) < pause {
        return;
    }
    live.typed_at = now;
    let user = live.user.clone();
    hub.emit(Effect::Announce {
        room: room.clone(),
        frame: ServerFrame::Typing { room, user },
    });
}
