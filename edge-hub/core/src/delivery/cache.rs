//! The newest entries of a room, so that joining and resuming cost Redis nothing.

use crate::ids::Position;
use crate::log::{Change, Changed, Content, Entry};
use std::collections::VecDeque;

/// Entries kept whatever their size, and all that [`Cache::keep_few`] leaves.
const FEW: usize = 8;

/// An unbroken run of entries that ends where the room stands.
#[derive(Debug)]
pub struct Cache {
    entries: VecDeque<Entry>,
    bytes: usize,
    most_entries: usize,
    most_bytes: usize,
}

impl Cache {
    pub const fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            most_entries,
            most_bytes,
        }
    }

    pub fn push(&mut self, entry: Entry) {
        if entry.content == Content::Damaged {
            // Whoever has not seen it must be told what was lost, and only the log's reader does that.
            return self.clear();
        }
        if self
            .entries
            .back()
            .is_some_and(|last| last.link.position() != entry.link.before())
        {
            self.clear();
        }
        if let Content::Changed(changed) = &entry.content
            && changed.change == Change::Delete
        {
            self.bury(changed.target.position, changed.is_erasure());
        }
        self.bytes += size(&entry);
        self.entries.push_back(entry);
        while self.entries.len() > self.most_entries
            || (self.bytes > self.most_bytes && self.entries.len() > FEW)
        {
            self.drop_oldest();
        }
    }

    /// Whoever comes after a deletion gets no text that Redis has no more: the message and its edits
    /// keep their places only. Where it is erased, so does what names it: a deletion says on, without
    /// a name, what it deleted.
    fn bury(&mut self, target: Position, erased: bool) {
        for entry in &mut self.entries {
            let position = entry.link.position();
            let gone = |changed: &Changed| {
                let about = changed.target.position == target;
                about && matches!(changed.change, Change::Edit { .. })
                    || erased && (about || position == target)
            };
            let left = match &entry.content {
                Content::Message(_) if position == target => Content::Skipped,
                Content::Changed(changed) if gone(changed) => match changed.change {
                    Change::Delete => Changed::erasure(position, changed.target.position)
                        .map_or(Content::Skipped, |erasure| {
                            Content::Changed(Box::new(erasure))
                        }),
                    Change::Edit { .. } | Change::React { .. } => Content::Skipped,
                },
                _ => continue,
            };
            self.bytes -= size(entry);
            entry.content = left;
            self.bytes += size(entry);
        }
    }

    pub fn clear(&mut self) {
        self.entries = VecDeque::new();
        self.bytes = 0;
    }

    /// Gives memory back, because the host has little left.
    pub fn keep_few(&mut self) {
        while self.entries.len() > FEW {
            self.drop_oldest();
        }
        self.entries.shrink_to_fit();
    }

    /// Bytes of the entries in memory, roughly.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What a reader at `position` has not seen; `None` if the cache cannot tell.
    pub fn after(&self, position: Position) -> Option<Vec<Entry>> {
        let first = self.index_after(position)?;
        Some(self.entries.range(first..).cloned().collect())
    }

    /// Whether it can tell what a reader at `position` has not seen.
    pub fn reaches(&self, position: Position) -> bool {
        self.index_after(position).is_some()
    }

    fn index_after(&self, position: Position) -> Option<usize> {
        if self.entries.front()?.link.before() == position {
            return Some(0);
        }
        let known = |entry: &Entry| entry.link.position() == position;
        // From the newest: most readers are a few messages behind.
        Some(self.entries.iter().rposition(known)? + 1)
    }

    /// The newest entries, oldest first; `None` if the log may have more of them.
    pub fn newest(&self, most: usize) -> Option<Vec<Entry>> {
        let skip = self.entries.len().saturating_sub(most);
        let whole = self.entries.len() >= most || self.entries.front()?.link.from == 1;
        whole.then(|| self.entries.range(skip..).cloned().collect())
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.entries.pop_front() {
            self.bytes -= size(&oldest);
        }
    }
}

