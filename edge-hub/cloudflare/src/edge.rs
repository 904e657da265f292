//! All that one Durable Object holds: its connections, the rooms that they follow, and Redis.

use crate::{
    admission::{Admission, Paces},
    clock,
    components::Components,
    connection::{Connection, Kept},
    perform::Imports,
    redis::{Care, Listener, Pool, Subscriber},
    room::{Control, RoomHandle},
    settings::{Mode, Settings},
    wake::wake_others,
};
use clustertalk_core::{
    delivery::{Concern, Notice, Publication},
    ids::{Position, RoomName, Seq},
    protocol::{CloseCode, ServerFrame},
    statistics::{bring_up, room_commands},
    time::Timestamp,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap, HashSet},
    rc::{Rc, Weak},
    time::Duration,
};
use worker::{
    Env, ObjectNamespace, State, WebSocket, console_error, console_warn,
    wasm_bindgen::{self, prelude::wasm_bindgen},
    wasm_bindgen_futures::spawn_local,
};

/// The objects' binding in wrangler.jsonc.
pub const OBJECTS: &str = "EDGES";
/// What the id of an object's edge begins with.
const OBJECT: &str = "worker.";
/// How often rooms and connections are looked after while this object stays awake.
const TICK: Duration = Duration::from_secs(1);
/// How soon an object that lost its memory with connections is awake again.
const WATCHDOG: Duration = Duration::from_secs(10);
/// How far the stored positions may be behind: little for an object that may sleep, and for one that
/// loses its memory by accident only, so far that storing costs little. What lies between is sent once
/// more after a loss, and clients know it by its position.
const STORED_BEFORE_SLEEP: Duration = Duration::from_secs(1);
const STORED_AWAKE: Duration = Duration::from_secs(10);
/// Under which they are stored: all rooms in one row, since each costs.
const POSITIONS: &str = "positions";
/// An object that may sleep closes its connections to Redis after this time without a command.
const RESTS_AFTER: Duration = Duration::from_secs(1);

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(bytes: &mut [u8]);
}

/// Somebody without a WebSocket waits for news of a room, which is kept open for him.
pub struct Interest(RoomHandle);

impl Interest {
    /// Waits until the room stands beyond `seq`, at most this span.
    pub async fn wait_beyond(&self, seq: Seq, span: Duration) {
        clock::timeout(span, self.0.beyond(seq)).await;
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.0.count_interest(-1);
    }
}

/// Unpredictable bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    get_random_values(&mut bytes);
    bytes
}

pub struct Edge {
    /// New whenever the object begins without connections: what presence counts by.
    pub id: String,
    pub settings: Settings,
    pub imports: Imports,
    pub admission: Rc<Admission>,
    pub paces: Paces,
    me: Weak<Self>,
    state: Rc<State>,
    env: Env,
    subscriber: Option<Subscriber>,
    connections: RefCell<HashMap<u64, Rc<Connection>>>,
    rooms: RefCell<HashMap<RoomName, RoomHandle>>,
    /// Where the rooms stand.
    positions: RefCell<BTreeMap<RoomName, Position>>,
    is_storing: Cell<bool>,
    is_ticking: Cell<bool>,
    is_resting: Cell<bool>,
    alarm_at: Cell<Option<Timestamp>>,
    /// Rooms with messages that the overall figures do not have yet.
    uncounted: RefCell<HashSet<RoomName>>,
}

