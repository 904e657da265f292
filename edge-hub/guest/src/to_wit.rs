//! From the core's types into the component's contracts.

use crate::bindings::clustertalk::analytics::recorder;
use crate::bindings::clustertalk::moderation::moderator;
use crate::bindings::exports::clustertalk::websocket::handler;
use crate::perform::ForHost;
use clustertalk_core::effect::{ForRecord, ForReview};
use clustertalk_core::log::{Action, Reference};
use clustertalk_core::protocol::{CloseCode, ErrorCode, ServerFrame};

pub fn effect(effect: ForHost) -> handler::Effect {
    match effect {
        ForHost::Send(frame) => handler::Effect::Send(frame.encode()),
        ForHost::Subscribe { room, since } => handler::Effect::Subscribe(handler::Subscription {
            room: room.to_string(),
            since: since.map(|since| handler::Position {
                seq: since.seq,
                tag: since.tag.to_string(),
            }),
        }),
        ForHost::Unsubscribe { room } => handler::Effect::Unsubscribe(room.to_string()),
        ForHost::Announce { room, frame } => handler::Effect::Announce(handler::Announcement {
            room: room.to_string(),
            payload: frame.encode(),
        }),
        ForHost::Identify(user) => handler::Effect::Identify(handler::User {
            id: user.id.to_string(),
            name: user.name,
        }),
        ForHost::WakeAt(at) => handler::Effect::WakeAt(at.as_millis()),
        ForHost::Close(code) => close(code),
    }
}

pub fn close(code: CloseCode) -> handler::Effect {
    handler::Effect::Close(handler::CloseFrame {
        code: code.code(),
        reason: code.sentence().to_owned(),
    })
}

/// Tells the client, which in most cases is the operator's own, and lets it come again.
pub fn misconfigured(error: &str) -> [handler::Effect; 2] {
    let frame = ServerFrame::error(ErrorCode::Internal).because(error);
    [
        handler::Effect::Send(ServerFrame::Error(Box::new(frame)).encode()),
        close(CloseCode::Internal),
    ]
}

pub fn message(message: ForReview) -> moderator::Message {
    let ForReview {
        room,
        user,
        id,
        text,
        at,
        reply_to,
    } = message;
    moderator::Message {
        room: room.to_string(),
        user: user.to_string(),
        id: id.to_string(),
        text,
        at: at.as_millis(),
        reply: reply_to.map(|reference| match reference {
            Reference::Id { id, .. } => id.to_string(),
            Reference::Position(position) => position.to_string(),
        }),
    }
}

pub fn record(record: ForRecord) -> recorder::Event {
    recorder::Event {
        room: record.room.to_string(),
        user: record.user.to_string(),
        text: record.text,
        at: record.at.as_millis(),
        action: match record.action {
            Action::Allow => recorder::Action::Allow,
            Action::Flag => recorder::Action::Flag,
            Action::Mask => recorder::Action::Mask,
            Action::Block => recorder::Action::Block,
        },
        label: record.label,
    }
}