/// Bytes of an entry in memory, roughly.
pub fn size(entry: &Entry) -> usize {
    size_of::<Entry>()
        + match &entry.content {
            Content::Message(message) => {
                256 + message.body.text.len() + message.body.user.name.len()
            }
            Content::Changed(changed) => {
                let text = match &changed.change {
                    Change::Edit { text } => text.len(),
                    Change::Delete | Change::React { .. } => 0,
                };
                256 + text + changed.user.name.len()
            }
            Content::Skipped | Content::Damaged => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entry `seq` of a log whose tags are its numbers.
    fn entry(seq: u64, kind: &str) -> Entry {
        let json = format!(
            r#"{{"v":1,"seq":{seq},"prev":"{:016x}","tag":"{seq:016x}","at":1,"kind":"{kind}","hash":"{:064}"}}"#,
            seq - 1,
            0,
        );
        Entry::parse(json.as_bytes()).expect("an entry")
    }

    /// The same with content, which may be about entry 1.
    fn saying(seq: u64, kind: &str, body: &str) -> Entry {
        let json = format!(
            r#"{{"v":1,"seq":{seq},"prev":"{:016x}","tag":"{seq:016x}","at":1,"target":{{"position":{{"seq":1,"tag":"{:016x}"}},"user":"ada","id":"m1"}},"kind":"{kind}","hash":"","body":{{"id":"m{seq}","user":{{"id":"ada","name":"ada"}}{body}}},"moderation":{{"action":"allow"}}}}"#,
            seq - 1,
            1,
        );
        Entry::parse(json.as_bytes()).expect("an entry")
    }

    #[test]
    fn what_was_deleted_is_told_to_nobody() {
        let mut cache = Cache::new(256, 1 << 20);
        cache.push(saying(1, "message", r#","text":"secret""#));
        cache.push(saying(2, "message", r#","text":"kept""#));
        cache.push(saying(3, "edit", r#","text":"secret""#));
        cache.push(saying(4, "react", r#","reaction":"+1""#));
        cache.push(saying(5, "delete", ""));
        let told = cache.after(Position::ORIGIN).expect("all of it");
        let gone: Vec<bool> = told
            .iter()
            .map(|entry| entry.content == Content::Skipped)
            .collect();
        assert_eq!(gone, [true, false, true, false, false]);
        assert_eq!(cache.bytes, told.iter().map(size).sum::<usize>());
    }

    #[test]
    fn what_was_erased_names_nobody() {
        let erasure = |seq: u64, target: u64| {
            let json = format!(
                r#"{{"v":1,"seq":{seq},"prev":"{:016x}","tag":"{seq:016x}","at":1,"target":{{"position":{{"seq":{target},"tag":"{target:016x}"}}}},"kind":"delete","hash":""}}"#,
                seq - 1,
            );
            Entry::parse(json.as_bytes()).expect("an entry")
        };
        let mut cache = Cache::new(256, 1 << 20);
        cache.push(saying(1, "message", r#","text":"secret""#));
        cache.push(saying(2, "react", r#","reaction":"+1""#));
        cache.push(saying(3, "delete", ""));
        cache.push(erasure(4, 1));
        cache.push(erasure(5, 2));
        cache.push(erasure(6, 3));
        let told = cache.after(Position::ORIGIN).expect("all of it");
        assert!(!format!("{told:?}").contains("ada"), "{told:?}");
        assert_eq!(told[2].content, erasure(3, 1).content, "it deletes on");
        assert_eq!(cache.bytes, told.iter().map(size).sum::<usize>());
    }

    fn numbers(entries: Option<Vec<Entry>>) -> Option<Vec<u64>> {
        Some(entries?.iter().map(|entry| entry.link.seq).collect())
    }

    #[test]
    fn nobody_is_led_over_a_hole() {
        let mut cache = Cache::new(256, 1 << 20);
        cache.push(entry(1, "deleted"));
        let before = entry(1, "deleted").link.position();
        cache.push(entry(2, "damaged"));
        cache.push(entry(3, "deleted"));
        assert_eq!(numbers(cache.after(before)), None);
        let behind = entry(3, "deleted").link.before();
        assert_eq!(numbers(cache.after(behind)), Some(vec![3]));
    }

    #[test]
    fn a_part_of_the_newest_is_not_taken_for_all_of_them() {
        let mut cache = Cache::new(256, 1 << 20);
        assert_eq!(numbers(cache.newest(2)), None);
        cache.push(entry(5, "deleted"));
        assert_eq!(numbers(cache.newest(2)), None);
        cache.push(entry(6, "deleted"));
        assert_eq!(numbers(cache.newest(2)), Some(vec![5, 6]));
        let mut whole = Cache::new(256, 1 << 20);
        whole.push(entry(1, "deleted"));
        assert_eq!(numbers(whole.newest(2)), Some(vec![1]));
    }
}
