//! A client: its cursor, its outbox, what it shows, and the search for a fork.

use super::cursor::{Cursor, Judgement};
use super::view::{Source, View};
use clustertalk_core::delivery::outbox::{Progress, Refusal, Request};
use clustertalk_core::delivery::{Offer, Outbox};
use clustertalk_core::ids::{MessageId, Position, RoomName, Seq, User};
use clustertalk_core::protocol::EntryFrame;
use clustertalk_core::time::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

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
    /// The ids of all that it ever wrote.
    pub written: Vec<MessageId>,
    pub socket: Option<usize>,
    /// Frames to be sent.
    pub outgoing: Vec<String>,
    now: Timestamp,
    room: RoomName,
    cursor: Option<Cursor>,
    judgement: Judgement,
    settle_by_ack: bool,
    connection: u64,
    joined: bool,
    /// A `join` or `hello` is under way.
    joining: bool,
    join_at: Option<u64>,
    caught_up: bool,
    /// The highest number that the catch-up under way said to be lost.
    lost_to: Option<Seq>,
    /// What was shown when the log turned out to be another, or is said to be stored, and is not
    /// known to be in it.
    undecided: Vec<Position>,
    /// The log is known from here on.
    known_from: Position,
    asked: Option<u64>,
    asks: u64,
    /// Answers that did not hang on what is known.
    misses: usize,
}

#[derive(Deserialize)]
struct Welcome {
    user: User,
    limits: Limits,
}

#[derive(Deserialize)]
struct Limits {
    messages_per_second: u32,
}

#[derive(Deserialize)]
struct Joined {
    position: Position,
    head: Position,
    recovered: bool,
    reason: Option<String>,
    lost: Option<Span>,
    more: bool,
    messages: Vec<EntryFrame>,
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
    messages: Vec<EntryFrame>,
}

#[derive(Deserialize)]
struct History {
    messages: Vec<EntryFrame>,
    more: bool,
    r#ref: String,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
    r#ref: Option<String>,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Pong {
    rooms: Vec<Stands>,
}

#[derive(Deserialize)]
struct Stands {
    position: Position,
}

#[derive(Deserialize)]
struct Ack {
    id: MessageId,
    position: Position,
}

