//! The world, and everything that can happen in it.

use super::client::Client;
use super::cursor::{Cursor, Judgement};
use super::edge::{Edge, TAGS};
use super::model::Redis;
use super::network::{Channel, Socket};
use super::random::Random;
use clustertalk_core::event::Event;
use clustertalk_core::ids::Position;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const EDGES: usize = 3;
const CLIENTS: [&str; 4] = ["ada", "bob", "cyd", "dan"];

/// How hosts and clients work: right by default, or with one mistake.
#[derive(Clone, Copy)]
pub struct Rules {
    pub judgement: Judgement,
    /// Whether a host verifies that what it fetched hangs on what it had.
    pub verify: bool,
    /// Whether a client takes an acknowledgement for a delivery.
    pub settle_by_ack: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            judgement: Judgement::ByTags,
            verify: true,
            settle_by_ack: false,
        }
    }
}

/// What goes wrong beyond the usual.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    /// A failover keeps `seen` whole while it loses the end of the log.
    pub seen_stays: bool,
    /// A failover loses more of `seen` than of the log.
    pub seen_is_lost: bool,
    /// Entries are removed by hand.
    pub by_hand: bool,
}

pub struct World {
    pub now: u64,
    pub random: Random,
    pub rules: Rules,
    pub faults: Faults,
    /// Whether anything goes wrong now.
    pub faulty: bool,
    pub redis: Redis,
    pub channel: Channel,
    pub edges: Vec<Edge>,
    pub clients: Vec<Client>,
    pub sockets: Vec<Socket>,
    /// What has happened, and how often.
    pub met: BTreeMap<String, usize>,
}

impl World {
    pub fn new(seed: u64, rules: Rules, faults: Faults) -> Self {
        let edge = |_| Edge {
            cursor: Cursor::new(Position::ORIGIN, TAGS, rules.judgement),
            followers: BTreeSet::new(),
            catching_up: BTreeMap::new(),
        };
        Self {
            now: 1_000_000,
            random: Random::new(seed),
            rules,
            faults,
            faulty: true,
            redis: Redis::default(),
            channel: Channel::default(),
            edges: (0..EDGES).map(edge).collect(),
            clients: CLIENTS
                .map(|name| Client::new(name, rules.judgement, rules.settle_by_ack))
                .into(),
            sockets: Vec::new(),
            met: BTreeMap::new(),
        }
    }

    pub fn meet(&mut self, what: &str) {
        *self.met.entry(what.to_owned()).or_default() += 1;
    }

    /// One thing happens.
    pub fn disturb(&mut self) -> Result<(), String> {
        self.now += self.random.below(200) as u64;
        let client = self.random.below(self.clients.len());
        let edge = self.random.below(self.edges.len());
        match self.random.below(200) {
            0..30 => {
                let text = ["hello", "hello", "hello", "spam", "odd", "vile"][self.random.below(6)];
                self.clients[client].write(text);
            }
            30..36 => {
                let Faults {
                    seen_stays,
                    seen_is_lost,
                    ..
                } = self.faults;
                self.redis
                    .fail_over(&mut self.random, seen_stays, seen_is_lost);
            }
            36..42 => {
                if let Some(socket) = self.clients[client].socket {
                    self.cut(socket);
                }
            }
            42 => self.restart(edge),
            43..48 => self.fetch(edge),
            55..58 => self.redis.delete(&mut self.random),
            58 if self.faults.by_hand => self.redis.remove_by_hand(&mut self.random),
            48..55 | 59..79 => self.connect(client),
            79 => self.restart_client(client),
            80..110 => {
                self.catch_up_once(edge);
            }
            110..140 => {
                while let Some((edge, payload)) = self.channel.arrived(self.now) {
                    self.published(edge, &payload);
                }
            }
            _ => {
                for client in 0..self.clients.len() {
                    for _ in 0..self.random.below(6) {
                        self.move_frames(client)?;
                    }
                }
            }
        }
        for client in 0..self.clients.len() {
            self.clients[client].tick(self.now);
            self.collect(client);
        }
        Ok(())
    }

