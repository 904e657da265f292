//! `{"type":"report","room":"general","target":{"user":"ada","id":"01JD…"},"reason":"spam"}`, `dismiss` and
//! `restore` (PROTOCOL.md, "Moderators").
//!
//! Who may, and which message is meant, its script says. To restore takes two steps: what was masked is
//! asked for and opened here, and then stored like an edit.

use super::{Pending as Command, change};
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::{MessageId, RoomName, UserId};
use crate::log::Reference;
use crate::log::moderation::{Reason, Record, Report, Resolution, Resolved};
use crate::protocol::{Done, ErrorCode, ServerFrame};
use crate::quarantine::Owner;
use crate::store::{Moderated, ModerationAction};
use crate::time::Timestamp;
use std::time::Duration;

/// When to try again what the edge's user of Redis may not write: an operator has to mend it.
const UNPUBLISHABLE_RETRY: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    room: RoomName,
    reference: Option<String>,
    /// Of `restore`: its own id, and what is to be restored.
    restores: Option<(MessageId, Reference)>,
}

pub fn report(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    target: Reference,
    (reason, note): (Reason, Option<String>),
    reference: Option<String>,
) {
    if super::in_room(hub, &room, &reference).is_none() {
        return;
    }
    if !hub.may_read(&room) {
        return hub.refuse(super::forbidden(room, reference));
    }
    let Some(by) = super::paced(hub, now, &reference) else {
        return;
    };
    let report = Record::Report(Report {
        by: by.clone(),
        reason,
        note,
    });
    let pending = Pending {
        room,
        reference,
        restores: None,
    };
    ask(
        hub,
        by,
        ModerationAction::Report { target },
        Some(&report),
        pending,
    );
}

pub fn dismiss(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    target: Reference,
    reference: Option<String>,
) {
    if !hub.may_write(&room) {
        return hub.refuse(super::forbidden(room, reference));
    }
    let Some(by) = super::paced(hub, now, &reference) else {
        return;
    };
    let record = Resolution::of_message(&by, Resolved::Dismiss);
    let pending = Pending {
        room,
        reference,
        restores: None,
    };
    ask(
        hub,
        by,
        ModerationAction::Dismiss { target },
        Some(&record),
        pending,
    );
}

pub fn restore(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    id: MessageId,
    target: Reference,
) {
    let Some(user) = super::admitted(hub, now, &room, &id) else {
        return;
    };
    let pending = Pending {
        room,
        reference: Some(id.to_string()),
        restores: Some((id, target.clone())),
    };
    ask(
        hub,
        user.id,
        ModerationAction::Original { target },
        None,
        pending,
    );
}

fn ask(
    hub: &mut Hub<'_>,
    by: UserId,
    action: ModerationAction,
    record: Option<&Record>,
    pending: Pending,
) {
    let (role, seed) = (hub.role(), hub.seed);
    hub.emit(Effect::Moderate {
        room: pending.room.clone(),
        by,
        role,
        action,
        record: record.map(|record| record.rest(seed)),
    });
    hub.pending = Some(Command::Moderate(Box::new(pending)));
}

pub fn moderated(hub: &mut Hub<'_>, now: Timestamp, outcome: Result<Moderated, NoAnswer>) {
    let pending = match hub.pending.take() {
        Some(Command::Moderate(pending)) => *pending,
        other => {
            hub.pending = other;
            return;
        }
    };
    let Pending {
        room,
        reference,
        restores,
    } = pending;
    let refused = |code| super::error(code, reference.clone()).in_room(room.clone());
    let error = match (outcome, restores) {
        (
            Ok(Moderated::Original {
                seq,
                user,
                id,
                sealed,
            }),
            Some((own, target)),
        ) => {
            let owner = Owner {
                room: &room,
                user: &user,
                id: &id,
            };
            match open(hub, owner, &sealed) {
                Some(text) => return change::restore(hub, room, own, target, (seq, text)),
                None => refused(ErrorCode::OriginalGone),
            }
        }
        (Ok(Moderated::Done | Moderated::Original { .. }), _) => {
            return hub.send(ServerFrame::Done(Done { reference }));
        }
        (Ok(Moderated::OriginalGone), _) => refused(ErrorCode::OriginalGone),
        (Ok(Moderated::Forbidden), _) => refused(ErrorCode::Forbidden),
        (Ok(Moderated::Banned(term)), _) => super::lasting(refused(ErrorCode::Banned), now, term),
        (Ok(Moderated::RateLimited { retry_after }), _) => {
            refused(ErrorCode::RateLimited).retry_after(retry_after)
        }
        (Ok(Moderated::TargetMissing), _) => refused(ErrorCode::TargetMissing),
        (Ok(Moderated::StaleTarget), _) => refused(ErrorCode::StaleTarget),
        (Ok(Moderated::Unpublishable), _) => {
            refused(ErrorCode::Unavailable).retry_after(UNPUBLISHABLE_RETRY)
        }
        (Err(NoAnswer), _) => refused(ErrorCode::Unavailable).retry_after(super::RETRY),
    };
    hub.send(ServerFrame::Error(Box::new(error)));
}

/// The text of what was sealed, if this deployment still has its key.
fn open(hub: &Hub<'_>, owner: Owner<'_>, sealed: &str) -> Option<String> {
    hub.settings.quarantine.as_ref()?.open(owner, sealed)
}