impl Client {
    pub fn new(name: &str, judgement: Judgement, settle_by_ack: bool) -> Self {
        Self {
            name: name.to_owned(),
            view: View::default(),
            outbox: Outbox::default(),
            written: Vec::new(),
            socket: None,
            outgoing: Vec::new(),
            now: Timestamp::default(),
            room: RoomName::parse("general").expect("a literal of the right form"),
            cursor: None,
            judgement,
            settle_by_ack,
            connection: 0,
            joined: false,
            joining: false,
            join_at: None,
            caught_up: false,
            lost_to: None,
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
        let is_settled = |progress: &Progress| {
            matches!(
                progress,
                Progress::Delivered { .. } | Progress::Uncertain | Progress::Failed { .. }
            )
        };
        let mut commands = self.outbox.commands().iter();
        self.caught_up
            && !self.joining
            && self.undecided.is_empty()
            && commands.all(|command| is_settled(&command.progress))
    }

    pub fn connected(&mut self, socket: usize) {
        self.socket = Some(socket);
        self.connection += 1;
        self.joined = false;
        self.joining = true;
        self.caught_up = false;
        self.asked = None;
        let rooms = json!([{"room": "general", "since": self.position()}]);
        self.transmit(json!({"type": "hello", "user": self.name, "rooms": rooms}));
    }

    pub fn disconnected(&mut self) {
        self.socket = None;
        self.outgoing.clear();
    }

    /// The program ends and begins again; what is left is the outbox, as it was stored.
    pub fn restart(&mut self) {
        let stored = serde_json::to_string(self.outbox.commands()).expect("commands are JSON");
        let commands = serde_json::from_str(&stored).expect("what was stored is read back");
        let outbox = Outbox::restored(commands);
        let position = outbox.resume_at(&self.room);
        let mut view = View::default();
        view.turn(position.unwrap_or_default());
        *self = Self {
            outbox,
            view,
            cursor: position.map(|position| Cursor::new(position, TAGS, self.judgement)),
            written: std::mem::take(&mut self.written),
            now: self.now,
            ..Self::new(&self.name, self.judgement, self.settle_by_ack)
        };
    }

    pub fn write(&mut self, text: &str) {
        let id = format!("{}-{}", self.name, self.written.len());
        let id = MessageId::parse(id).expect("a name and a number are an id");
        self.written.push(id.clone());
        let request = Request::Send {
            text: text.to_owned(),
            reply_to: None,
            mentions: Vec::new(),
        };
        let ready = self.is_ready();
        self.outbox
            .add(self.now, self.room.clone(), id, request, ready, None);
    }

    fn is_ready(&self) -> bool {
        self.socket.is_some() && self.joined && self.caught_up
    }

    fn transmit(&mut self, frame: Value) {
        self.outgoing.push(frame.to_string());
    }

    /// What is due.
    pub fn tick(&mut self, now: u64) {
        self.now = Timestamp::from_millis(now);
        if self.socket.is_none() {
            return;
        }
        if self.join_at.is_some_and(|at| at <= now) {
            self.join_at = None;
            self.rejoin();
        }
        self.ask();
        let ready = self.is_ready();
        while let Some(command) = self.outbox.next_to_send(self.now, |_| ready) {
            let id = command.id.clone();
            self.outgoing.push(command.encode());
            let after = self.position().unwrap_or_default();
            self.outbox.sent(self.now, &id, after);
        }
    }

    pub fn receive(&mut self, now: u64, text: &str) -> Result<(), String> {
        self.now = Timestamp::from_millis(now);
        let frame: Value = serde_json::from_str(text).expect("a frame is JSON");
        let kind = frame["type"]
            .as_str()
            .expect("a frame has a type")
            .to_owned();
        match kind.as_str() {
            "welcome" => {
                let Welcome { user, limits } = read(frame);
                let rate = limits.messages_per_second;
                self.outbox.welcomed(self.connection, user.id, rate);
            }
            "message" | "skipped" => self.offered(&read(frame), None)?,
            "joined" => self.truth(read(frame))?,
            "page" => {
                let page: Page = read(frame);
                for entry in &page.messages {
                    self.offered(entry, Some(page.head))?;
                }
                self.came_to_the_end(!page.more);
            }
            "history" => self.history(read(frame))?,
            "ack" => self.acknowledged(&read(frame)),
            "error" => self.refused(&read(frame)),
            "pong" => self.compared(read::<Pong>(frame).rooms[0].position),
            _ => {}
        }
        Ok(())
    }

    fn acknowledged(&mut self, ack: &Ack) {
        if self.settle_by_ack {
            return self.outbox.discard(&ack.id);
        }
        let cursor = self.cursor.as_ref().map(Cursor::inner);
        let tag = cursor.and_then(|cursor| cursor.tag_at(ack.position.seq));
        self.outbox.acked(self.now, &ack.id, ack.position, cursor);
        self.doubt();
        if tag.is_some_and(|tag| tag != ack.position.tag) {
            self.rejoin();
        }
    }

    fn offered(&mut self, entry: &EntryFrame, head: Option<Position>) -> Result<(), String> {
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
            self.lost_to = self.lost_to.max(Some(to));
        }
        let start = joined
            .messages
            .first()
            .map_or(joined.position, |entry| entry.link().before());
        // Also a loss below the own position puts in doubt what is shown above it: the answer is to
        // the position of the `join`, and the log may have become another since.
        let elsewhere = !matches!(joined.reason.as_deref(), Some("trimmed" | "damaged"));
        let doubtful = |position: &Position| elsewhere || position.seq > start.seq;
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
        cursor.turn(start);
        for entry in &joined.messages {
            cursor.advance(entry.link().position());
        }
        if elsewhere {
            self.outbox.forked(&self.room, cursor.inner());
        }
        for entry in &joined.messages {
            self.show(entry, Source::Truth)?;
        }
        self.learn(joined.head.seq, start, &joined.messages);
        Ok(())
    }

    fn show(&mut self, entry: &EntryFrame, source: Source) -> Result<(), String> {
        let span = entry.link();
        self.view.show(span, source)?;
        self.outbox.passed(self.now, entry);
        self.undecided.retain(|other| *other != span.position());
        // Its number was taken by another: the one that was shown there is in no log.
        let is_replaced = |other: &Position| (span.from..=span.seq).contains(&other.seq);
        self.lose(is_replaced);
        Ok(())
    }

