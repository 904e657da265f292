//! JSON Schema of the wire, for `cargo xtask codegen`: the types of clients are made from it.

use super::ServerFrame;
use crate::ids::{MessageId, Position, Reaction, RoomName, Seq, UserId};
use crate::log::Reference;
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
    /// A new token of the same user and issuer, before the one in use expires.
    Token {
        token: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        r#ref: Option<String>,
    },
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
