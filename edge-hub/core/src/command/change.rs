//! `{"type":"edit","room":"general","id":"01JE…","target":{"user":"ada","id":"01JD…"},"text":"hi"}`,
//! and `delete` and `react` (PROTOCOL.md, "Changes").
//!
//! A text that others will read is reviewed like a message's. Analytics counts messages only, so
//! nothing is recorded. Whether the target is there, and whose it is, only the store can tell.

use super::{Pending as Command, review};
use crate::auth::Role;
use crate::effect::{Effect, ForReview};
use crate::event::Verdict;
use crate::hub::Hub;
use crate::ids::{MessageId, RoomName};
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
        return append(hub, pending, None, None);
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
    append(hub, pending, Some(decision.moderation), decision.label);
}

fn append(
    hub: &mut Hub<'_>,
    pending: Pending,
    moderation: Option<Moderation>,
    label: Option<String>,
) {
    let seed = hub.seed;
    let may_moderate = hub.role() >= Role::Moderator;
    let Some(live) = hub.live() else { return };
    let mut draft = Draft::change(
        &pending.id,
        &live.user,
        pending.target.clone(),
        &pending.change,
        moderation.as_ref(),
        seed,
    );
    draft.may_moderate = may_moderate;
    draft.label = label;
    let mode = Mode::of(draft.action);
    hub.emit(Effect::Append {
        room: pending.room.clone(),
        mode,
        draft: Box::new(draft),
        updates: Vec::new(),
    });
    hub.pending = Some(Command::Change(Box::new(pending)));
}