    /// No more trouble, and time enough for everything that is due.
    pub fn settle(&mut self) -> Result<(), String> {
        self.faulty = false;
        for _ in 0..400 {
            self.now += 500;
            for edge in 0..self.edges.len() {
                self.fetch(edge);
            }
            while let Some((edge, payload)) = self.channel.arrived(self.now) {
                self.published(edge, &payload);
            }
            for client in 0..self.clients.len() {
                self.connect(client);
                self.clients[client].tick(self.now);
                self.collect(client);
                while self.move_frames(client)? {}
            }
            for edge in 0..self.edges.len() {
                while self.catch_up_once(edge) {}
            }
            if self.is_quiet() {
                return Ok(());
            }
        }
        let open = self.clients.iter().find(|client| !client.is_settled());
        let open = open.map(|client| (&client.name, client.outbox.commands()));
        Err(format!("it does not come to rest: {open:?}"))
    }

    fn is_quiet(&self) -> bool {
        let head = self.redis.store.head();
        let idle =
            |socket: &Socket| !socket.open || (socket.up.is_empty() && socket.down.is_empty());
        self.channel.is_empty()
            && self.sockets.iter().all(idle)
            && self
                .edges
                .iter()
                .all(|edge| edge.catching_up.is_empty() && edge.cursor.position() == head)
            && self.clients.iter().all(Client::is_settled)
    }

    fn connect(&mut self, client: usize) {
        if self.clients[client].socket.is_some() {
            return;
        }
        let socket = self.sockets.len();
        self.sockets.push(Socket {
            client,
            edge: self.random.below(self.edges.len()),
            up: VecDeque::new(),
            down: VecDeque::new(),
            session: Vec::new(),
            unapplied: Vec::new(),
            identified: false,
            open: true,
        });
        self.clients[client].connected(socket);
        self.call(socket, Event::Opened);
        self.collect(client);
    }

    pub fn cut(&mut self, socket: usize) {
        if !std::mem::take(&mut self.sockets[socket].open) {
            return;
        }
        self.clients[self.sockets[socket].client].disconnected();
        self.sockets[socket].unapplied.clear();
        self.detach(socket);
        self.call(socket, Event::Closed);
    }

    /// The edge is gone with its sockets, and comes back knowing nothing.
    fn restart(&mut self, edge: usize) {
        for socket in 0..self.sockets.len() {
            if self.sockets[socket].edge == edge {
                self.cut(socket);
            }
        }
        self.edges[edge] = self.open_edge();
    }

    fn restart_client(&mut self, client: usize) {
        if let Some(socket) = self.clients[client].socket {
            self.cut(socket);
        }
        self.clients[client].restart();
    }

    fn collect(&mut self, client: usize) {
        let client = &mut self.clients[client];
        if let Some(socket) = client.socket {
            self.sockets[socket].up.extend(client.outgoing.drain(..));
        }
    }

    /// One frame each way, if there is one.
    fn move_frames(&mut self, client: usize) -> Result<bool, String> {
        let Some(socket) = self.clients[client].socket else {
            return Ok(false);
        };
        let down = self.sockets[socket].down.pop_front();
        let is_busy = !self.sockets[socket].unapplied.is_empty();
        let up = (!is_busy)
            .then(|| self.sockets[socket].up.pop_front())
            .flatten();
        let moved = is_busy || up.is_some() || down.is_some();
        self.finish(socket);
        if let Some(text) = down {
            self.clients[client].receive(self.now, &text)?;
        }
        if let Some(text) = up {
            self.call(socket, Event::Frame(text));
        }
        self.collect(client);
        Ok(moved)
    }

    fn catch_up_once(&mut self, edge: usize) -> bool {
        let waiting: Vec<usize> = self.edges[edge].catching_up.keys().copied().collect();
        if waiting.is_empty() {
            return false;
        }
        let socket = waiting[self.random.below(waiting.len())];
        self.page(edge, socket);
        true
    }
}
