//! Whether a room's log is whole: its numbers, its chain, its texts, and what Redis keeps beside it.
//!
//! The log comes in stretches, each as it was at one moment, so a running room can be checked in
//! bounded memory: what is remembered between two of them is one position.
//!
//! What is found is damage by accident or by hand. Whoever may write to Redis can make a whole new
//! chain, and this will find it whole.

use super::{DAMAGED, DELETE, EDIT, body_hash, chain_tag};
use crate::ids::{MAX_SEQ, MessageId, Position, Seq, Tag, UserId};
use crate::time::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A stretch of a log and what is noted beside it, as it was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// The lowest number kept; 0 for an empty log.
    pub first: Seq,
    /// The number that the stream gave last.
    pub generated: Seq,
    /// Where the next stretch begins; `None` if this is the last.
    pub next: Option<Seq>,
    /// In the order of their numbers.
    pub items: Vec<Found>,
    /// What `seen` notes of these numbers.
    pub seen: Vec<Seen>,
}

/// What stands at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id in the stream, or its number among the tombstones.
    pub key: String,
    pub is_tombstone: bool,
    /// As stored; empty if there is not one field `event`.
    pub json: Vec<u8>,
    /// The message that it changes, as `edits` notes it.
    pub edits: Option<Seq>,
}

/// What `seen` notes: that this was stored there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `USER ID`.
    pub sender: String,
    pub seq: Seq,
    /// Whether it was deleted since.
    pub deleted: bool,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The number where it shows.
    pub seq: Seq,
    pub fault: Fault,
}

/// What is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("what stands there is no entry")]
    Unreadable,
    #[error("the entry says that it is number {says}")]
    Misplaced { says: Seq },
    #[error("the numbers up to {to} are missing")]
    Hole { to: Seq },
    #[error("its number was there before, as an entry or within a tombstone")]
    Twice,
    #[error("it does not hang on the entry before it: its `prev` is not that one's tag")]
    Detached,
    #[error("its kind, time, hash or target was changed: its tag does not fit")]
    Retagged,
    #[error("its text was changed, or who said it: its body does not fit its hash")]
    Altered,
    #[error("it has no body, and is not among the tombstones")]
    Bodiless,
    #[error("a tombstone that still has content")]
    Exhumed,
    #[error("a tombstone stands above the newest entry")]
    Beheaded,
    #[error("`seen` does not know it: sent again, it is stored again")]
    Unseen,
    #[error("`seen` notes something there that is not there: `{sender}`")]
    Stray { sender: String },
    #[error("`edits` does not list it: a deletion of its message would leave its text")]
    Unlisted,
    #[error("`edits` lists it, and it is no edit of that message")]
    MisListed,
}

impl Fault {
    /// A stable name, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Misplaced { .. } => "misplaced",
            Self::Hole { .. } => "hole",
            Self::Twice => "twice",
            Self::Detached => "detached",
            Self::Retagged => "retagged",
            Self::Altered => "altered",
            Self::Bodiless => "bodiless",
            Self::Exhumed => "exhumed",
            Self::Beheaded => "beheaded",
            Self::Unseen => "unseen",
            Self::Stray { .. } => "stray",
            Self::Unlisted => "unlisted",
            Self::MisListed => "mislisted",
        }
    }

    /// What an operator can do about it.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable => {
                "remove it by XDEL (HDEL for a tombstone); until then the room may take no message"
            }
            Self::Hole { .. } => "readers are told `damaged`; a backup has what was there",
            Self::Beheaded => "the next message closes the hole",
            Self::Misplaced { .. }
            | Self::Twice
            | Self::Detached
            | Self::Retagged
            | Self::Altered
            | Self::Bodiless => {
                "somebody wrote to Redis by hand: find out who may; compare with a backup, and restore it \
                 or delete the message"
            }
            Self::Exhumed => "remove it by HDEL, or write back its header alone",
            Self::Unseen => {
                "nothing, unless its sender sends it again; or ZADD it to `seen` under its number"
            }
            Self::Stray { .. } => "remove it by ZREM, so that it can be stored again",
            Self::Unlisted => "ZADD its number to `edits`, with the number of its message as score",
            Self::MisListed => "remove its number from `edits` by ZREM",
        }
    }
}

