//! What a room's log holds: entries as stored, and the chain that links them.
//!
//! An entry is one JSON object. The append script writes `v`, `seq`, `prev`, `tag` and `at` in
//! front of what the hub prepared (a [`Draft`]). An entry without `body` is a tombstone: its place
//! in the chain stays, its content is gone.

use crate::ids::{MAX_SEQ, MessageId, Position, Seq, Tag, User};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The version of the stored format that this build writes.
pub const VERSION: u32 = 1;

/// The kind of a chat message.
pub const MESSAGE: &str = "message";
/// The kind of the tombstone that stands for entries removed behind the hub's back.
pub const DAMAGED: &str = "damaged";

/// How an entry hangs on the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The first number that this entry covers: its own, or less for a `damaged` tombstone.
    pub from: Seq,
    pub seq: Seq,
    /// The tag of the entry before `from`.
    pub prev: Tag,
    pub tag: Tag,
}

impl Link {
    /// The position of a reader who has this entry.
    pub const fn position(&self) -> Position {
        Position::new(self.seq, self.tag)
    }

    /// The position of a reader who has everything before this entry.
    pub const fn before(&self) -> Position {
        Position::new(self.from.saturating_sub(1), self.prev)
    }
}

/// One entry or tombstone of a room's log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub link: Link,
    /// Redis TIME at the append.
    pub at: Timestamp,
    pub content: Content,
}

/// What an entry says, as far as this build understands it.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Message(Box<Message>),
    /// Deleted, or of a kind or version that this build does not know: readers advance over it.
    Skipped,
    /// Entries removed behind the hub's back: readers are told, and advance over them.
    Damaged,
}

/// A stored chat message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub body: Body,
    pub moderation: Moderation,
}

/// All that a deletion or erasure removes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub id: MessageId,
    pub user: User,
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Reference>,
}

/// Another message: by its sender and id, or by its full position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Reference {
    Id {
        user: crate::ids::UserId,
        id: MessageId,
    },
    Position(Position),
}

/// What was decided of a message, and by which policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moderation {
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The digest of the moderation component, `sha256:…`, where the host knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Allow,
    Flag,
    Mask,
    Block,
}

impl Action {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Flag => "flag",
            Self::Mask => "mask",
            Self::Block => "block",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Allow, Self::Flag, Self::Mask, Self::Block]
            .into_iter()
            .find(|action| action.as_str() == text)
    }
}

/// Why bytes from Redis are not an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("not an entry: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an entry that covers {from} to {seq}")]
    Span { from: Seq, seq: Seq },
}

#[derive(Deserialize)]
struct Stored<'a> {
    v: u32,
    seq: Seq,
    from: Option<Seq>,
    prev: Tag,
    tag: Tag,
    at: Timestamp,
    kind: String,
    #[serde(borrow)]
    body: Option<&'a serde_json::value::RawValue>,
    moderation: Option<Moderation>,
}

impl Entry {
    /// Reads an entry or tombstone as the append script stored it.
    pub fn parse(json: &[u8]) -> Result<Self, EntryError> {
        let stored: Stored<'_> = serde_json::from_slice(json)?;
        let from = stored.from.unwrap_or(stored.seq);
        if from > stored.seq || from == 0 || stored.seq > MAX_SEQ {
            return Err(EntryError::Span {
                from,
                seq: stored.seq,
            });
        }
        let content = match (
            stored.v,
            stored.kind.as_str(),
            stored.body,
            stored.moderation,
        ) {
            (_, DAMAGED, _, _) => Content::Damaged,
            // A body that this build cannot read is skipped like an unknown kind: the chain goes on.
            (VERSION, MESSAGE, Some(body), Some(moderation)) => serde_json::from_str(body.get())
                .map_or(Content::Skipped, |body| {
                    Content::Message(Box::new(Message { body, moderation }))
                }),
            _ => Content::Skipped,
        };
        let link = Link {
            from,
            seq: stored.seq,
            prev: stored.prev,
            tag: stored.tag,
        };
        Ok(Self {
            link,
            at: stored.at,
            content,
        })
    }
}

