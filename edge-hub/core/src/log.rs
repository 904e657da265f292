//! What a room's log holds: entries as stored, and the chain that links them.
//!
//! An entry is one JSON object. The append script writes `v`, `seq`, `prev`, `tag` and `at` in
//! front of what the hub prepared (a [`Draft`]). An entry without `body` is a tombstone: its place
//! in the chain stays, its content is gone. Only a deletion says something without one: what it
//! removed stays removed when nobody may be named any more who did it (see [`ERASED`]).

mod check;
mod involvement;
pub mod moderation;

pub use check::{Checker, Fault, Finding, Found, Inspection, Seen};
pub use involvement::Involvement;

use crate::ids::{MAX_SEQ, MessageId, Position, Reaction, Seq, Tag, User, UserId};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// The version of the stored format that this build writes.
pub const VERSION: u32 = 1;

/// The kind of a chat message.
pub const MESSAGE: &str = "message";
/// The kinds of a change to a message that was stored before.
pub const EDIT: &str = "edit";
pub const DELETE: &str = "delete";
pub const REACT: &str = "react";
/// The kind of the tombstone that stands for entries removed behind the hub's back.
pub const DAMAGED: &str = "damaged";

/// Who deletes what an operator erases, and whose it was: as user id and name, in the place of both.
pub const ERASED: &str = "erased";

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
    Changed(Box<Changed>),
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
    /// Users whom the sender names, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
}

/// A stored change: an entry of its own, which says what became of an earlier message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The change's own.
    pub id: MessageId,
    pub user: User,
    pub target: Target,
    pub change: Change,
    /// Of an edit, and of a reaction that was added: what was decided of its text.
    pub moderation: Option<Moderation>,
}

impl Changed {
    /// The deletion at `position` of what stood at `target`, by nobody and of nobody.
    pub fn erasure(position: Position, target: Position) -> Option<Self> {
        let user = UserId::parse(ERASED).ok()?;
        Some(Self {
            id: MessageId::parse(position.to_string()).ok()?,
            user: User {
                id: user.clone(),
                name: ERASED.to_owned(),
            },
            target: Target {
                position: target,
                user,
                id: MessageId::parse(target.to_string()).ok()?,
            },
            change: Change::Delete,
            moderation: None,
        })
    }

    /// Whether it deletes what an operator erased.
    pub fn is_erasure(&self) -> bool {
        self.change == Change::Delete && self.user.id.as_str() == ERASED
    }
}

/// The message that a change is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    pub position: Position,
    /// Who sent it.
    pub user: UserId,
    pub id: MessageId,
}

/// What is done to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// It says this from now on.
    Edit { text: String },
    /// It is gone, with its edits.
    Delete,
    /// A reaction of one user, of which each is there once.
    React {
        reaction: Reaction,
        /// Whether it is taken back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        remove: bool,
    },
}

impl Change {
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Edit { .. } => EDIT,
            Self::Delete => DELETE,
            Self::React { .. } => REACT,
        }
    }
}

/// The body of a stored change; its kind tells which fields there are.
#[derive(Serialize, Deserialize)]
struct ChangeBody {
    id: MessageId,
    user: User,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reaction: Option<Reaction>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    remove: bool,
}

impl ChangeBody {
    fn new(id: &MessageId, user: &User, change: &Change) -> Self {
        let (text, reaction, remove) = match change.clone() {
            Change::Edit { text } => (Some(text), None, false),
            Change::Delete => (None, None, false),
            Change::React { reaction, remove } => (None, Some(reaction), remove),
        };
        Self {
            id: id.clone(),
            user: user.clone(),
            text,
            reaction,
            remove,
        }
    }

    fn read(self, kind: &str, target: Target, moderation: Option<Moderation>) -> Option<Changed> {
        let change = match (kind, self.text, self.reaction) {
            (EDIT, Some(text), _) => Change::Edit { text },
            (DELETE, ..) => Change::Delete,
            (REACT, _, Some(reaction)) => Change::React {
                reaction,
                remove: self.remove,
            },
            _ => return None,
        };
        Some(Changed {
            id: self.id,
            user: self.user,
            target,
            change,
            moderation,
        })
    }
}

/// Another message: by its sender and id, or by its full position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Reference {
    Id { user: UserId, id: MessageId },
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

/// What a tombstone keeps of a change's target.
#[derive(Deserialize)]
struct Place {
    position: Position,
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
    /// A tombstone keeps its position only.
    #[serde(borrow)]
    target: Option<&'a RawValue>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
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
        let link = Link {
            from,
            seq: stored.seq,
            prev: stored.prev,
            tag: stored.tag,
        };
        Ok(Self {
            link,
            at: stored.at,
            // What this build cannot read is skipped like an unknown kind: the chain goes on.
            content: stored.content().unwrap_or(Content::Skipped),
        })
    }
}

impl Stored<'_> {
    fn content(self) -> Option<Content> {
        match (self.v, self.kind.as_str()) {
            (_, DAMAGED) => Some(Content::Damaged),
            (VERSION, MESSAGE) => Some(Content::Message(Box::new(Message {
                body: serde_json::from_str(self.body?.get()).ok()?,
                moderation: self.moderation?,
            }))),
            (VERSION, DELETE) if self.body.is_none() => {
                let target: Place = serde_json::from_str(self.target?.get()).ok()?;
                let position = Position::new(self.seq, self.tag);
                let changed = Changed::erasure(position, target.position)?;
                Some(Content::Changed(Box::new(changed)))
            }
            (VERSION, kind @ (EDIT | DELETE | REACT)) => {
                let body: ChangeBody = serde_json::from_str(self.body?.get()).ok()?;
                let target = serde_json::from_str(self.target?.get()).ok()?;
                let changed = body.read(kind, target, self.moderation)?;
                Some(Content::Changed(Box::new(changed)))
            }
            _ => None,
        }
    }
}

