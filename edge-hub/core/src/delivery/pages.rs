use super::publication::frame;
use crate::ids::{Position, RoomName, Seq};
use crate::log::{Content, Entry};
use crate::protocol::{Joined, Page, ServerFrame};
use crate::store::{Members, Stretch};
use serde::Serialize;

/// Why a client's position does not lead to the newest entry without loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Older entries were removed by the log's limits.
    Trimmed,
    /// The client's position is in no log that we have: a failover lost its tail.
    Diverged,
    /// Entries were removed behind the hub's back.
    Damaged,
}

/// Numbers that cannot be had any more, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lost {
    pub from: Seq,
    pub to: Seq,
}

/// What a stretch of the log means to a reader.
#[derive(Clone, Debug, PartialEq)]
pub enum CatchUp {
    /// To be shown in this order; never empty.
    Segments(Vec<Catch>),
    /// The reader's position is in no log that we have. Read [`crate::store::Range::Tail`], and
    /// hand that to [`CatchUp::recent`].
    Diverged,
}

/// An unbroken run of entries, and how it hangs on what the reader had before.
#[derive(Clone, Debug, PartialEq)]
pub struct Catch {
    pub recovered: bool,
    pub reason: Option<Reason>,
    pub lost: Option<Lost>,
    pub entries: Vec<Entry>,
    /// Where the reader stands after the entries.
    pub position: Position,
}

/// Judges a stretch that was read for a reader at `since` by [`crate::store::Range::After`] its own
/// number: the resume table of PROTOCOL.md.
pub fn catch_up(since: Position, stretch: Stretch) -> CatchUp {
    let Some(before_first) = stretch.before_first else {
        // An empty log holds the origin only.
        return if since == Position::ORIGIN {
            unbroken(since, Vec::new())
        } else {
            CatchUp::Diverged
        };
    };
    if since.seq > stretch.head.seq {
        return CatchUp::Diverged;
    }
    if since.seq < before_first.seq {
        let lost = Lost {
            from: since.seq + 1,
            to: before_first.seq,
        };
        let opening = opening(false, Some(Reason::Trimmed), Some(lost), before_first);
        return CatchUp::Segments(segments(opening, stretch.entries));
    }
    if since == before_first {
        return unbroken(since, stretch.entries);
    }
    let mut entries = stretch.entries;
    match entries.first() {
        // His own entry; what follows is new to him.
        Some(own) if own.link.position() == since => {
            entries.remove(0);
            unbroken(since, entries)
        }
        // His own entry was removed, but the next one hangs on it.
        Some(next) if next.link.before() == since => unbroken(since, entries),
        _ => CatchUp::Diverged,
    }
}

impl CatchUp {
    /// The newest entries, for a reader without a position or with one that leads nowhere.
    pub fn recent(diverged: bool, stretch: Stretch) -> Vec<Catch> {
        let start = stretch
            .entries
            .first()
            .map_or(stretch.head, |entry| entry.link.before());
        segments(
            opening(false, diverged.then_some(Reason::Diverged), None, start),
            stretch.entries,
        )
    }
}

fn unbroken(since: Position, entries: Vec<Entry>) -> CatchUp {
    CatchUp::Segments(segments(opening(true, None, None, since), entries))
}

fn opening(
    recovered: bool,
    reason: Option<Reason>,
    lost: Option<Lost>,
    position: Position,
) -> Catch {
    Catch {
        recovered,
        reason,
        lost,
        entries: Vec::new(),
        position,
    }
}

/// Cuts a run wherever an entry does not hang on the one before it.
fn segments(first: Catch, entries: Vec<Entry>) -> Vec<Catch> {
    let mut segments = vec![first];
    for entry in entries {
        let current = segments
            .last_mut()
            .expect("begins with one and never shrinks");
        let hangs = entry.link.before() == current.position;
        let whole = hangs && entry.content != Content::Damaged;
        if !whole {
            let from = current.position.seq + 1;
            let to = if entry.content == Content::Damaged {
                entry.link.seq
            } else {
                entry.link.from.saturating_sub(1)
            };
            let lost = (from <= to).then_some(Lost { from, to });
            segments.push(opening(
                false,
                Some(Reason::Damaged),
                lost,
                entry.link.before(),
            ));
        }
        let current = segments
            .last_mut()
            .expect("one was just pushed or was there");
        current.position = entry.link.position();
        current.entries.push(entry);
    }
    segments
}

/// The first page of a room, and each new truth about it.
pub fn joined(
    room: &RoomName,
    catch: &Catch,
    head: Position,
    more: bool,
    members: &Members,
) -> ServerFrame {
    ServerFrame::Joined(Box::new(Joined {
        room: room.clone(),
        position: catch.position,
        head,
        recovered: catch.recovered,
        reason: catch.reason,
        lost: catch.lost,
        more,
        messages: catch
            .entries
            .iter()
            .map(|entry| frame(room, entry))
            .collect(),
        members_count: members.count,
        members: members.listed.clone(),
    }))
}

/// A further page.
pub fn page(room: &RoomName, catch: &Catch, head: Position, more: bool) -> ServerFrame {
    ServerFrame::Page(Box::new(Page {
        room: room.clone(),
        messages: catch
            .entries
            .iter()
            .map(|entry| frame(room, entry))
            .collect(),
        position: catch.position,
        head,
        more,
    }))
}
