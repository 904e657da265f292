//! The newest entries of a room, so that joining and resuming cost Redis nothing.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};

use clustertalk_core::{
    ids::Position,
    log::{Change, Changed, Content, Entry},
};

/// Entries kept for a room.
const ENTRIES: usize = 256;
/// Bytes kept for a room, roughly.
const BYTES: usize = 128 << 10;
/// Bytes kept on this edge over all rooms. Above it each room keeps [`FEW`] as it goes on.
const ALL_BYTES: usize = 64 << 20;
const FEW: usize = 8;

static HELD: AtomicUsize = AtomicUsize::new(0);

/// An unbroken run of entries that ends where the room stands.
#[derive(Default)]
pub struct Cache {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Cache {
    pub fn push(&mut self, entry: Entry) {
        if entry.content == Content::Damaged {
            // Whoever has not seen it must be told what was lost, and only the log's reader does that.
            return self.clear();
        }
        let size = size(&entry);
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
            self.bury(changed.target.position);
        }
        self.entries.push_back(entry);
        self.grow(size);
        let crowded = HELD.load(Ordering::Relaxed) > ALL_BYTES;
        let most = if crowded { FEW } else { ENTRIES };
        while self.entries.len() > most || (self.bytes > BYTES && self.entries.len() > FEW) {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.shrink(self::size(&oldest));
        }
    }

    /// Whoever comes after a deletion gets no text that Redis has no more: the message and its edits
    /// keep their places only.
    fn bury(&mut self, target: Position) {
        let mut freed = 0;
        for entry in &mut self.entries {
            let edits = |changed: &Changed| {
                changed.target.position == target && matches!(changed.change, Change::Edit { .. })
            };
            let gone = match &entry.content {
                Content::Message(_) => entry.link.position() == target,
                Content::Changed(changed) => edits(changed),
                Content::Skipped | Content::Damaged => false,
            };
            if gone {
                freed += size(entry);
                entry.content = Content::Skipped;
                freed -= size(entry);
            }
        }
        self.shrink(freed);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.shrink(self.bytes);
    }

    /// What a reader at `position` has not seen; `None` if the cache cannot tell.
    pub fn after(&self, position: Position) -> Option<Vec<Entry>> {
        let before_first = self.entries.front()?.link.before();
        let skip = if before_first == position {
            0
        } else {
            let known = |entry: &Entry| entry.link.position() == position;
            // From the newest: most readers are a few messages behind.
            self.entries.iter().rposition(known)? + 1
        };
        Some(self.entries.range(skip..).cloned().collect())
    }

    /// The newest entries, oldest first; `None` if the log may have more of them.
    pub fn newest(&self, most: usize) -> Option<Vec<Entry>> {
        let skip = self.entries.len().saturating_sub(most);
        let whole = self.entries.len() >= most || self.entries.front()?.link.from == 1;
        whole.then(|| self.entries.range(skip..).cloned().collect())
    }

    fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        HELD.fetch_add(bytes, Ordering::Relaxed);
    }

    fn shrink(&mut self, bytes: usize) {
        self.bytes -= bytes;
        HELD.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.clear();
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
        let mut cache = Cache::default();
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

    fn numbers(entries: Option<Vec<Entry>>) -> Option<Vec<u64>> {
        Some(entries?.iter().map(|entry| entry.link.seq).collect())
    }

    #[test]
    fn nobody_is_led_over_a_hole() {
        let mut cache = Cache::default();
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
        let mut cache = Cache::default();
        assert_eq!(numbers(cache.newest(2)), None);
        cache.push(entry(5, "deleted"));
        assert_eq!(numbers(cache.newest(2)), None);
        cache.push(entry(6, "deleted"));
        assert_eq!(numbers(cache.newest(2)), Some(vec![5, 6]));
        let mut whole = Cache::default();
        whole.push(entry(1, "deleted"));
        assert_eq!(numbers(whole.newest(2)), Some(vec![1]));
    }
}
