//! Entries in the short form of the vectors, as Redis stores them.

use clustertalk_core::ids::{Position, Seq, Tag};
use clustertalk_core::log::Entry;
use clustertalk_core::store::{Range, Stretch};
use serde::Deserialize;
use serde_json::json;

/// An entry or tombstone: with `id` a message of `ada`, with `edit` too one that changes her `m1`,
/// else without content.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    seq: Seq,
    prev: Tag,
    tag: Tag,
    id: Option<String>,
    /// The first number that a `damaged` tombstone covers.
    damaged_from: Option<Seq>,
    /// A kind that this version does not know.
    kind: Option<String>,
    /// The position of the message that is edited.
    edit: Option<Position>,
}

impl Stored {
    pub fn entry(&self) -> Entry {
        let kind = match (&self.kind, self.damaged_from, self.edit) {
            (Some(kind), ..) => kind,
            (None, Some(_), _) => "damaged",
            (None, None, Some(_)) => "edit",
            (None, None, None) => "message",
        };
        let mut stored = json!({
            "v": 1, "seq": self.seq, "prev": self.prev, "tag": self.tag, "at": 1000 * self.seq,
            "kind": kind, "hash": "",
        });
        if let Some(from) = self.damaged_from {
            stored["from"] = from.into();
        }
        if let Some(id) = &self.id {
            let user = json!({"id": "ada", "name": "ada"});
            stored["body"] = json!({"id": id, "user": user, "text": format!("text of {id}")});
            stored["moderation"] = json!({"action": "allow"});
        }
        if let Some(position) = self.edit {
            stored["target"] = match &self.id {
                Some(_) => json!({"position": position, "user": "ada", "id": "m1"}),
                None => json!({"position": position}),
            };
        }
        Entry::parse(stored.to_string().as_bytes()).expect("the short form makes an entry")
    }
}

/// What `read.lua` answers for a log with these entries and tombstones, all of it at once.
pub fn stretch(kept: &[Stored], range: Range) -> Stretch {
    let entries: Vec<Entry> = kept.iter().map(Stored::entry).collect();
    let head = entries
        .last()
        .map_or(Position::ORIGIN, |last| last.link.position());
    let before_first = entries.first().map(|first| first.link.before());
    let wanted = |entry: &Entry| match range {
        Range::After(seq) | Range::From(seq) => entry.link.seq >= seq,
        Range::Before(seq) => entry.link.seq < seq,
        Range::Tail => true,
    };
    Stretch {
        before_first,
        head,
        more: false,
        entries: entries.into_iter().filter(wanted).collect(),
        bytes: 0,
    }
}