/// The header of what is stored, and its body as it stands there.
#[derive(Deserialize)]
struct Header<'a> {
    v: u32,
    seq: Seq,
    from: Option<Seq>,
    prev: Tag,
    tag: Tag,
    at: Timestamp,
    kind: String,
    target: Option<Target>,
    hash: String,
    salt: Option<String>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    moderation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Target {
    position: Position,
    user: Option<String>,
}

#[derive(Deserialize)]
struct Sender {
    id: MessageId,
    user: SendingUser,
}

#[derive(Deserialize)]
struct SendingUser {
    id: UserId,
}

/// Checks a log from its lowest entry to its newest, a stretch at a time.
#[derive(Debug, Default)]
pub struct Checker {
    /// The last number and its tag; `None` before the first.
    passed: Option<Position>,
    /// Whether it is a moderation log, beside which nothing is noted.
    is_alone: bool,
    /// Whether the last was a tombstone.
    is_buried: bool,
    /// Entries and tombstones that were looked at.
    pub entries: u64,
    pub tombstones: u64,
    /// The lowest number looked at.
    pub first: Option<Seq>,
}

impl Checker {
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a moderation log.
    pub fn of_moderation() -> Self {
        Self {
            is_alone: true,
            ..Self::default()
        }
    }

    /// Where the log ends, as far as it was looked at.
    pub fn head(&self) -> Option<Position> {
        self.passed
    }

    /// Checks the next stretch, and answers what is wrong in it.
    pub fn check(&mut self, stretch: &Inspection) -> Vec<Finding> {
        let mut findings = Vec::new();
        match self.passed {
            None if stretch.first == 1 => self.passed = Some(Position::ORIGIN),
            // Trimmed since: what is missing left in order.
            Some(passed) if passed.seq + 1 < stretch.first => self.passed = None,
            _ => {}
        }
        let mut seen: BTreeMap<(Seq, String), bool> = BTreeMap::new();
        for noted in &stretch.seen {
            seen.insert((noted.seq, noted.sender.clone()), noted.deleted);
        }
        for item in &stretch.items {
            self.item(item, &mut seen, &mut findings);
        }
        let strays = seen.into_keys().map(|(seq, sender)| Finding {
            seq,
            fault: Fault::Stray { sender },
        });
        findings.extend(strays);
        if stretch.next.is_none() {
            self.end(stretch, &mut findings);
        }
        findings.sort_by_key(|finding| finding.seq);
        findings
    }

    fn end(&self, stretch: &Inspection, findings: &mut Vec<Finding>) {
        let Some(head) = self.passed else { return };
        let mut note = |seq, fault| findings.push(Finding { seq, fault });
        if self.is_buried {
            note(head.seq, Fault::Beheaded);
        } else if head.seq < stretch.generated && head != Position::ORIGIN {
            let to = stretch.generated;
            note(head.seq + 1, Fault::Hole { to });
        }
    }

