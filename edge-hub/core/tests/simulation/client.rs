//! A client: its cursor, its outbox, what it shows, and the search for a fork.

use super::cursor::{Cursor, Judgement};
use super::outbox::{Command, Outbox, Progress};
use super::view::{Source, View};
use clustertalk_core::delivery::Offer;
use clustertalk_core::ids::{Position, Seq};
use clustertalk_core::log::Link;
use serde::Deserialize;
use serde_json::{Value, json};

/// Tags that it remembers; few, so that forgetting is exercised.
const TAGS: usize = 8;
/// Entries that it asks for at once in its search for a fork.
const FORK_ENTRIES: usize = 4;
/// Then it believes that the log has a hole.
const MISSES: usize = 2;

pub struct Client {
    pub name: String,
    pub view: View,
    pub outbox: Outbox,
    pub socket: Option<usize>,
    /// Frames to be sent.
    pub outgoing: Vec<Value>,
    cursor: Option<Cursor>,
    judgement: Judgement,
    settle_by_ack: bool,
    connection: u64,
    joined: bool,
    /// A `join` or `hello` is under way.
    joining: bool,
    join_at: Option<u64>,
    caught_up: bool,
    /// What was shown when the log turned out to be another, and is not known to be in it.
    undecided: Vec<Position>,
    /// The log is known from here on.
    known_from: Position,
    asked: Option<u64>,
    asks: u64,
    /// Answers that did not hang on what is known.
    misses: usize,
}

#[derive(Deserialize)]
struct Shown {
    position: Position,
    prev: clustertalk_core::ids::Tag,
    from: Option<Seq>,
    id: Option<String>,
    user: Option<clustertalk_core::ids::User>,
}

impl Shown {
    fn link(&self) -> Link {
        Link {
            from: self.from.unwrap_or(self.position.seq),
            seq: self.position.seq,
            prev: self.prev,
            tag: self.position.tag,
        }
    }
}

#[derive(Deserialize)]
struct Joined {
    position: Position,
    head: Position,
    recovered: bool,
    reason: Option<String>,
    lost: Option<Span>,
    more: bool,
    messages: Vec<Shown>,
}

#[derive(Deserialize)]
struct Span {
    from: Seq,
    to: Seq,
}

#[derive(Deserialize)]
struct Page {
    head: Position,
    more: bool,
    messages: Vec<Shown>,
}

#[derive(Deserialize)]
struct History {
    messages: Vec<Shown>,
    more: bool,
    r#ref: String,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
    r#ref: Option<String>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Ack {
    id: String,
    position: Position,
}

impl Client {
    pub fn new(name: &str, judgement: Judgement, settle_by_ack: bool) -> Self {
        Self {
            name: name.to_owned(),
            view: View::default(),
            outbox: Outbox::default(),
            socket: None,
            outgoing: Vec::new(),
            cursor: None,
            judgement,
            settle_by_ack,
            connection: 0,
            joined: false,
            joining: false,
            join_at: None,
            caught_up: false,
            undecided: Vec::new(),
            known_from: Position::ORIGIN,
            asked: None,
            asks: 0,
            misses: 0,
        }
    }

    pub fn position(&self) -> Option<Position> {
        self.cursor.as_ref().map(Cursor::position)
    }

    /// Whether nothing is left to be asked or sent.
    pub fn is_settled(&self) -> bool {
        self.caught_up && !self.joining && self.undecided.is_empty() && self.outbox.is_settled()
    }

    pub fn connected(&mut self, socket: usize) {
        self.socket = Some(socket);
        self.connection += 1;
        self.joined = false;
        self.joining = true;
        self.caught_up = false;
        self.asked = None;
        let rooms = json!([{"room": "general", "since": self.position()}]);
        self.outgoing
            .push(json!({"type": "hello", "user": self.name, "rooms": rooms}));
    }

    pub fn disconnected(&mut self) {
        self.socket = None;
        self.outgoing.clear();
    }

    pub fn write(&mut self, text: &str) {
        let id = format!("{}-{}", self.name, self.outbox.commands.len());
        let progress = Progress::Waiting { not_before: 0 };
        self.outbox.commands.push(Command {
            id,
            text: text.to_owned(),
            progress,
            tries: 0,
        });
    }