/// An entry before the script gives it a place: what it is about, and the rest of its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub kind: &'static str,
    pub user: UserId,
    pub id: MessageId,
    pub action: Action,
    /// What is looked up in the log first: the target of a change, or the position of the message
    /// that another answers.
    pub reference: Option<Reference>,
    /// Whether the user is a moderator wherever he may be: he writes where others only read, and
    /// deletes what others wrote.
    pub may_moderate: bool,
    /// What moderation called it: for moderators, though an entry that is only flagged does not say it.
    pub label: Option<String>,
    /// What the moderation log gets with it: the rest of an entry, by
    /// [`Record::rest`](moderation::Record::rest).
    pub record: Option<String>,
    /// What the text was before it was masked.
    pub original: Option<Original>,
    /// Of an edit by a moderator: the entry whose original it brings back.
    pub restores: Option<Seq>,
    /// SHA-256(salt ‖ body) in hexadecimal: what the tag covers of the body.
    pub hash: String,
    /// `"kind":…,"hash":…,"salt":…,"body":{…},"moderation":{…}}`, the last for what was reviewed.
    pub json: String,
}

/// A text that is kept for a while, by [`Quarantine::seal`](crate::quarantine::Quarantine::seal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    pub sealed: String,
    pub keep: Duration,
}

/// The salt of an entry's hash. It must be unpredictable: with it gone, the hash tells nothing of
/// the body.
pub type Salt = [u8; 16];

impl Draft {
    /// A chat message.
    pub fn message(body: &Body, moderation: &Moderation, salt: Salt) -> Self {
        let (hash, json) = rest(MESSAGE, body, Some(moderation), salt);
        // One that is named by its sender and id may come later, so there is nothing to check.
        let by_position = |reference: &&Reference| matches!(reference, Reference::Position(_));
        Self {
            kind: MESSAGE,
            user: body.user.id.clone(),
            id: body.id.clone(),
            action: moderation.action,
            reference: body.reply_to.as_ref().filter(by_position).cloned(),
            may_moderate: false,
            label: moderation.label.clone(),
            record: None,
            original: None,
            restores: None,
            hash,
            json,
        }
    }

    /// A change to the message that `target` names.
    pub fn change(
        id: &MessageId,
        user: &User,
        target: Reference,
        change: &Change,
        moderation: Option<&Moderation>,
        salt: Salt,
    ) -> Self {
        let body = ChangeBody::new(id, user, change);
        let (hash, json) = rest(change.kind(), &body, moderation, salt);
        Self {
            kind: change.kind(),
            user: user.id.clone(),
            id: id.clone(),
            action: moderation.map_or(Action::Allow, |moderation| moderation.action),
            reference: Some(target),
            may_moderate: false,
            label: moderation.and_then(|moderation| moderation.label.clone()),
            record: None,
            original: None,
            restores: None,
            hash,
            json,
        }
    }
}

/// The body's hash, and the entry's JSON from its kind on.
fn rest(
    kind: &str,
    body: &impl Serialize,
    moderation: Option<&Moderation>,
    salt: Salt,
) -> (String, String) {
    let body = serde_json::to_string(body).unwrap_or_default();
    let salt = hexadecimal(&salt);
    let hash = body_hash(&salt, &body);
    let mut json = format!(r#""kind":"{kind}","hash":"{hash}","salt":"{salt}","body":{body}"#);
    if let Some(moderation) = moderation {
        json += r#","moderation":"#;
        json += &serde_json::to_string(moderation).unwrap_or_default();
    }
    json.push('}');
    (hash, json)
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

/// The tag of an entry: the first 16 hexadecimal digits of SHA-1(`prev|seq|kind|at|v|hash`), for a
/// change of SHA-1(`prev|seq|kind|at|v|hash|SEQ-TAG`) with the position of its target. The append
/// script computes the same; SHA-1 is what Lua has, and the chain guards against loss and accident,
/// not against one who can write to Redis.
pub fn chain_tag(
    prev: Tag,
    seq: Seq,
    kind: &str,
    at: Timestamp,
    version: u32,
    hash: &str,
    target: Option<Position>,
) -> Tag {
    let mut header = format!("{prev}|{seq}|{kind}|{}|{version}|{hash}", at.as_millis());
    if let Some(target) = target {
        header += &format!("|{target}");
    }
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
    fn a_deletion_without_body_still_deletes_and_names_nobody() {
        let json = br#"{"v":1,"seq":5,"prev":"00000000000000aa","tag":"00000000000000bb","at":7,"target":{"position":{"seq":2,"tag":"00000000000000cc"}},"kind":"delete","hash":"x"}"#;
        let Content::Changed(changed) = Entry::parse(json).unwrap().content else {
            panic!("it says what it deletes");
        };
        assert!(changed.is_erasure());
        assert_eq!(changed.target.position.to_string(), "2-00000000000000cc");
        assert_eq!(changed.target.id.as_str(), "2-00000000000000cc");
        assert_eq!(changed.target.user.as_str(), ERASED);
        assert_eq!(changed.id.as_str(), "5-00000000000000bb");
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
                id: UserId::parse("ada").unwrap(),
                name: "ada".into(),
            },
            text: "say \"hi\" \u{1f600}\n".into(),
            reply_to: None,
            mentions: vec![UserId::parse("bob").unwrap()],
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
