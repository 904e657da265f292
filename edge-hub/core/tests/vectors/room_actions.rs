//! What is done with a room, as the vectors write it.

use clustertalk_core::store::{RoomAction, RoomPatch};
use serde_json::{Value, json};

/// What stays as it is is left out.
pub fn shown_patch(patch: &RoomPatch) -> Value {
    let millis = |span: std::time::Duration| span.as_millis() as u64;
    let fields = [
        ("topic", json!(patch.topic)),
        ("read_only", json!(patch.read_only)),
        ("archived", json!(patch.archived)),
        ("slow_mode_ms", json!(patch.slow_mode.map(millis))),
        ("log_entries", json!(patch.log_entries)),
        ("log_age_ms", json!(patch.log_age.map(millis))),
    ];
    let set = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(set.map(|(name, value)| (name.to_owned(), value)).collect())
}

pub fn shown_action(action: &RoomAction) -> Value {
    let millis = |span: &Option<std::time::Duration>| span.map(|span| span.as_millis() as u64);
    match action {
        RoomAction::Look => json!({"type": "look"}),
        RoomAction::Create(patch) => json!({"type": "create", "settings": shown_patch(patch)}),
        RoomAction::Configure(patch) => {
            json!({"type": "configure", "settings": shown_patch(patch)})
        }
        RoomAction::Direct(pair) => json!({"type": "direct", "users": pair}),
        RoomAction::Grant { user, role } => json!({"type": "grant", "user": user, "role": role}),
        RoomAction::Revoke { user } => json!({"type": "revoke", "user": user}),
        RoomAction::Kick { user } => json!({"type": "kick", "user": user}),
        RoomAction::Mute { user, span } => {
            json!({"type": "mute", "user": user, "for_ms": millis(span)})
        }
        RoomAction::Ban { user, span } => {
            json!({"type": "ban", "user": user, "for_ms": millis(span)})
        }
        RoomAction::Unban { user } => json!({"type": "unban", "user": user}),
        RoomAction::Delete => json!({"type": "delete"}),
    }
}