    /// What is due.
    pub fn tick(&mut self, now: u64) {
        if self.socket.is_none() {
            return;
        }
        if self.join_at.is_some_and(|at| at <= now) {
            self.join_at = None;
            self.rejoin();
        }
        if !self.joined || !self.caught_up {
            return;
        }
        self.ask();
        let connection = self.connection;
        for command in &mut self.outbox.commands {
            if matches!(command.progress, Progress::Waiting { not_before } if not_before <= now) {
                command.progress = Progress::Sent { connection };
                self.outgoing.push(json!({"type": "send", "room": "general", "id": command.id, "text": command.text}));
            }
        }
    }

    pub fn receive(&mut self, now: u64, text: &str) -> Result<(), String> {
        let frame: Value = serde_json::from_str(text).expect("a frame is JSON");
        let kind = frame["type"]
            .as_str()
            .expect("a frame has a type")
            .to_owned();
        match kind.as_str() {
            "message" | "skipped" => self.offered(&read::<Shown>(frame), None)?,
            "joined" => self.truth(read(frame))?,
            "page" => {
                let page: Page = read(frame);
                for entry in &page.messages {
                    self.offered(entry, Some(page.head))?;
                }
                self.came_to_the_end(!page.more);
            }
            "history" => self.history(read(frame))?,
            "ack" => {
                let ack: Ack = read(frame);
                self.outbox
                    .acknowledged(&ack.id, ack.position, self.settle_by_ack);
                self.moved(None);
            }
            "error" => self.refused(now, &read(frame)),
            _ => {}
        }
        Ok(())
    }