impl Edge {
    /// Begins, or goes on with the connections that the platform kept.
    pub async fn begin(state: Rc<State>, env: Env, settings: Settings) -> Rc<Self> {
        let sockets: Vec<(WebSocket, Option<Kept>)> = state
            .get_websockets()
            .into_iter()
            .map(|socket| {
                let kept = Kept::of(&socket);
                (socket, kept)
            })
            .collect();
        let known = sockets
            .iter()
            .find_map(|(_, kept)| Some(kept.as_ref()?.edge().to_owned()));
        let id = known.unwrap_or_else(|| {
            let name = state.id().name().unwrap_or_default();
            let bytes: [u8; 8] = random();
            format!("{OBJECT}{name}.{:016x}", u64::from_le_bytes(bytes))
        });
        let address = Rc::new(settings.redis.clone());
        let deployment = &settings.deployment;
        let pool = Rc::new(Pool::new(
            Rc::clone(&address),
            deployment.keyspace.clone(),
            id.clone(),
            deployment.hub.limits.clone(),
            settings.connection_life,
        ));
        let edge = Rc::new_cyclic(|edge: &Weak<Self>| Self {
            id,
            subscriber: match settings.mode {
                Mode::Subscribe { heartbeat } => {
                    let listener: Weak<dyn Listener> = edge.clone();
                    let care = Care {
                        heartbeat,
                        life: settings.connection_life,
                    };
                    Some(Subscriber::start(address, Rc::clone(&pool), care, listener))
                }
                Mode::Poll { .. } => None,
            },
            imports: Imports {
                pool,
                components: Components::new(settings.fail, settings.reuse),
            },
            admission: Rc::new(Admission::new(
                settings.connections,
                settings.connections_per_address,
            )),
            paces: Paces::default(),
            settings,
            me: edge.clone(),
            state,
            env,
            connections: RefCell::default(),
            rooms: RefCell::default(),
            positions: RefCell::default(),
            is_storing: Cell::new(false),
            is_ticking: Cell::new(false),
            is_resting: Cell::new(false),
            alarm_at: Cell::new(None),
            uncounted: RefCell::default(),
        });
        if !sockets.is_empty() {
            edge.resume(sockets).await;
        }
        edge
    }

    /// The name of the object that is the edge of this id; `None` for an edge of another platform.
    pub fn object_of(id: &str) -> Option<&str> {
        let (name, _) = id.strip_prefix(OBJECT)?.rsplit_once('.')?;
        (!name.is_empty()).then_some(name)
    }

    /// All objects of this Worker.
    pub fn objects(&self) -> worker::Result<ObjectNamespace> {
        self.env.durable_object(OBJECTS)
    }

    /// Takes up the connections, and the rooms where they stood.
    async fn resume(self: &Rc<Self>, sockets: Vec<(WebSocket, Option<Kept>)>) {
        let mut followers: BTreeMap<RoomName, Vec<Rc<Connection>>> = BTreeMap::new();
        for (socket, kept) in sockets {
            let code = CloseCode::SessionUnknown;
            let restored = kept.and_then(|kept| Connection::restore(self, socket.clone(), kept));
            let Some(connection) = restored else {
                let _ = socket.close(Some(code.code()), Some(code.sentence()));
                continue;
            };
            self.enter(Rc::clone(&connection));
            for followed in connection.rooms() {
                if followed.is_current {
                    let followers = followers.entry(followed.room).or_default();
                    followers.push(Rc::clone(&connection));
                } else {
                    // It was on the way to where the room stood; only it knows how far it came.
                    connection.close(CloseCode::Internal);
                }
            }
        }
        let mut positions = self.stored_positions().await;
        for (room, followers) in followers {
            match positions.remove(&room) {
                Some(position) => {
                    let stood = &mut self.positions.borrow_mut();
                    stood.insert(room.clone(), position);
                    let resumed = Some((position, followers));
                    let handle = RoomHandle::open(self, room.clone(), resumed);
                    self.opened(room, handle);
                }
                None => {
                    for connection in followers {
                        connection.close(CloseCode::Internal);
                    }
                }
            }
        }
        self.keep_awake();
    }

