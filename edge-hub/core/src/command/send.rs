//! `{"type":"send","room":"general","id":"01JD…","text":"hello"}` (PROTOCOL.md, "send").
//!
//! Four steps, each waiting for the answer to the one before: review, record, append, acknowledge.

use super::Pending as Command;
use super::review::{self, Decision};
use crate::auth::Role;
use crate::effect::{Effect, ForRecord, ForReview};
use crate::event::Verdict;
use crate::hub::Hub;
use crate::ids::{MessageId, RoomName, UserId};
use crate::log::{Body, Draft, Reference};
use crate::store::{Mode, UPDATE_FIELD_BYTES, UPDATES, Update};
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub room: RoomName,
    pub body: Body,
    verdict: Option<Decision>,
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    id: MessageId,
    text: String,
    reply_to: Option<Reference>,
    mentions: Vec<UserId>,
) {
    let Some(user) = super::admitted(hub, now, &room, &id) else {
        return;
    };
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
        mentions,
    };
    hub.pending = Some(Command::Send(Box::new(Pending {
        room,
        body,
        verdict: None,
    })));
}

pub fn reviewed(hub: &mut Hub<'_>, now: Timestamp, mut pending: Pending, verdict: Verdict) {
    let most = hub.settings.limits.text_bytes;
    let decision = review::apply(verdict, &mut pending.body.text, most);
    hub.emit(Effect::Record(ForRecord {
        room: pending.room.clone(),
        user: pending.body.user.id.clone(),
        text: pending.body.text.clone(),
        at: now,
        action: decision.moderation.action,
        label: decision.label.clone(),
    }));
    pending.verdict = Some(decision);
    hub.pending = Some(Command::Send(Box::new(pending)));
}

pub fn recorded(hub: &mut Hub<'_>, mut updates: Vec<Update>) {
    let Some(Command::Send(mut pending)) = hub.pending.take() else {
        return;
    };
    let Some(decision) = pending.verdict.take() else {
        return;
    };
    updates.retain(|update| match update {
        Update::Add { field, .. } | Update::Top { field, .. } | Update::Unique { value: field } => {
            (1..=UPDATE_FIELD_BYTES).contains(&field.len())
        }
        Update::Minute { .. } => true,
    });
    updates.truncate(UPDATES);
    let moderation = &decision.moderation;
    let mut draft = Box::new(Draft::message(&pending.body, moderation, hub.seed));
    draft.may_moderate = hub.role() >= Role::Moderator;
    decision.accompany(hub, &pending.room, &mut draft);
    hub.emit(Effect::Append {
        room: pending.room.clone(),
        mode: Mode::of(draft.action),
        draft,
        updates,
    });
    hub.pending = Some(Command::Send(pending));
}
