//! `{"type":"send","room":"general","id":"01JD…","text":"hello"}` (PROTOCOL.md, "send").
//!
//! Four steps, each waiting for the answer to the one before: review, record, append, acknowledge.

use super::Pending as Command;
use crate::effect::{Effect, ForRecord, ForReview};
use crate::event::{MASKED, NoAnswer, Verdict};
use crate::hub::Hub;
use crate::ids::{MessageId, RoomName};
use crate::log::{Action, Body, Draft, Moderation, Reference};
use crate::protocol::{ErrorCode, ErrorFrame, ServerFrame};
use crate::store::{Appended, Mode, UPDATE_FIELD_BYTES, UPDATES, Update};
use crate::time::Timestamp;
use std::time::Duration;

/// What is stored with a message of a component's own words: no more than this.
const LABEL_BYTES: usize = 32;
const POLICY_BYTES: usize = 128;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    room: RoomName,
    body: Body,
    verdict: Option<Moderation>,
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    id: MessageId,
    text: String,
    reply_to: Option<Reference>,
) {
    let limits = &hub.settings.limits;
    let (rate, burst) = (limits.messages_per_second, limits.burst);
    let may_write = hub.may_write(&room);
    let Some(live) = hub.live() else { return };
    if !live.rooms.contains(&room) {
        hub.refuse(super::not_joined(room, Some(id.to_string())));
        return;
    }
    if !may_write {
        hub.refuse(super::forbidden(room, Some(id.to_string())));
        return;
    }
    // Before any review: a flood must not cost a component's time.
    if let Err(wait) = live.bucket.take(now, rate, burst) {
        let error = answer(ErrorCode::RateLimited, &room, &id).retry_after(wait);
        hub.send(ServerFrame::Error(Box::new(error)));
        return;
    }
    live.refused = 0;
    let user = live.user.clone();
    hub.emit(Effect::Review(ForReview {
        room: room.clone(),
        user: user.id.clone(),
        id: id.clone(),
        text: text.clone(),
        at: now,
        reply_to: reply_to.clone(),
    }));
    let body = Body {
        id,
        user,
        text,
        reply_to,
    };
    hub.pending = Some(Command::Send(Box::new(Pending {
        room,
        body,
        verdict: None,
    })));
}

pub fn reviewed(hub: &mut Hub<'_>, now: Timestamp, verdict: Result<Verdict, NoAnswer>) {
    let Some(Command::Send(mut pending)) = hub.pending.take() else {
        return;
    };
    let Ok(verdict) = verdict else {
        // Nothing unreviewed is kept: the message stays in the sender's outbox.
        let error = answer(ErrorCode::Unavailable, &pending.room, &pending.body.id);
        hub.send(ServerFrame::Error(Box::new(
            error.retry_after(super::RETRY),
        )));
        return;
    };
    if verdict.action == Action::Mask {
        let most = hub.settings.limits.text_bytes;
        pending.body.text = verdict
            .replacement
            .filter(|text| !text.trim().is_empty() && text.len() <= most)
            .unwrap_or_else(|| MASKED.to_owned());
    }
    let label = verdict
        .label
        .filter(|label| verdict.action != Action::Allow && label.len() <= LABEL_BYTES);
    hub.emit(Effect::Record(ForRecord {
        room: pending.room.clone(),
        user: pending.body.user.id.clone(),
        text: pending.body.text.clone(),
        at: now,
        action: verdict.action,
        label: label.clone(),
    }));
    pending.verdict = Some(Moderation {
        action: verdict.action,
        // A flagged message is delivered like any other; its label is the moderators' business.
        label: label.filter(|_| verdict.action != Action::Flag),
        policy: verdict.policy.filter(|policy| policy.len() <= POLICY_BYTES),
    });
    hub.pending = Some(Command::Send(pending));
}

pub fn recorded(hub: &mut Hub<'_>, mut updates: Vec<Update>) {
    let Some(Command::Send(pending)) = hub.pending.take() else {
        return;
    };
    let Some(moderation) = &pending.verdict else {
        return;
    };
    updates.retain(|update| match update {
        Update::Add { field, .. } | Update::Top { field, .. } | Update::Unique { value: field } => {
            (1..=UPDATE_FIELD_BYTES).contains(&field.len())
        }
        Update::Minute { .. } => true,
    });
    updates.truncate(UPDATES);
    let mode = if moderation.action == Action::Block {
        Mode::Refuse
    } else {
        Mode::Append
    };
    let draft = Box::new(Draft::message(&pending.body, moderation, hub.seed));
    hub.emit(Effect::Append {
        room: pending.room.clone(),
        mode,
        draft,
        updates,
    });
    hub.pending = Some(Command::Send(pending));
}

pub fn appended(hub: &mut Hub<'_>, now: Timestamp, outcome: Result<Appended, NoAnswer>) {
    let Some(Command::Send(pending)) = hub.pending.take() else {
        return;
    };
    let Pending { room, body, .. } = *pending;
    let refused = |code| answer(code, &room, &body.id);
    let error = match outcome {
        Ok(
            Appended::Stored {
                position, action, ..
            }
            | Appended::Duplicate { position, action },
        ) => {
            hub.send(ServerFrame::Ack {
                room,
                id: body.id,
                position,
                action,
            });
            return;
        }
        Ok(Appended::Refused) => refused(ErrorCode::Blocked),
        Ok(Appended::Banned { until }) => {
            let error = refused(ErrorCode::Banned);
            match until {
                Some(until) => error.retry_after(until.since(now)),
                None => error,
            }
        }
        Ok(Appended::RateLimited { retry_after }) => {
            refused(ErrorCode::RateLimited).retry_after(retry_after)
        }
        Ok(Appended::Unpublishable) => {
            refused(ErrorCode::Unavailable).retry_after(Duration::from_secs(30))
        }
        Err(NoAnswer) => refused(ErrorCode::Unavailable).retry_after(super::RETRY),
    };
    hub.send(ServerFrame::Error(Box::new(error)));
}

fn answer(code: ErrorCode, room: &RoomName, id: &MessageId) -> ErrorFrame {
    super::error(code, Some(id.to_string())).in_room(room.clone())
}
