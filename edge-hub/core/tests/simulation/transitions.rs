//! The world, and everything that can happen in it.

use super::client::Client;
use super::cursor::Judgement;
use super::edge::Edge;
use super::model::Redis;
use super::network::{Channel, Socket};
use super::random::Random;
use clustertalk_core::event::Event;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};

const EDGES: usize = 3;
const CLIENTS: [&str; 4] = ["ada", "bob", "cyd", "dan"];

/// How hosts and clients work: right by default, or with one mistake.
#[derive(Clone, Copy)]
pub struct Rules {
    pub clients: Judgement,
    pub edges: Judgement,
    /// Whether a host verifies that what it fetched hangs on what it had.
    pub verify: bool,
    /// Whether a client takes an acknowledgement for a delivery.
    pub settle_by_ack: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            clients: Judgement::ByTags,
            edges: Judgement::ByTags,
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
        let mut world = Self {
            now: 1_000_000,
            random: Random::new(seed),
            rules,
            faults,
            faulty: true,
            redis: Redis::default(),
            channel: Channel::default(),
            edges: (0..EDGES).map(|_| Edge::new()).collect(),
            clients: CLIENTS
                .map(|name| Client::new(name, rules.clients, rules.settle_by_ack))
                .into(),
            sockets: Vec::new(),
            met: BTreeMap::new(),
        };
        (0..EDGES).for_each(|edge| world.open_edge(edge));
        world
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
            43..48 => self.look(edge),
            55..58 => self.redis.delete(&mut self.random),
            58 if self.faults.by_hand => self.redis.remove_by_hand(&mut self.random),
            48..52 => self.pong(client),
            52..55 | 59..79 => self.connect(client),
            79 => self.restart_client(client),
            80..110 => {
                for _ in 0..1 + self.random.below(8) {
                    self.go_on(edge);
                }
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
                self.look(edge);
            }
            while let Some((edge, payload)) = self.channel.arrived(self.now) {
                self.published(edge, &payload);
            }
            for client in 0..self.clients.len() {
                self.connect(client);
                self.pong(client);
                self.clients[client].tick(self.now);
                self.collect(client);
                while self.move_frames(client)? {}
            }
            for edge in 0..self.edges.len() {
                // A wrong host can read for ever.
                if (0..1_000).all(|_| self.go_on(edge)) {
                    return Err(format!("edge {edge} does not come to rest"));
                }
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
                .all(|edge| edge.is_quiet() && edge.room.position() == Some(head))
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

    /// The edge says where it stands, as in an answer to `ping`.
    fn pong(&mut self, client: usize) {
        let Some(socket) = self.clients[client].socket else {
            return;
        };
        let socket = &mut self.sockets[socket];
        if let Some(position) = self.edges[socket.edge].room.position() {
            let rooms = json!([{"room": "general", "position": position}]);
            let pong = json!({"type": "pong", "rooms": rooms});
            socket.down.push_back(pong.to_string());
        }
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
        self.open_edge(edge);
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
}
