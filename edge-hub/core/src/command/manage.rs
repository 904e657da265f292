//! `{"type":"create","room":"plans","private":true,"topic":"What next?"}`, `configure`, `delete_room`,
//! `direct`, `grant`, `revoke`, `kick`, `mute`, `ban` and `unban` (PROTOCOL.md, "Rooms").
//!
//! Nothing of a room is known here: its script says whether the user may, and tells the edges.

use super::Pending as Command;
use crate::auth::Role;
use crate::delivery::{Notice, NoticeKind};
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::{Pair, RoomName, UserId};
use crate::log::moderation::{Record, Resolution, Resolved};
use crate::protocol::{Done, ErrorCode, RoomFrame, ServerFrame};
use crate::store::{Managed, RoomAction, RoomPatch, RoomView};
use crate::time::Timestamp;
use std::time::Duration;

/// When to try again what the edge's user of Redis may not publish: an operator has to mend it.
const UNPUBLISHABLE_RETRY: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// `None` for what is done to a user wherever he is.
    about: Option<(RoomName, RoomAction)>,
    reference: Option<String>,
}

pub fn create(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    private: bool,
    settings: RoomPatch,
    reference: Option<String>,
) {
    let Some(user) = hub.live().map(|live| live.user.id.clone()) else {
        return;
    };
    let name = if private {
        RoomName::private(&user, &room)
    } else if room.is_private() {
        // Whether there is one is nobody's business, so it is as for every command about it.
        return hub.refuse(super::forbidden(room, reference));
    } else {
        Some(room.clone())
    };
    let Some(name) = name else {
        return hub.refuse(super::error(ErrorCode::BadRoom, reference));
    };
    if hub.settings.default_rooms.contains(&name) {
        return hub.refuse(super::error(ErrorCode::RoomExists, reference).in_room(name));
    }
    start(hub, now, name, RoomAction::Create(settings), reference);
}

pub fn direct(hub: &mut Hub<'_>, now: Timestamp, with: UserId, reference: Option<String>) {
    let Some(user) = hub.live().map(|live| live.user.id.clone()) else {
        return;
    };
    let Some(pair) = Pair::of(user, with) else {
        let error = super::error(ErrorCode::Forbidden, reference);
        return hub.refuse(error.because("a direct room is of two"));
    };
    let room = RoomName::direct(&pair);
    start(hub, now, room, RoomAction::Direct(pair), reference);
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    action: RoomAction,
    reference: Option<String>,
) {
    if !hub.may_write(&room) {
        return hub.refuse(super::forbidden(room, reference));
    }
    let Some(by) = super::paced(hub, now, &reference) else {
        return;
    };
    let role = hub.role();
    let record = record(&by, &action).map(|record| record.rest(hub.seed));
    hub.emit(Effect::Manage {
        room: room.clone(),
        by,
        role,
        action: action.clone(),
        record,
    });
    hub.pending = Some(Command::Manage(Box::new(Pending {
        about: Some((room, action)),
        reference,
    })));
}

/// What the moderation log gets of it.
fn record(by: &UserId, action: &RoomAction) -> Option<Record> {
    let (resolved, user, span) = match action {
        RoomAction::Kick { user } => (Resolved::Kick, user, None),
        RoomAction::Mute { user, span } => (Resolved::Mute, user, *span),
        RoomAction::Ban { user, span } => (Resolved::Ban, user, *span),
        RoomAction::Unban { user } => (Resolved::Unban, user, None),
        RoomAction::Look
        | RoomAction::Create(_)
        | RoomAction::Configure(_)
        | RoomAction::Direct(_)
        | RoomAction::Grant { .. }
        | RoomAction::Revoke { .. }
        | RoomAction::Delete => return None,
    };
    Some(Resolution::of_user(by, resolved, user, span))
}

/// Ends the connections of a user wherever he is.
pub fn kick(hub: &mut Hub<'_>, now: Timestamp, user: UserId, reference: Option<String>) {
    if hub.role() < Role::Moderator {
        return hub.refuse(super::error(ErrorCode::Forbidden, reference));
    }
    if super::paced(hub, now, &reference).is_none() {
        return;
    }
    hub.emit(Effect::Notify(Notice::new(
        NoticeKind::Kick,
        None,
        Some(user),
    )));
    hub.pending = Some(Command::Manage(Box::new(Pending {
        about: None,
        reference,
    })));
}

pub fn managed(
    hub: &mut Hub<'_>,
    now: Timestamp,
    pending: Pending,
    managed: Result<Managed, NoAnswer>,
) {
    let Pending { about, reference } = pending;
    let Some((room, action)) = about else { return };
    let refused = |code| super::error(code, reference.clone()).in_room(room.clone());
    let error = match managed {
        Ok(Managed::Done(view)) => return done(hub, room, &action, *view, reference),
        Ok(Managed::Deleted { .. }) => return settled(hub, reference),
        Ok(Managed::Forbidden) => refused(ErrorCode::Forbidden),
        Ok(Managed::Banned(term)) => super::lasting(refused(ErrorCode::Banned), now, term),
        Ok(Managed::Exists) => refused(ErrorCode::RoomExists),
        Ok(Managed::Full) => refused(match action {
            RoomAction::Create(_) | RoomAction::Direct(_) => ErrorCode::TooManyRooms,
            _ => ErrorCode::RoomFull,
        }),
        Ok(Managed::Unpublishable) => {
            let error = refused(ErrorCode::Unavailable).retry_after(UNPUBLISHABLE_RETRY);
            return hub.send(ServerFrame::Error(Box::new(error)));
        }
        Err(NoAnswer) => {
            let error = refused(ErrorCode::Unavailable).retry_after(super::RETRY);
            return hub.send(ServerFrame::Error(Box::new(error)));
        }
    };
    hub.refuse(error);
}

fn done(
    hub: &mut Hub<'_>,
    room: RoomName,
    action: &RoomAction,
    view: RoomView,
    reference: Option<String>,
) {
    match action {
        RoomAction::Look
        | RoomAction::Create(_)
        | RoomAction::Configure(_)
        | RoomAction::Direct(_) => {
            let settings = view.settings.clone();
            let frame = RoomFrame::personal(room.clone(), view).answering(reference);
            settle(hub, ServerFrame::Room(Box::new(frame)));
            if let RoomAction::Configure(_) = action {
                let frame = RoomFrame::common(room.clone(), settings);
                let frame = ServerFrame::Room(Box::new(frame));
                hub.emit(Effect::Announce { room, frame });
            }
        }
        RoomAction::Grant { .. }
        | RoomAction::Revoke { .. }
        | RoomAction::Kick { .. }
        | RoomAction::Mute { .. }
        | RoomAction::Ban { .. }
        | RoomAction::Unban { .. }
        | RoomAction::Delete => settled(hub, reference),
    }
}

pub fn notified(hub: &mut Hub<'_>, notified: Result<(), NoAnswer>) {
    let Some(Command::Manage(pending)) = hub.pending.take() else {
        return;
    };
    match notified {
        Ok(()) => settled(hub, pending.reference),
        Err(NoAnswer) => {
            let error = super::error(ErrorCode::Unavailable, pending.reference);
            let error = error.retry_after(super::RETRY);
            hub.send(ServerFrame::Error(Box::new(error)));
        }
    }
}

fn settled(hub: &mut Hub<'_>, reference: Option<String>) {
    settle(hub, ServerFrame::Done(Done { reference }));
}

fn settle(hub: &mut Hub<'_>, answer: ServerFrame) {
    if let Some(live) = hub.live() {
        live.refused = 0;
    }
    hub.send(answer);
}
