//! Bodies of requests. [`crate::protocol::decode`] reads them by hand, for the sake of its error codes.

use crate::ids::{MAX_SEQ, MessageId, Reaction, Seq, UserId};
use crate::limits::SLOW_MODE_MILLIS;
use crate::log::Reference;
use crate::log::moderation::Reason;
use crate::store::RoomRole;
use schemars::JsonSchema;

/// For whom a server, or a caller who chooses his own name, asks; ignored with a token. It may stand in
/// the query as well.
type Asking = Option<UserId>;

/// What is stored: without a `type` it is a message.
#[derive(JsonSchema)]
#[schemars(rename = "Post", untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Post {
    Send {
        #[schemars(extend("const" = "send"))]
        #[serde(skip_serializing_if = "Option::is_none")]
        r#type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Asking,
        id: MessageId,
        /// At most 4 KiB, unless the operator sets another limit; not only white space.
        #[schemars(extend("pattern" = r"\S"))]
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Reference>,
        /// At most 16.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(extend("maxItems" = 16))]
        mentions: Option<Vec<UserId>>,
    },
    Edit {
        #[schemars(extend("const" = "edit"))]
        r#type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Asking,
        id: MessageId,
        target: Reference,
        #[schemars(extend("pattern" = r"\S"))]
        text: String,
    },
    Delete {
        #[schemars(extend("const" = "delete"))]
        r#type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Asking,
        id: MessageId,
        target: Reference,
    },
    /// For moderators: what was masked is shown again.
    Restore {
        #[schemars(extend("const" = "restore"))]
        r#type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Asking,
        id: MessageId,
        target: Reference,
    },
    React {
        #[schemars(extend("const" = "react"))]
        r#type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Asking,
        id: MessageId,
        target: Reference,
        reaction: Reaction,
        #[serde(skip_serializing_if = "Option::is_none")]
        remove: Option<bool>,
    },
}

/// What is to be set of a room. What is not there stays as it is; an empty text, `false` or 0 takes it
/// away.
#[derive(JsonSchema)]
#[schemars(rename = "Configure")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Configure {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Asking,
    /// One line of at most 256 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = r"^[^\p{Cc}]*$"))]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = SLOW_MODE_MILLIS))]
    slow_mode_ms: Option<u64>,
    /// Never more than the deployment keeps, 10,000 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = 10_000))]
    log_entries: Option<u64>,
    /// Never longer than the deployment keeps them, 30 days by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = 2_592_000_000_u64))]
    log_age_ms: Option<u64>,
}

#[derive(JsonSchema)]
#[schemars(rename = "Create")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Create {
    /// Whether only who is let in may be there. The room's name is made of that in the path then.
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<bool>,
    #[serde(flatten)]
    settings: Configure,
}

#[derive(JsonSchema)]
#[schemars(rename = "Grant")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Grant {
    role: RoomRole,
}

/// Without a time: for ever.
#[derive(JsonSchema)]
#[schemars(rename = "Term")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Term {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = MAX_SEQ))]
    for_ms: Option<u64>,
}

#[derive(JsonSchema)]
#[schemars(rename = "NewReport")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Asking,
    target: Reference,
    reason: Reason,
    /// At most 256 bytes of UTF-8; only moderators read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename = "Dismiss")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Dismiss {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Asking,
    target: Reference,
}

#[derive(JsonSchema)]
#[schemars(rename = "Read")]
#[expect(dead_code, reason = "only its schema is used")]
pub struct Read {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Asking,
    /// The number of the last entry that was read.
    #[schemars(extend("maximum" = MAX_SEQ))]
    seq: Seq,
}
