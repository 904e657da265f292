//! JSON Schema of the wire, for `cargo xtask codegen`: the types of clients are made from it.

use super::ServerFrame;
use crate::ids::{MessageId, Position, Reaction, RoomName, Seq, UserId};
use crate::log::Reference;
use crate::log::moderation::Reason;
use crate::store::RoomRole;
use schemars::{JsonSchema, generate::SchemaSettings};

/// Everything that goes over a socket.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Frames {
    client: ClientFrameSchema,
    server: ServerFrame,
}

/// What a client may send. [`super::decode`] reads it by hand, for the sake of its error codes;
/// the vectors in `protocol/vectors/frames` hold the two together.
#[derive(JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schemars(rename = "ClientFrame")]
#[expect(dead_code, reason = "only its schema is used")]
enum ClientFrameSchema {
    Hello {
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        token: Option<String>,
        /// Without it the first default room is joined.
        #[serde(skip_serializing_if = "Option::is_none")]
        rooms: Option<Vec<JoinRoomSchema>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Join {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Leave {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Send {
        room: RoomName,
        id: MessageId,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Reference>,
        /// At most 16.
        #[serde(skip_serializing_if = "Option::is_none")]
        mentions: Option<Vec<UserId>>,
    },
    Edit {
        room: RoomName,
        id: MessageId,
        target: Reference,
        text: String,
    },
    Delete {
        room: RoomName,
        id: MessageId,
        target: Reference,
    },
    React {
        room: RoomName,
        id: MessageId,
        target: Reference,
        reaction: Reaction,
        #[serde(skip_serializing_if = "Option::is_none")]
        remove: Option<bool>,
    },
    /// Tells the moderators of a message.
    Report {
        room: RoomName,
        target: Reference,
        reason: Reason,
        /// At most 256 bytes.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Takes a message from the moderators' queue.
    Dismiss {
        room: RoomName,
        target: Reference,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Shows again what was masked.
    Restore {
        room: RoomName,
        id: MessageId,
        target: Reference,
    },
    Read {
        room: RoomName,
        seq: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Typing {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// `before` and `after` exclude each other; without either the newest come.
    History {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Ping {
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Makes a room, whose owner is who makes it. The name of a private one is made of `room`, and told
    /// by the answer.
    Create {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        private: Option<bool>,
        #[serde(flatten)]
        settings: SettingsSchema,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Configure {
        room: RoomName,
        #[serde(flatten)]
        settings: SettingsSchema,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    DeleteRoom {
        room: RoomName,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Finds or makes the private room of two.
    Direct {
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Grant {
        room: RoomName,
        user: UserId,
        role: RoomRole,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    Revoke {
        room: RoomName,
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Without a room: from everywhere.
    Kick {
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<RoomName>,
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Without a time: for ever.
    Mute {
        room: RoomName,
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Without a time: for ever.
    Ban {
        room: RoomName,
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// Ends a ban and a mute.
    Unban {
        room: RoomName,
        user: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
    /// A new token of the same user and issuer, before the one in use expires.
    Token {
        token: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
}

/// What is to be set of a room. What is not there stays as it is; an empty text or 0 takes it away.
#[derive(JsonSchema)]
#[schemars(rename = "RoomSettings")]
#[expect(dead_code, reason = "only its schema is used")]
struct SettingsSchema {
    /// At most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slow_mode_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_age_ms: Option<u64>,
}

/// A room to join, and where the client stands in it.
#[derive(JsonSchema)]
#[schemars(rename = "JoinRoom")]
#[expect(dead_code, reason = "only its schema is used")]
struct JoinRoomSchema {
    room: RoomName,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Position>,
}

/// The schema of all frames.
pub fn frames() -> schemars::Schema {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.contract = schemars::generate::Contract::Serialize)
        .into_generator()
        .into_root_schema_for::<Frames>()
}
