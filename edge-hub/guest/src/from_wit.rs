//! From the component's contracts into the core's types.

use crate::bindings::clustertalk::analytics::recorder;
use crate::bindings::clustertalk::moderation::moderator;
use crate::bindings::exports::clustertalk::websocket::handler;
use clustertalk_core::delivery::Notice;
use clustertalk_core::event::{Event, Score, Verdict};
use clustertalk_core::hub::Connection;
use clustertalk_core::log::Action;
use clustertalk_core::store::Update;

pub fn connection(connection: handler::Connection) -> Connection {
    let handler::Connection {
        id,
        edge,
        anonymous,
        token,
    } = connection;
    Connection {
        id,
        edge,
        anonymous,
        token,
    }
}

/// `None` for a notice that this build cannot read.
pub fn event(event: handler::Event) -> Option<Event> {
    Some(match event {
        handler::Event::Opened => Event::Opened,
        handler::Event::Frame(text) => Event::Frame(text),
        handler::Event::Closed(_) => Event::Closed,
        handler::Event::WakeUp => Event::WokeUp,
        handler::Event::Noticed(payload) => Event::Noticed(Notice::parse(&payload).ok()?),
    })
}

pub fn verdict(verdict: moderator::Verdict) -> Verdict {
    let action = match verdict.action {
        moderator::Action::Allow => Action::Allow,
        moderator::Action::Flag => Action::Flag,
        moderator::Action::Mask => Action::Mask,
        moderator::Action::Block => Action::Block,
    };
    let label = verdict.scores.first().map(|score| score.label.clone());
    let label = label.filter(|label| label.len() <= 32);
    let scores = verdict.scores.into_iter();
    let score = |moderator::Score { label, value }| Score { label, value };
    Verdict {
        action,
        replacement: verdict.replacement,
        label,
        scores: scores.map(score).collect(),
        rule: verdict.rule,
        model: verdict.model,
        policy: verdict.policy,
    }
}

pub fn update(update: recorder::Update) -> Update {
    match update {
        recorder::Update::Add(recorder::Counter { field, amount }) => Update::Add { field, amount },
        recorder::Update::Unique(value) => Update::Unique { value },
        recorder::Update::Top(recorder::Counter { field, amount }) => Update::Top { field, amount },
        recorder::Update::Minute(amount) => Update::Minute { amount },
    }
}