    fn item(
        &mut self,
        item: &Found,
        seen: &mut BTreeMap<(Seq, String), bool>,
        findings: &mut Vec<Finding>,
    ) {
        let counted = match item.is_tombstone {
            true => &mut self.tombstones,
            false => &mut self.entries,
        };
        *counted += 1;
        let number = item.key.split('-').next().unwrap_or_default();
        let number: Seq = number.parse().unwrap_or(0);
        self.first.get_or_insert(number);
        self.is_buried = item.is_tombstone;
        let mut note = |fault| findings.push(Finding { seq: number, fault });
        let header = match serde_json::from_slice::<Header<'_>>(&item.json) {
            Ok(header) if header.seq <= MAX_SEQ => header,
            _ => {
                note(Fault::Unreadable);
                // What follows may hang on anything.
                self.passed = None;
                return;
            }
        };
        let is_at_home = item.is_tombstone || item.key == format!("{number}-0");
        if header.seq != number || !is_at_home {
            note(Fault::Misplaced { says: header.seq });
        }
        let from = header.from.unwrap_or(number);
        if let Some(passed) = self.passed {
            if from <= passed.seq {
                note(Fault::Twice);
            } else if from > passed.seq + 1 {
                findings.push(Finding {
                    seq: passed.seq + 1,
                    fault: Fault::Hole { to: from - 1 },
                });
            } else if header.prev != passed.tag {
                note(Fault::Detached);
            }
        }
        let mut note = |fault| findings.push(Finding { seq: number, fault });
        self.passed = Some(Position::new(number, header.tag));
        let target = header.target.as_ref().map(|target| target.position);
        let tag = chain_tag(
            header.prev,
            header.seq,
            &header.kind,
            header.at,
            header.v,
            &header.hash,
            target,
        );
        if tag != header.tag {
            note(Fault::Retagged);
        }
        let sender = header
            .body
            .and_then(|body| serde_json::from_str::<Sender>(body.get()).ok())
            .map(|sender| format!("{} {}", sender.user.id, sender.id));
        let names = header.target.is_some_and(|target| target.user.is_some());
        match (header.body, item.is_tombstone) {
            (None, true) => {
                let has_more = header.salt.is_some() || header.moderation.is_some() || names;
                if has_more {
                    note(Fault::Exhumed);
                }
            }
            (Some(_), true) => note(Fault::Exhumed),
            (None, false) if header.kind == DELETE => {}
            (None, false) => note(Fault::Bodiless),
            (Some(body), false) => {
                let hash = header
                    .salt
                    .as_deref()
                    .map(|salt| body_hash(salt, body.get()));
                if hash.as_deref() != Some(&*header.hash) {
                    note(Fault::Altered);
                }
            }
        }
        if self.is_alone {
            return;
        }
        let edited = (header.kind == EDIT && !item.is_tombstone)
            .then_some(target)
            .flatten();
        match (edited.map(|position| position.seq), item.edits) {
            (Some(_), None) => note(Fault::Unlisted),
            (expected, noted) if expected != noted => note(Fault::MisListed),
            _ => {}
        }
        if item.is_tombstone {
            // Whose it was is not said there, so whoever was noted there is believed; what was removed
            // by hand was not deleted.
            let is_damage = header.kind == DAMAGED;
            let lowest = if is_damage { from } else { number };
            seen.retain(|(seq, _), deleted| {
                !(lowest..=number).contains(seq) || !(*deleted || is_damage)
            });
        } else if let Some(sender) = sender
            && seen.remove(&(number, sender)) != Some(false)
        {
            note(Fault::Unseen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_log_is_whole() {
        let mut checker = Checker::new();
        assert_eq!(checker.check(&Inspection::default()), []);
        assert_eq!((checker.head(), checker.first), (None, None));
    }

    #[test]
    fn what_is_noted_of_an_empty_log_is_astray() {
        let seen = Seen {
            sender: "ada m1".to_owned(),
            seq: 1,
            deleted: true,
        };
        let stretch = Inspection {
            seen: vec![seen],
            ..Inspection::default()
        };
        let found = Checker::new().check(&stretch);
        let codes: Vec<_> = found.iter().map(|found| found.fault.code()).collect();
        assert_eq!(codes, ["stray"]);
    }

    #[test]
    fn entries_that_were_trimmed_between_two_stretches_are_no_hole() {
        let entry = |seq: u64, prev: &str| {
            let at = Timestamp::from_millis(1);
            let prev = Tag::parse(prev).unwrap();
            let tag = chain_tag(prev, seq, DELETE, at, 1, "", None);
            let json = format!(
                r#"{{"v":1,"seq":{seq},"prev":"{prev}","tag":"{tag}","at":1,"kind":"delete","hash":""}}"#
            );
            Found {
                key: format!("{seq}-0"),
                is_tombstone: false,
                json: json.into_bytes(),
                edits: None,
            }
        };
        let mut checker = Checker::new();
        let stretch = |first, next, item| Inspection {
            first,
            generated: 9,
            next,
            items: vec![item],
            seen: Vec::new(),
        };
        let first = stretch(1, Some(2), entry(1, "0000000000000000"));
        assert_eq!(checker.check(&first), []);
        let later = stretch(9, None, entry(9, "00000000000000aa"));
        assert_eq!(checker.check(&later), []);
        assert_eq!(checker.entries, 2);
    }
}