    async fn stored_positions(&self) -> BTreeMap<RoomName, Position> {
        let stored = self.state.storage().get::<String>(POSITIONS).await;
        let text = stored.ok().flatten().unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A connection came, or came back.
    pub fn enter(self: &Rc<Self>, connection: Rc<Connection>) {
        let number = connection.number;
        self.connections.borrow_mut().insert(number, connection);
        self.keep_awake();
    }

    pub fn leave(&self, number: u64) {
        self.connections.borrow_mut().remove(&number);
    }

    pub fn connection(&self, number: u64) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&number).cloned()
    }

    pub fn connections(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Lets a connection follow a room from `since` on; the room answers it with `joined`.
    pub fn attach(
        self: &Rc<Self>,
        room: &RoomName,
        connection: Rc<Connection>,
        since: Option<Position>,
    ) {
        let handle = self.room(room);
        handle.tell(Control::Attach { connection, since });
    }

    pub fn interest(self: &Rc<Self>, room: &RoomName) -> Interest {
        let handle = self.room(room);
        handle.count_interest(1);
        self.keep_awake();
        Interest(handle)
    }

    fn room(self: &Rc<Self>, room: &RoomName) -> RoomHandle {
        if let Some(handle) = self.rooms.borrow().get(room) {
            return handle.clone();
        }
        let handle = RoomHandle::open(self, room.clone(), None);
        self.opened(room.clone(), handle.clone());
        handle
    }

    fn opened(self: &Rc<Self>, room: RoomName, handle: RoomHandle) {
        self.rooms.borrow_mut().insert(room.clone(), handle.clone());
        if self.subscriber.is_none() {
            // What is appended while nobody listens is found by looking.
            return handle.tell(Control::Subscribed);
        }
        let edge = Rc::clone(self);
        spawn_local(async move {
            if let Some(subscriber) = &edge.subscriber {
                subscriber.subscribe(&room).await;
                handle.tell(Control::Subscribed);
            }
        });
    }

    pub fn detach(&self, room: &RoomName, number: u64) {
        if let Some(handle) = self.rooms.borrow().get(room) {
            handle.tell(Control::Detach { number });
        }
    }

    /// A room's task has ended.
    pub fn forget(&self, room: &RoomName, handle: &RoomHandle) {
        let mut rooms = self.rooms.borrow_mut();
        if rooms.get(room).is_some_and(|found| found.is_same(handle)) {
            rooms.remove(room);
            self.positions.borrow_mut().remove(room);
            if let Some(subscriber) = &self.subscriber {
                subscriber.unsubscribe(room);
            }
        }
    }

    pub fn position(&self, room: &RoomName) -> Option<Position> {
        self.rooms.borrow().get(room)?.position()
    }

    /// This edge appended to a room: without a subscription it has to look itself.
    pub fn appended(&self, room: &RoomName) {
        if self.subscriber.is_none() {
            self.changed(room);
            self.look(room);
            if let Some(edge) = self.me.upgrade() {
                wake_others(&edge, room);
            }
        }
    }

    /// A connection told everyone in a room something that is not kept. Without a subscription those
    /// here are told of it here, and those elsewhere who sleep are not.
    pub fn announced(&self, room: &RoomName, from: &str, frame: &ServerFrame) {
        if self.subscriber.is_none() {
            let payload = Publication::announce(from, &frame.encode());
            self.published(room, payload.into_bytes());
        }
    }

    /// Something was appended to a room.
    pub fn look(&self, room: &RoomName) {
        if let Some(handle) = self.rooms.borrow().get(room) {
            handle.tell(Control::Resync);
        }
    }

    pub fn look_everywhere(&self) {
        for handle in self.rooms.borrow().values() {
            handle.tell(Control::Resync);
        }
    }

    /// The overall figures are behind with a room.
    pub fn changed(&self, room: &RoomName) {
        let mut uncounted = self.uncounted.borrow_mut();
        if !uncounted.contains(room) {
            uncounted.insert(room.clone());
        }
    }

    /// A room stands here; what outlives this object's memory will know it in a moment.
    pub fn stands(self: &Rc<Self>, room: &RoomName, position: Position) {
        let stood = self.positions.borrow_mut().insert(room.clone(), position);
        if stood == Some(position) {
            return;
        }
        let within = match self.settings.mode {
            // Whoever follows a room of which nothing is known has to begin anew.
            _ if stood.is_none() => Duration::ZERO,
            Mode::Poll { .. } => STORED_BEFORE_SLEEP,
            Mode::Subscribe { .. } => STORED_AWAKE,
        };
        if !within.is_zero() && self.is_storing.replace(true) {
            return;
        }
        let edge = Rc::clone(self);
        spawn_local(async move {
            clock::sleep(within).await;
            if !within.is_zero() {
                edge.is_storing.set(false);
            }
            let text = serde_json::to_string(&*edge.positions.borrow()).unwrap_or_default();
            if let Err(error) = edge.state.storage().put(POSITIONS, text).await {
                console_error!("the positions of the rooms were not stored: {error}");
            }
        });
    }

    /// A connection wants to be woken at this time.
    pub fn wake_by(self: &Rc<Self>, at: Timestamp) {
        if matches!(self.settings.mode, Mode::Poll { .. }) {
            self.set_alarm(at);
        }
    }

    /// Sees to it that this object is called while it has connections.
    fn keep_awake(self: &Rc<Self>) {
        let now = clock::now();
        match self.settings.mode {
            Mode::Poll { every } => self.set_alarm(now.after(every)),
            Mode::Subscribe { .. } => {
                self.set_alarm(now.after(WATCHDOG));
                if self.is_ticking.replace(true) {
                    return;
                }
                let edge = Rc::clone(self);
                spawn_local(async move {
                    while edge.connections() > 0 || !edge.rooms.borrow().is_empty() {
                        clock::sleep(TICK).await;
                        edge.tick().await;
                    }
                    edge.is_ticking.set(false);
                });
            }
        }
    }

    /// Sets the alarm, unless an earlier one is set.
    fn set_alarm(self: &Rc<Self>, at: Timestamp) {
        let now = clock::now();
        if self
            .alarm_at
            .get()
            .is_some_and(|set| set > now && set <= at)
        {
            return;
        }
        self.alarm_at.set(Some(at));
        let edge = Rc::clone(self);
        spawn_local(async move {
            let span = at.since(clock::now()).max(Duration::from_millis(1));
            if let Err(error) = edge.state.storage().set_alarm(span).await {
                console_error!("the alarm was not set: {error}");
            }
        });
    }

    /// The alarm came.
    pub async fn alarmed(self: &Rc<Self>) {
        self.alarm_at.set(None);
        if let Mode::Poll { .. } = self.settings.mode {
            self.tick().await;
        }
        if self.connections() > 0 {
            self.keep_awake();
        }
    }

    async fn tick(self: &Rc<Self>) {
        let now = clock::now();
        let connections: Vec<_> = self.connections.borrow().values().cloned().collect();
        for connection in connections {
            connection.look_after(self, now);
        }
        for handle in self.rooms.borrow().values() {
            handle.tell(Control::Tick);
        }
        let uncounted = std::mem::take(&mut *self.uncounted.borrow_mut());
        for room in uncounted {
            if self.count(&room).await.is_err() {
                self.changed(&room);
            }
        }
    }

    /// Brings the overall figures up to date with a room's, which nobody here may follow, while
    /// nobody waits for it.
    pub fn count_soon(self: &Rc<Self>, room: &RoomName) {
        let (edge, room) = (Rc::clone(self), room.clone());
        spawn_local(async move {
            if edge.count(&room).await.is_err() {
                edge.changed(&room);
            }
        });
    }

    /// Brings the overall figures up to date with a room's.
    async fn count(&self, room: &RoomName) -> Result<(), crate::redis::RedisError> {
        let (pool, now) = (&self.imports.pool, clock::now());
        let [a, b, c, d, e] = room_commands(&pool.keyspace, room, now);
        let replies = [
            pool.command(&a).await?,
            pool.command(&b).await?,
            pool.command(&c).await?,
            pool.command(&d).await?,
            pool.command(&e).await?,
        ];
        if let Some(call) = bring_up(&pool.keyspace, room, now, &replies) {
            pool.call(&call).await?;
        }
        Ok(())
    }

    /// An event is over. An object that may sleep lets go of Redis when nothing is under way.
    pub fn rest(self: &Rc<Self>) {
        if !matches!(self.settings.mode, Mode::Poll { .. }) || self.is_resting.replace(true) {
            return;
        }
        let edge = Rc::clone(self);
        spawn_local(async move {
            loop {
                let (_, sent) = edge.imports.pool.activity();
                clock::sleep(RESTS_AFTER).await;
                if edge.imports.pool.activity() == (0, sent) {
                    break;
                }
            }
            edge.is_resting.set(false);
            edge.imports.pool.close().await;
        });
    }
}

impl Listener for Edge {
    fn published(&self, room: &RoomName, payload: Vec<u8>) {
        if let Some(handle) = self.rooms.borrow().get(room) {
            handle.tell(Control::Published(payload));
        }
    }

    fn noticed(&self, payload: &str) {
        let notice = match Notice::parse(payload) {
            Ok(notice) => notice,
            Err(error) => return console_warn!("a notice cannot be read: {error}"),
        };
        match notice.concern() {
            Some(Concern::User(user)) => {
                let Some(edge) = self.me.upgrade() else {
                    return;
                };
                let connections: Vec<_> = self.connections.borrow().values().cloned().collect();
                for connection in connections {
                    if connection.user().is_some_and(|found| found.id == *user) {
                        connection.notice(&edge, notice.clone());
                    }
                }
            }
            Some(Concern::Room(room)) => {
                if let Some(handle) = self.rooms.borrow().get(room) {
                    handle.tell(Control::Notice(notice.clone()));
                }
            }
            None => {}
        }
    }

    fn resync(&self) {
        self.look_everywhere();
    }
}