    fn offered(&mut self, entry: &Shown, head: Option<Position>) -> Result<(), String> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(());
        };
        match cursor.offer(&entry.link()) {
            Offer::Deliver => self.show(entry, Source::Delivered)?,
            Offer::Drop => {}
            Offer::Fetch => self.rejoin(),
        }
        self.moved(head);
        Ok(())
    }

    fn truth(&mut self, joined: Joined) -> Result<(), String> {
        self.joined = true;
        self.joining = false;
        if joined.recovered {
            for entry in &joined.messages {
                self.offered(entry, Some(joined.head))?;
            }
        } else {
            self.new_truth(&joined)?;
        }
        self.moved(Some(joined.head));
        self.came_to_the_end(!joined.more);
        Ok(())
    }

    fn new_truth(&mut self, joined: &Joined) -> Result<(), String> {
        if let Some(Span { from, to }) = joined.lost {
            self.view.gone.push((from, to));
            self.outbox.trimmed();
        }
        let start = joined
            .messages
            .first()
            .map_or(joined.position, |entry| entry.link().before());
        // Also a loss below the own position puts in doubt what is shown above it: the answer is to
        // the position of the `join`, and the log may have become another since.
        let diverged = joined.reason.as_deref() == Some("diverged");
        let doubtful = |position: &Position| diverged || position.seq > start.seq;
        self.undecided
            .extend(self.view.positions().filter(doubtful));
        self.undecided
            .sort_by_key(|position| (position.seq, position.tag.to_string()));
        self.undecided.dedup();
        self.known_from = start;
        self.misses = 0;
        self.view.turn(joined.position);
        let judgement = self.judgement;
        let cursor = self
            .cursor
            .get_or_insert_with(|| Cursor::new(start, TAGS, judgement));
        cursor.advance(start);
        for entry in &joined.messages {
            cursor.advance(entry.position);
        }
        for entry in &joined.messages {
            self.show(entry, Source::Truth)?;
        }
        self.learn(joined.head.seq, start, &joined.messages);
        Ok(())
    }

    fn show(&mut self, entry: &Shown, source: Source) -> Result<(), String> {
        self.view.show(entry.link(), source)?;
        if entry
            .user
            .as_ref()
            .is_some_and(|user| user.id.as_str() == self.name)
            && let Some(id) = &entry.id
        {
            self.outbox.returned(id, entry.position);
        }
        if entry.id.is_none() {
            self.outbox.struck(entry.position);
        }
        self.undecided.retain(|other| *other != entry.position);
        // Its number was taken by another: the one that was shown there is in no log.
        let span = entry.link();
        let replaced = |other: &Position| {
            (span.from..=span.seq).contains(&other.seq) && *other != entry.position
        };
        for position in self.undecided.extract_if(.., |other| replaced(other)) {
            self.view.lose(position);
            self.outbox.lost(position);
        }
        Ok(())
    }

    fn moved(&mut self, head: Option<Position>) {
        let Some(position) = self.position() else {
            return;
        };
        let doubtful = self.outbox.moved(&self.view, position, head);
        if doubtful.iter().any(|own| !self.undecided.contains(own)) {
            self.undecided.extend(doubtful);
            // From the top: it may be above what the search has passed.
            self.known_from = position;
            self.asked = None;
        }
    }

    fn came_to_the_end(&mut self, end: bool) {
        self.caught_up = end;
        if end && !self.joining {
            self.outbox.caught_up(self.connection);
        }
    }

    fn rejoin(&mut self) {
        if !self.joining && self.socket.is_some() {
            self.joining = true;
            self.outgoing.push(
                json!({"type": "join", "room": "general", "since": self.position(), "ref": "join"}),
            );
        }
    }

    /// Learns from entries of the log as it is that follow `start`, up to what is known already.
    fn learn(&mut self, head: Seq, start: Position, entries: &[Shown]) {
        let known = |position: &Position| {
            *position == start || entries.iter().any(|entry| entry.position == *position)
        };
        let end = entries.last().map_or(start.seq, |entry| entry.position.seq);
        let kept: Vec<Position> = self
            .undecided
            .iter()
            .filter(|position| known(position))
            .flat_map(|position| self.view.line_of(*position))
            .collect();
        self.undecided.retain(|position| !kept.contains(position));
        let covered =
            |position: &Position| (start.seq..=end).contains(&position.seq) || position.seq > head;
        let denied = |position: &Position| covered(position) && !known(position);
        for position in self.undecided.extract_if(.., |position| denied(position)) {
            self.view.lose(position);
            self.outbox.lost(position);
        }
    }

    /// Asks for the entries right below those that are known.
    fn ask(&mut self) {
        if self.undecided.is_empty() || self.asked.is_some() || self.joining {
            return;
        }
        self.asks += 1;
        self.asked = Some(self.asks);
        let reference = format!("fork-{}", self.asks);
        let before = self.known_from.seq + 1;
        self.outgoing.push(json!({"type": "history", "room": "general", "before": before, "limit": FORK_ENTRIES, "ref": reference}));
    }

    fn history(&mut self, history: History) -> Result<(), String> {
        if Some(history.r#ref.as_str())
            != self.asked.map(|number| format!("fork-{number}")).as_deref()
        {
            return Ok(());
        }
        self.asked = None;
        let Some(first) = history.messages.first() else {
            return self.give_up();
        };
        let start = first.link().before();
        let top = history.messages.last().map(|last| last.position);
        if top != Some(self.known_from) && self.misses < MISSES {
            // The log has changed meanwhile, or has a hole here. A resume tells of the former; what
            // is answered alike after it is the latter.
            self.misses += 1;
            self.known_from = self.position().unwrap_or_default();
            self.rejoin();
            return Ok(());
        }
        for entry in &history.messages {
            self.show(entry, Source::History)?;
        }
        self.known_from = start;
        self.learn(Seq::MAX, start, &history.messages);
        self.moved(None);
        if history.more { Ok(()) } else { self.give_up() }
    }

    /// Nothing is kept below what is known: of what stood there nobody can tell any more.
    fn give_up(&mut self) -> Result<(), String> {
        for position in self.undecided.drain(..) {
            self.view.lose(position);
            self.outbox.untold(position);
        }
        self.moved(None);
        Ok(())
    }

    fn refused(&mut self, now: u64, refusal: &Refusal) {
        let retry_at = now + refusal.retry_after_ms.unwrap_or(1000);
        match refusal.r#ref.as_deref() {
            // The answer to `hello` or `join`: the room could not be joined.
            None | Some("join") => {
                self.joining = false;
                self.join_at = Some(retry_at);
            }
            Some(reference) if reference.starts_with("fork-") => self.asked = None,
            Some(id) => self.outbox.refused(id, &refusal.code, retry_at),
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(frame: Value) -> T {
    serde_json::from_value(frame).expect("a frame has its fields")
}
