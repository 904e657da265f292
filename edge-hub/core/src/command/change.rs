//! `{"type":"edit","room":"general","id":"01JE…","target":{"user":"ada","id":"01JD…"},"text":"hi"}`,
//! and `delete` and `react` (PROTOCOL.md, "Changes").
//!
//! A text that others will read is reviewed like a message's. Analytics counts messages only, so
//! nothing is recorded. Whether the target is there, and whose it is, only the store can tell.

use super::Pending as Command;
use super::review::{self, Decision};
use crate::auth::Role;
use crate::effect::{Effect, ForReview};
use crate::event::Verdict;
use crate::hub::Hub;
use crate::ids::{MessageId, RoomName, Seq};
use crate::log::moderation::{Resolution, Resolved};
use crate::log::{Action, Change, Draft, Moderation, Reference};
use crate::store::Mode;
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    pub room: RoomName,
    pub id: MessageId,
    target: Reference,
    change: Change,
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    room: RoomName,
    id: MessageId,
    target: Reference,
    change: Change,
) {
    let Some(user) = super::admitted(hub, now, &room, &id) else {
        return;
    };
    let text = match &change {
        Change::Edit { text } => Some(text.clone()),
        Change::React {
            reaction,
            remove: false,
        } => Some(reaction.to_string()),
        Change::Delete | Change::React { .. } => None,
    };
    let pending = Pending {
        room,
        id,
        target,
        change,
    };
    let Some(text) = text else {
        return append(hub, pending, None);
    };
    hub.emit(Effect::Review(ForReview {
        room: pending.room.clone(),
        user: user.id,
        id: pending.id.clone(),
        text,
        at: now,
        reply_to: None,
    }));
    hub.pending = Some(Command::Change(Box::new(pending)));
}

pub fn reviewed(hub: &mut Hub<'_>, mut pending: Pending, verdict: Verdict) {
    let most = hub.settings.limits.text_bytes;
    let mut decision = match &mut pending.change {
        Change::Edit { text } => review::apply(verdict, text, most),
        Change::Delete | Change::React { .. } => review::apply(verdict, &mut String::new(), most),
    };
    let is_edit = matches!(pending.change, Change::Edit { .. });
    if !is_edit && decision.moderation.action == Action::Mask {
        // Nothing can stand in the place of a reaction.
        decision.moderation.action = Action::Block;
    }
    append(hub, pending, Some(decision));
}

/// Puts the text of the entry `restores` back in the place of the one that masks it. A moderator does it,
/// so nobody reviews it again.
pub fn restore(
    hub: &mut Hub<'_>,
    room: RoomName,
    id: MessageId,
    target: Reference,
    (restores, text): (Seq, String),
) {
    let pending = Pending {
        room,
        id,
        target,
        change: Change::Edit { text },
    };
    let allowed = Moderation {
        action: Action::Allow,
        label: None,
        policy: None,
    };
    let Some(mut draft) = draft_of(hub, &pending, Some(&allowed)) else {
        return;
    };
    draft.restores = Some(restores);
    let record = Resolution::of_message(&draft.user, Resolved::Restore);
    draft.record = Some(record.rest(hub.seed));
    store(hub, pending, draft);
}

fn append(hub: &mut Hub<'_>, pending: Pending, decision: Option<Decision>) {
    let moderation = decision.as_ref().map(|decision| &decision.moderation);
    let Some(mut draft) = draft_of(hub, &pending, moderation) else {
        return;
    };
    if let Some(decision) = decision {
        decision.accompany(hub, &pending.room, &mut draft);
    }
    if pending.change == Change::Delete {
        // For a moderator's, which only the store can tell.
        let record = Resolution::of_message(&draft.user, Resolved::Delete);
        draft.record = Some(record.rest(hub.seed));
    }
    store(hub, pending, draft);
}

fn draft_of(hub: &Hub<'_>, pending: &Pending, moderation: Option<&Moderation>) -> Option<Draft> {
    let mut draft = Draft::change(
        &pending.id,
        hub.user()?,
        pending.target.clone(),
        &pending.change,
        moderation,
        hub.seed,
    );
    draft.may_moderate = hub.role() >= Role::Moderator;
    Some(draft)
}

fn store(hub: &mut Hub<'_>, pending: Pending, draft: Draft) {
    let mode = Mode::of(draft.action);
    hub.emit(Effect::Append {
        room: pending.room.clone(),
        mode,
        draft: Box::new(draft),
        updates: Vec::new(),
    });
    hub.pending = Some(Command::Change(Box::new(pending)));
}
