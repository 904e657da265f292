use crate::ids::{RoomName, User};
use crate::log::{Content, Entry, EntryError};
use crate::protocol::{ChangedFrame, EntryFrame, MessageFrame, Skipped};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What came on a room's channel: `{"e":ENTRY}` or `{"x":EPHEMERAL}`.
#[derive(Debug)]
pub enum Publication {
    Entry(Entry),
    Ephemeral(Ephemeral),
    /// The room is gone: what follows is of another log.
    Deleted,
}

/// Told once, never stored, and no matter to any cursor.
#[derive(Debug)]
pub enum Ephemeral {
    Presence {
        /// The connection that caused it, which is not told.
        from: String,
        user: User,
        joined: bool,
        members_count: u64,
    },
    /// A frame for everyone in the room but the connection `from`.
    Frame { from: String, frame: String },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    e: Option<&'a RawValue>,
    x: Option<EphemeralEnvelope<'a>>,
}

#[derive(Deserialize)]
struct EphemeralEnvelope<'a> {
    from: String,
    presence: Option<Change>,
    user: Option<User>,
    members_count: Option<u64>,
    #[serde(borrow)]
    frame: Option<&'a RawValue>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Joined,
    Left,
}

impl Publication {
    /// Reads a publication; `None` for an ephemeral kind that this build does not know.
    pub fn parse(payload: &[u8]) -> Result<Option<Self>, EntryError> {
        let envelope: Envelope<'_> = serde_json::from_slice(payload)?;
        if let Some(entry) = envelope.e {
            return Ok(Some(Self::Entry(Entry::parse(entry.get().as_bytes())?)));
        }
        let Some(x) = envelope.x else { return Ok(None) };
        if x.deleted {
            return Ok(Some(Self::Deleted));
        }
        Ok(match (x.presence, x.user, x.members_count, x.frame) {
            (Some(change), Some(user), Some(members_count), _) => {
                Some(Self::Ephemeral(Ephemeral::Presence {
                    from: x.from,
                    user,
                    joined: matches!(change, Change::Joined),
                    members_count,
                }))
            }
            (_, _, _, Some(frame)) => Some(Self::Ephemeral(Ephemeral::Frame {
                from: x.from,
                frame: frame.get().to_owned(),
            })),
            _ => None,
        })
    }

    /// The payload that carries `frame` to everyone in a room but the connection `from`.
    pub fn announce(from: &str, frame: &str) -> String {
        format!(
            r#"{{"x":{{"from":{},"frame":{frame}}}}}"#,
            serde_json::Value::from(from)
        )
    }
}

/// The frame that shows an entry to a client.
pub fn frame(room: &RoomName, entry: &Entry) -> EntryFrame {
    match &entry.content {
        Content::Message(message) => EntryFrame::Message(Box::new(MessageFrame {
            room: room.clone(),
            position: entry.link.position(),
            prev: entry.link.prev,
            id: message.body.id.clone(),
            user: message.body.user.clone(),
            text: message.body.text.clone(),
            at: entry.at,
            moderation: message.moderation.clone(),
            reply_to: message.body.reply_to.clone(),
            mentions: message.body.mentions.clone(),
        })),
        Content::Changed(changed) => EntryFrame::Changed(Box::new(ChangedFrame {
            room: room.clone(),
            position: entry.link.position(),
            prev: entry.link.prev,
            id: changed.id.clone(),
            user: changed.user.clone(),
            at: entry.at,
            target: changed.target.clone(),
            change: changed.change.clone(),
            moderation: changed.moderation.clone(),
        })),
        Content::Skipped | Content::Damaged => EntryFrame::Skipped(Skipped {
            room: room.clone(),
            position: entry.link.position(),
            prev: entry.link.prev,
            from: (entry.link.from != entry.link.seq).then_some(entry.link.from),
        }),
    }
}
