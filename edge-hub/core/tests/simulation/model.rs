//! Redis as the scripts use it, for one room. `tests/redis.rs` holds the scripts to the same.

use super::random::Random;
use clustertalk_core::ids::{Position, Seq, Tag};
use clustertalk_core::log::{Action, Content, DAMAGED, Draft, Entry, MESSAGE, chain_tag};
use clustertalk_core::store::{Appended, Mode, Range, Stretch};
use clustertalk_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Entries that the log keeps.
pub const LOG_ENTRIES: usize = 12;
/// How far back a failover may go.
const SNAPSHOTS: usize = 12;

#[derive(Clone, Default)]
pub struct Store {
    pub log: BTreeMap<Seq, String>,
    pub tombstones: BTreeMap<Seq, String>,
    /// Where a message is, and whether it was deleted there.
    pub seen: BTreeMap<String, (Seq, bool)>,
    /// `last-generated-id`.
    pub spent: Seq,
    /// (user, id) of each message that was trimmed.
    pub trimmed: BTreeSet<String>,
}

/// The primary, and what its replica may be left with.
#[derive(Default)]
pub struct Redis {
    pub store: Store,
    earlier: VecDeque<Store>,
    /// Removed by hand, so not lost by us.
    pub removed: BTreeSet<String>,
    /// (user, id) of each message that was ever deleted.
    pub deleted: BTreeSet<String>,
    pub seen_was_lost: bool,
}

