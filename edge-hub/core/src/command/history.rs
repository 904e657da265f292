//! `{"type":"history","room":"general","before":44,"limit":50}` (PROTOCOL.md, "history").

use super::Pending as Command;
use crate::delivery::frame;
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::{ErrorCode, History, HistoryRange, ServerFrame};
use crate::store::{Range, Read};
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    room: RoomName,
    reference: Option<String>,
}

pub fn start(
    hub: &mut Hub<'_>,
    room: RoomName,
    range: HistoryRange,
    limit: Option<usize>,
    reference: Option<String>,
) {
    let most = hub.settings.limits.page_messages;
    let Some(live) = super::in_room(hub, &room, &reference) else {
        return;
    };
    let user = live.user.id.clone();
    let range = match range {
        HistoryRange::Before(seq) => Range::Before(seq),
        HistoryRange::After(seq) => Range::From(seq + 1),
        HistoryRange::Newest => Range::Tail,
    };
    let limit = limit
        .unwrap_or(hub.settings.limits.recent_messages)
        .clamp(1, most);
    hub.emit(Effect::Load {
        room: room.clone(),
        user,
        range,
        limit,
    });
    hub.pending = Some(Command::History(Pending { room, reference }));
}

pub fn loaded(hub: &mut Hub<'_>, now: Timestamp, read: Result<Read, NoAnswer>) {
    let Some(Command::History(Pending { room, reference })) = hub.pending.take() else {
        return;
    };
    let refused = |code| super::error(code, reference.clone()).in_room(room.clone());
    let stretch = match read {
        Ok(Read::Stretch(stretch)) => stretch,
        Ok(Read::Forbidden) => return hub.refuse(refused(ErrorCode::Forbidden)),
        Ok(Read::Banned(term)) => {
            return hub.refuse(super::lasting(refused(ErrorCode::Banned), now, term));
        }
        Err(NoAnswer) => {
            let error = refused(ErrorCode::Unavailable).retry_after(super::RETRY);
            return hub.send(ServerFrame::Error(Box::new(error)));
        }
    };
    let messages = stretch
        .entries
        .iter()
        .map(|entry| frame(&room, entry))
        .collect();
    let history = History {
        room,
        messages,
        more: stretch.more,
        reference,
    };
    hub.send(ServerFrame::History(Box::new(history)));
}