    /// Of what is undecided, this is not in the log.
    fn lose(&mut self, is_lost: impl Fn(&Position) -> bool) {
        let lost: Vec<Position> = self
            .undecided
            .extract_if(.., |position| is_lost(position))
            .collect();
        lost.iter().for_each(|position| self.view.lose(*position));
        self.outbox.decided(self.now, &self.room, &[], &lost);
    }

    fn moved(&mut self, head: Option<Position>) {
        if let Some(cursor) = &self.cursor {
            self.outbox
                .reviewed(self.now, &self.room, cursor.inner(), head);
            self.doubt();
        }
    }

    /// Commands may stand where the cursor went by without seeing.
    fn doubt(&mut self) {
        let Some(cursor) = &self.cursor else { return };
        let doubtful = self.outbox.in_doubt(&self.room, cursor.inner());
        if doubtful.iter().any(|own| !self.undecided.contains(own)) {
            // From the top: it may be above what the search has passed.
            self.known_from = cursor.position();
            self.asked = None;
            self.undecided.extend(doubtful);
        }
    }

    fn came_to_the_end(&mut self, end: bool) {
        self.caught_up = end;
        if end && !self.joining {
            self.outbox.caught_up(&self.room, self.lost_to.take());
        }
    }

    /// An edge that stands below what is said to be stored reads a log that lost it.
    fn compared(&mut self, edge: Position) {
        let is_behind = self.position().is_some_and(|own| edge.seq < own.seq);
        if self.joined && (is_behind || self.outbox.is_stored_beyond(&self.room, edge)) {
            self.rejoin();
        }
    }

    fn rejoin(&mut self) {
        if !self.joining && self.socket.is_some() {
            self.joining = true;
            let since = self.position();
            self.transmit(
                json!({"type": "join", "room": "general", "since": since, "ref": "join"}),
            );
        }
    }

    /// Learns from entries of the log as it is that follow `start`, up to what is known already.
    fn learn(&mut self, head: Seq, start: Position, entries: &[EntryFrame]) {
        let run = entries.iter().map(|entry| entry.link().position());
        let run: Vec<Position> = std::iter::once(start).chain(run).collect();
        let end = run.last().map_or(start.seq, |last| last.seq);
        let known = self.undecided.iter().filter(|each| run.contains(each));
        let kept: Vec<Position> = known
            .flat_map(|each| self.view.line_of(*each).into_iter().chain([*each]))
            .collect();
        self.undecided.retain(|position| !kept.contains(position));
        self.outbox.decided(self.now, &self.room, &kept, &[]);
        self.lose(|position| (start.seq..=end).contains(&position.seq) || position.seq > head);
    }

    /// Asks for the entries right below those that are known.
    fn ask(&mut self) {
        if self.undecided.is_empty() || self.asked.is_some() || self.joining || !self.is_ready() {
            return;
        }
        self.asks += 1;
        self.asked = Some(self.asks);
        let reference = format!("fork-{}", self.asks);
        let before = self.known_from.seq + 1;
        self.transmit(json!({"type": "history", "room": "general", "before": before, "limit": FORK_ENTRIES, "ref": reference}));
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
        let top = history.messages.last().map(|last| last.link().position());
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
            self.outbox.untold(&self.room, position.seq);
        }
        self.moved(None);
        Ok(())
    }

    fn refused(&mut self, refused: &Refused) {
        let retry_after = refused.retry_after_ms.map(Duration::from_millis);
        match refused.r#ref.as_deref() {
            // The answer to `hello` or `join`: the room could not be joined.
            None | Some("join") => {
                self.joining = false;
                let pause = retry_after.unwrap_or(Duration::from_secs(1));
                self.join_at = Some(self.now.after(pause).as_millis());
            }
            Some(reference) if reference.starts_with("fork-") => self.asked = None,
            Some(reference) => {
                let id = MessageId::parse(reference).expect("a `ref` is an id");
                if refused.code == "not_joined" {
                    self.outbox.unsent(&id);
                    return self.rejoin();
                }
                let refusal = Refusal {
                    code: &refused.code,
                    message: &refused.message,
                    retry_after,
                };
                self.outbox.refused(self.now, &id, refusal);
            }
        }
    }
}

fn read<T: for<'de> Deserialize<'de>>(frame: Value) -> T {
    serde_json::from_value(frame).expect("a frame has its fields")
}