impl Redis {
    /// What `append.lua` does; also the payload to publish, if any.
    pub fn append(
        &mut self,
        now: Timestamp,
        mode: Mode,
        draft: &Draft,
    ) -> (Appended, Option<String>) {
        let sender = format!("{} {}", draft.user, draft.id);
        if let Some(duplicate) = self.store.duplicate(&sender) {
            return (duplicate, None);
        }
        if mode == Mode::Refuse {
            return (Appended::Refused, None);
        }
        self.earlier.push_back(self.store.clone());
        if self.earlier.len() > SNAPSHOTS {
            self.earlier.pop_front();
        }
        let store = &mut self.store;
        let mut last = store.head();
        if store.spent > last.seq {
            last = store.damage(now, last);
        }
        let seq = last.seq + 1;
        let tag = chain_tag(last.tag, seq, MESSAGE, now, 1, &draft.hash, None);
        let (prev, at) = (last.tag, now.as_millis());
        let json = format!(
            r#"{{"v":1,"seq":{seq},"prev":"{prev}","tag":"{tag}","at":{at},{}"#,
            draft.json
        );
        let payload = format!(r#"{{"e":{json}}}"#);
        store.log.insert(seq, json);
        store.spent = seq;
        store.seen.insert(sender, (seq, false));
        store.trim();
        let position = Position::new(seq, tag);
        (
            Appended::Stored {
                position,
                at: now,
                action: draft.action,
            },
            Some(payload),
        )
    }

    /// A replica that had not followed to the end takes over.
    pub fn fail_over(&mut self, random: &mut Random, seen_stays: bool, seen_is_lost: bool) {
        if self.earlier.is_empty() {
            return;
        }
        // Mostly little is lost.
        let most = 1 + random.below(self.earlier.len());
        let lost = 1 + random.below(most);
        let kept = self.earlier.len() - lost;
        let mut store = self
            .earlier
            .drain(kept..)
            .next()
            .expect("at least one was lost");
        if seen_stays {
            store.seen.append(&mut self.store.seen.clone());
        }
        if seen_is_lost && random.percent(50) {
            let newest = store.head().seq.saturating_sub(random.below(5) as u64);
            store.seen.retain(|_, (seq, _)| *seq <= newest);
            self.seen_was_lost = true;
        }
        self.store = store;
    }

    /// A message is deleted: its number and tag stay. The last entry never is.
    pub fn delete(&mut self, random: &mut Random) {
        let store = &mut self.store;
        let deletable = store.log.len().saturating_sub(1);
        if let Some(&seq) = store
            .log
            .keys()
            .nth(random.below(deletable.max(1)))
            .filter(|_| deletable > 0)
        {
            let json = store.log.remove(&seq).expect("it was just found");
            let end = json.find(r#","salt""#).expect("an entry with a body");
            store.tombstones.insert(seq, format!("{}}}", &json[..end]));
            if let Some(sender) = sender(&parse(&json)) {
                self.deleted.insert(sender.clone());
                store.seen.insert(sender, (seq, true));
            }
        }
    }

    /// `XDEL` by an operator.
    pub fn remove_by_hand(&mut self, random: &mut Random) {
        let keys: Vec<Seq> = self.store.log.keys().copied().collect();
        if keys.is_empty() {
            return;
        }
        let first = random.below(keys.len());
        for seq in keys.iter().skip(first).take(1 + random.below(3)) {
            let json = self.store.log.remove(seq).expect("it was just listed");
            self.removed.insert(parse(&json).link.tag.to_string());
        }
    }
}

impl Store {
    pub fn head(&self) -> Position {
        self.log
            .last_key_value()
            .map_or(Position::ORIGIN, |(_, json)| parse(json).link.position())
    }

    fn duplicate(&self, sender: &str) -> Option<Appended> {
        let (seq, deleted) = self.seen.get(sender)?;
        if let Some(json) = self.log.get(seq) {
            let entry = parse(json);
            let Content::Message(message) = entry.content else {
                return None;
            };
            let same = format!("{} {}", message.body.user.id, message.body.id) == sender;
            let position = entry.link.position();
            return same.then_some(Appended::Duplicate {
                position,
                action: message.moderation.action,
            });
        }
        let tombstone = self.tombstones.get(seq).filter(|_| *deleted)?;
        Some(Appended::Duplicate {
            position: parse(tombstone).link.position(),
            action: Action::Allow,
        })
    }

    fn damage(&mut self, now: Timestamp, last: Position) -> Position {
        let (seq, hash, at) = (self.spent, "0".repeat(64), now.as_millis());
        let tag = chain_tag(last.tag, seq, DAMAGED, now, 1, &hash, None);
        let (prev, from) = (last.tag, last.seq + 1);
        let json = format!(
            r#"{{"v":1,"seq":{seq},"prev":"{prev}","tag":"{tag}","at":{at},"from":{from},"kind":"damaged","hash":"{hash}"}}"#
        );
        self.tombstones.insert(seq, json);
        Position::new(seq, tag)
    }

    fn trim(&mut self) {
        let before = self.log.len();
        while self.log.len() > LOG_ENTRIES {
            let oldest = self.log.pop_first();
            self.trimmed
                .extend(oldest.and_then(|(_, json)| sender(&parse(&json))));
        }
        if self.log.len() < before {
            let lowest = *self.log.first_key_value().expect("the newest stays").0;
            self.seen.retain(|_, (seq, _)| *seq >= lowest);
            self.tombstones.retain(|seq, _| *seq >= lowest);
        }
    }

    /// Entries and tombstones as a reader gets them, from the lowest kept on.
    pub fn kept(&self) -> Vec<Entry> {
        let Some((&lowest, oldest)) = self.log.first_key_value() else {
            return Vec::new();
        };
        let mut first = parse(oldest).link.from.min(lowest);
        while let Some(below) = self.tombstones.get(&(first - 1)) {
            first = parse(below).link.from;
        }
        let head = self.head().seq;
        let tombstones = self.tombstones.iter().filter(|(seq, _)| **seq <= head);
        let all: BTreeMap<&Seq, &String> = self.log.iter().chain(tombstones).collect();
        all.into_iter()
            .filter(|(seq, _)| **seq >= first)
            .map(|(_, json)| parse(json))
            .collect()
    }

    /// What `read.lua` answers, but for its limit of bytes.
    pub fn read(&self, range: Range, most: usize) -> Stretch {
        let kept = self.kept();
        let before_first = kept.first().map(|first| first.link.before());
        let (lowest, head) = (before_first.unwrap_or_default().seq, self.head());
        let (entries, more): (Vec<Entry>, bool) = match range {
            Range::After(seq) | Range::From(seq) => {
                let mut entries: Vec<Entry> = kept
                    .into_iter()
                    .filter(|entry| entry.link.seq >= seq)
                    .collect();
                let own = matches!(range, Range::After(_))
                    && entries.first().is_some_and(|first| first.link.seq == seq);
                entries.truncate(most + usize::from(own));
                let more = entries.last().is_some_and(|last| last.link.seq < head.seq);
                (entries, more)
            }
            Range::Before(_) | Range::Tail => {
                let below =
                    |entry: &Entry| !matches!(range, Range::Before(seq) if entry.link.seq >= seq);
                let mut entries: Vec<Entry> = kept.into_iter().filter(below).collect();
                entries.drain(..entries.len().saturating_sub(most));
                let more = entries
                    .first()
                    .is_some_and(|first| first.link.from > lowest + 1);
                (entries, more)
            }
        };
        Stretch {
            before_first,
            head,
            more,
            entries,
            bytes: 0,
        }
    }

    /// (user, id) of each message kept.
    pub fn senders(&self) -> Vec<String> {
        self.log
            .values()
            .filter_map(|json| sender(&parse(json)))
            .collect()
    }
}

fn sender(entry: &Entry) -> Option<String> {
    match &entry.content {
        Content::Message(message) => Some(format!("{} {}", message.body.user.id, message.body.id)),
        Content::Changed(_) | Content::Skipped | Content::Damaged => None,
    }
}

fn parse(json: &str) -> Entry {
    Entry::parse(json.as_bytes()).expect("the model writes entries")
}

/// The tags of what is kept.
pub fn tags(kept: &[Entry]) -> BTreeSet<String> {
    kept.iter()
        .map(|entry| Tag::to_string(&entry.link.tag))
        .collect()
}