/// An entry before the script gives it a place: its kind and the rest of its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub user: crate::ids::UserId,
    pub id: MessageId,
    pub action: Action,
    /// SHA-256(salt ‖ body) in hexadecimal: what the tag covers of the body.
    pub hash: String,
    /// `"kind":…,"hash":…,"salt":…,"body":{…},"moderation":{…}}`
    pub json: String,
}

impl Draft {
    /// A chat message. `salt` must be unpredictable: with it gone, the hash tells nothing of the body.
    pub fn message(body: &Body, moderation: &Moderation, salt: [u8; 16]) -> Self {
        let body_json = serde_json::to_string(body).unwrap_or_default();
        let moderation_json = serde_json::to_string(moderation).unwrap_or_default();
        let salt = hexadecimal(&salt);
        let hash = body_hash(&salt, &body_json);
        let json = format!(
            r#""kind":"{MESSAGE}","hash":"{hash}","salt":"{salt}","body":{body_json},"moderation":{moderation_json}}}"#
        );
        Self {
            user: body.user.id.clone(),
            id: body.id.clone(),
            action: moderation.action,
            hash,
            json,
        }
    }
}

/// SHA-256(salt ‖ body), both as they stand in the entry's JSON; 64 hexadecimal digits.
pub fn body_hash(salt: &str, body_json: &str) -> String {
    hexadecimal(
        &Sha256::new()
            .chain_update(salt)
            .chain_update(body_json)
            .finalize(),
    )
}

/// The tag of an entry: the first 16 hexadecimal digits of
/// SHA-1(`prev|seq|kind|at|v|hash`). The append script computes the same; SHA-1 is what Lua has,
/// and the chain guards against loss and accident, not against one who can write to Redis.
pub fn chain_tag(prev: Tag, seq: Seq, kind: &str, at: Timestamp, version: u32, hash: &str) -> Tag {
    let header = format!("{prev}|{seq}|{kind}|{}|{version}|{hash}", at.as_millis());
    let digest = Sha1::digest(header);
    let mut bits = [0; 8];
    bits.copy_from_slice(&digest[..8]);
    Tag::from_bits(u64::from_be_bytes(bits))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_body_is_skipped_but_linked() {
        let json = br#"{"v":1,"seq":5,"prev":"00000000000000aa","tag":"00000000000000bb","at":7,"kind":"message","hash":"x"}"#;
        let entry = Entry::parse(json).unwrap();
        assert_eq!(entry.content, Content::Skipped);
        assert_eq!(entry.link.position().to_string(), "5-00000000000000bb");
    }

    #[test]
    fn unknown_kinds_versions_and_fields_are_advanced_over() {
        for (version, kind) in [(1, "poll"), (2, "message")] {
            let json = format!(
                r#"{{"v":{version},"seq":5,"prev":"00000000000000aa","tag":"00000000000000bb","at":7,"kind":"{kind}","hash":"x","body":{{"what":1}},"new":[]}}"#
            );
            assert_eq!(
                Entry::parse(json.as_bytes()).unwrap().content,
                Content::Skipped
            );
        }
    }

    #[test]
    fn a_draft_is_read_back_as_the_message_it_was() {
        let body = Body {
            id: MessageId::parse("01JD").unwrap(),
            user: User {
                id: crate::ids::UserId::parse("ada").unwrap(),
                name: "ada".into(),
            },
            text: "say \"hi\" \u{1f600}\n".into(),
            reply_to: None,
        };
        let moderation = Moderation {
            action: Action::Allow,
            label: None,
            policy: None,
        };
        let draft = Draft::message(&body, &moderation, [7; 16]);
        let json = format!(
            r#"{{"v":1,"seq":1,"prev":"{}","tag":"00000000000000bb","at":7,{}"#,
            Tag::ORIGIN,
            draft.json
        );
        let Content::Message(message) = Entry::parse(json.as_bytes()).unwrap().content else {
            panic!("not a message: {json}");
        };
        assert_eq!(*message, Message { body, moderation });
    }
}
