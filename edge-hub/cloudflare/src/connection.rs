//! One WebSocket: its events into the hub, one at a time, and the effects out.
//!
//! All that it needs to go on is in the socket's attachment ([`Kept`]), which outlives this object's
//! memory.

use crate::{
    admission::{Network, Place},
    clock,
    edge::{Edge, random},
};
use clustertalk_core::{
    delivery::Notice,
    event::Event,
    hub::{self, Hub},
    ids::{RoomName, User},
    perform::{self, ForHost, Performer},
    protocol::{self, ClientFrame, CloseCode, ErrorFrame, Pong, RoomPosition, ServerFrame},
    time::Timestamp,
};
use futures_util::lock::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};
use worker::{
    WebSocket, console_error,
    js_sys::Uint8Array,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::spawn_local,
    worker_sys::ext::WebSocketExt,
};

/// Frames and notices that may wait for a hub that is busy, or for the pace. The platform hands over
/// whatever a client sends, so one that sends more than its hub takes is closed, and resumes.
const WAITING: usize = 256;
/// Bytes that may wait in this object's memory for a client that does not read them.
const MOST_BUFFERED: u32 = 256 << 10;
/// Bytes that wait for a client up to which it is given a page.
const PAGE_BUFFERED: u32 = 64 << 10;
/// Before it is looked again whether a client has read enough.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Pings that a client may omit before its connection counts as lost.
const OMITTED: u32 = 3;

/// What outlives this object's memory, in the socket's attachment. The platform takes 16,384 bytes; the
/// session has at most 8 KiB, the names of 64 rooms 4, and a token, which is gone when there are any, 8.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// `EDGE-NUMBER`.
    pub id: String,
    /// Until `hello` has been answered.
    token: Option<String>,
    /// The hub's own bytes, handed back with each event.
    session: Vec<u8>,
    user: Option<User>,
    pub rooms: Vec<Followed>,
    wake_at: Option<Timestamp>,
    /// Whence it comes.
    network: Network,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Followed {
    pub room: RoomName,
    /// It has all up to where the room stands; else it is on the way there.
    pub is_current: bool,
}

impl Kept {
    /// The attachment of a socket; `None` for one of another version.
    pub fn of(socket: &WebSocket) -> Option<Self> {
        let value = socket.as_ref().deserialize_attachment().ok()?;
        let bytes = value.dyn_into::<Uint8Array>().ok()?.to_vec();
        postcard::from_bytes(&bytes).ok()
    }

    /// As bytes, not as the object that a serialiser would make of it: small, and quickly copied.
    fn store(&self, socket: &WebSocket) -> Result<(), JsValue> {
        let bytes = postcard::to_allocvec(self).unwrap_or_default();
        let value = JsValue::from(Uint8Array::from(&bytes[..]));
        socket.as_ref().serialize_attachment(value)
    }

    pub fn edge(&self) -> &str {
        self.id.rsplit_once('-').map_or("", |(edge, _)| edge)
    }

    fn number(&self) -> Option<u64> {
        self.id.rsplit_once('-')?.1.parse().ok()
    }
}

/// One connection, while this object is in memory.
pub struct Connection {
    /// Unique on this edge.
    pub number: u64,
    /// The same over all edges; what ephemeral publications call their sender.
    pub id: String,
    socket: WebSocket,
    kept: RefCell<Kept>,
    /// What came over the socket, in its order. Frames wait for the pace.
    frames: RefCell<VecDeque<Event>>,
    /// What waits for nothing.
    notices: RefCell<VecDeque<Event>>,
    is_busy: Cell<bool>,
    /// When its next frame may be handled.
    ready_at: Cell<Timestamp>,
    /// Given back when it goes.
    place: RefCell<Option<Place>>,
    /// Taken by the room that sends it a page: one is in flight over all its rooms.
    pub turn: Arc<Mutex<()>>,
    heard_at: Cell<Timestamp>,
    is_closing: Cell<bool>,
    is_gone: Cell<bool>,
    home: Weak<Edge>,
}

impl Connection {
    pub fn new(
        edge: &Rc<Edge>,
        socket: WebSocket,
        token: Option<String>,
        (network, place): (Network, Place),
    ) -> Rc<Self> {
        // Below 2^53, as every number that JavaScript may see.
        let number = u64::from_le_bytes(random()) >> 11;
        let kept = Kept {
            id: format!("{}-{number}", edge.id),
            token,
            session: Vec::new(),
            user: None,
            rooms: Vec::new(),
            wake_at: None,
            network,
        };
        Self::from_kept(edge, number, socket, kept, place)
    }

    /// As it was before this object's memory was lost; `None` if the attachment cannot be read.
    pub fn restore(edge: &Rc<Edge>, socket: WebSocket, kept: Kept) -> Option<Rc<Self>> {
        let place = edge.admission.readmit(kept.network);
        Some(Self::from_kept(edge, kept.number()?, socket, kept, place))
    }

    fn from_kept(
        edge: &Rc<Edge>,
        number: u64,
        socket: WebSocket,
        kept: Kept,
        place: Place,
    ) -> Rc<Self> {
        // Else whoever connects anew for each frame would be heard at once.
        let now = clock::now();
        let ready_at = now.after(edge.paces.wait(now, kept.network));
        Rc::new(Self {
            number,
            id: kept.id.clone(),
            socket,
            kept: RefCell::new(kept),
            frames: RefCell::default(),
            notices: RefCell::default(),
            is_busy: Cell::new(false),
            ready_at: Cell::new(ready_at),
            place: RefCell::new(Some(place)),
            turn: Arc::default(),
            heard_at: Cell::new(clock::now()),
            is_closing: Cell::new(false),
            is_gone: Cell::new(false),
            home: Rc::downgrade(edge),
        })
    }

    pub fn user(&self) -> Option<User> {
        self.kept.borrow().user.clone()
    }

    pub fn rooms(&self) -> Vec<Followed> {
        self.kept.borrow().rooms.clone()
    }

    pub fn wake_at(&self) -> Option<Timestamp> {
        self.kept.borrow().wake_at
    }

    /// A text frame came.
    pub async fn text(self: &Rc<Self>, edge: &Rc<Edge>, text: String) {
        self.heard_at.set(clock::now());
        if text.len() > edge.settings.deployment.hub.limits.frame_bytes {
            return self.close(CloseCode::FrameTooLarge);
        }
        if let Some(pong) = self.pong(edge, &text) {
            self.take_frame(edge);
            return self.send(&pong.encode());
        }
        self.feed(edge, Event::Frame(text)).await;
    }

    /// What concerns its user or one of its rooms.
    pub fn notice(self: &Rc<Self>, edge: &Rc<Edge>, notice: Notice) {
        let (connection, edge) = (Rc::clone(self), Rc::clone(edge));
        spawn_local(async move { connection.feed(&edge, Event::Noticed(notice)).await });
    }

    /// It has been silent for too long, or the time has come that its hub asked for.
    pub fn look_after(self: &Rc<Self>, edge: &Rc<Edge>, now: Timestamp) {
        let silence = edge.settings.deployment.hub.limits.ping * OMITTED;
        if now.since(self.heard_at.get()) > silence {
            return self.close(CloseCode::Idle);
        }
        if self.wake_at().is_some_and(|at| at <= now) {
            self.kept.borrow_mut().wake_at = None;
            let (connection, edge) = (Rc::clone(self), Rc::clone(edge));
            spawn_local(async move { connection.feed(&edge, Event::WokeUp).await });
        }
    }

    /// It is gone, or will be: only presence is left to be cleared, once.
    pub async fn gone(self: &Rc<Self>, edge: &Rc<Edge>) {
        self.is_closing.set(true);
        edge.leave(self.number);
        self.place.take();
        if self.is_gone.replace(true) {
            return;
        }
        for followed in self.rooms() {
            edge.detach(&followed.room, self.number);
        }
        self.feed(edge, Event::Closed).await;
    }

    /// Has the hub handle an event after those that wait. The session is stored before the next.
    pub async fn feed(self: &Rc<Self>, edge: &Rc<Edge>, event: Event) {
        let waiting = self.frames.borrow().len() + self.notices.borrow().len();
        if waiting >= WAITING && event != Event::Closed {
            return self.close(CloseCode::Overloaded);
        }
        let queue = match event {
            Event::Opened | Event::Frame(_) | Event::Closed => &self.frames,
            _ => &self.notices,
        };
        queue.borrow_mut().push_back(event);
        if self.is_busy.replace(true) {
            return;
        }
        while let Some(event) = self.next().await {
            let is_frame = matches!(event, Event::Frame(_));
            self.handle(edge, event).await;
            if is_frame {
                // After the event, so that `hello` counts for the user whom it names.
                self.take_frame(edge);
            }
        }
        self.is_busy.set(false);
    }

    /// The next event, as soon as it may be handled. Who has gone is waited for by nobody.
    async fn next(&self) -> Option<Event> {
        loop {
            let notice = self.notices.borrow_mut().pop_front();
            if notice.is_some() {
                return notice;
            }
            let is_frame = matches!(self.frames.borrow().front()?, Event::Frame(_));
            let wait = self.ready_at.get().since(clock::now());
            if !is_frame || wait.is_zero() || self.is_gone.get() {
                return self.frames.borrow_mut().pop_front();
            }
            clock::sleep(wait.min(LOOK_AGAIN)).await;
        }
    }

    /// Takes one frame from the buckets of its user and its address.
    fn take_frame(&self, edge: &Edge) {
        let now = clock::now();
        let kept = self.kept.borrow();
        let user = kept.user.as_ref().map(|user| &user.id);
        let wait = edge.paces.take(now, kept.network, user);
        self.ready_at.set(now.after(wait));
    }

    async fn handle(self: &Rc<Self>, edge: &Rc<Edge>, event: Event) {
        let (session, token) = {
            let kept = self.kept.borrow();
            (kept.session.clone(), kept.token.clone())
        };
        let deployment = &edge.settings.deployment;
        let connection = hub::Connection {
            id: self.id.clone(),
            edge: edge.id.clone(),
            anonymous: deployment.anonymous,
            token,
        };
        let Ok(mut hub) = Hub::restore(&deployment.hub, connection, &session, random()) else {
            return self.close(CloseCode::SessionUnknown);
        };
        let performer = Performer {
            io: &edge.imports,
            settings: &deployment.hub,
            keyspace: &deployment.keyspace,
            edge: &edge.id,
            connection: &self.id,
        };
        let effects = perform::run(&mut hub, &performer, clock::now(), event).await;
        self.kept.borrow_mut().session = hub.session();
        let mut announcements = Vec::new();
        for effect in effects {
            match effect {
                ForHost::Announce { room, frame } => announcements.push((room, frame)),
                other => self.apply(edge, other),
            }
        }
        self.store();
        // Before the next event: what follows must not overtake it.
        for (room, frame) in announcements {
            // Told once; who misses it misses nothing that lasts.
            let _ = performer.announce(&room, &frame).await;
            edge.announced(&room, &self.id, &frame);
        }
    }

    fn apply(self: &Rc<Self>, edge: &Rc<Edge>, effect: ForHost) {
        match effect {
            ForHost::Send(frame) => {
                if let ServerFrame::Ack { room, .. } = &frame {
                    edge.appended(room);
                }
                self.send(&frame.encode());
            }
            ForHost::Subscribe { room, since } => {
                self.note_room(&room, false);
                edge.attach(&room, Rc::clone(self), since);
            }
            ForHost::Unsubscribe { room } => {
                let rooms = &mut self.kept.borrow_mut().rooms;
                rooms.retain(|followed| followed.room != room);
                edge.detach(&room, self.number);
            }
            ForHost::Identify(user) => {
                let mut kept = self.kept.borrow_mut();
                kept.user = Some(user);
                kept.token = None;
            }
            ForHost::WakeAt(at) => {
                self.kept.borrow_mut().wake_at = Some(at);
                edge.wake_by(at);
            }
            ForHost::Close(code) => self.close(code),
            // Performed by the caller, who waits for it.
            ForHost::Announce { .. } => {}
        }
    }

    /// The connection follows a room from here on.
    pub fn follows(self: &Rc<Self>, room: &RoomName) {
        self.note_room(room, true);
        self.store();
    }

    fn note_room(&self, room: &RoomName, is_current: bool) {
        let rooms = &mut self.kept.borrow_mut().rooms;
        match rooms.iter_mut().find(|followed| followed.room == *room) {
            Some(followed) => followed.is_current = is_current,
            None => rooms.push(Followed {
                room: room.clone(),
                is_current,
            }),
        }
    }

    fn store(self: &Rc<Self>) {
        if self.is_closing.get() {
            return;
        }
        if let Err(error) = self.kept.borrow().store(&self.socket) {
            console_error!("the state of {} was not taken: {error:?}", self.id);
            self.close(CloseCode::Internal);
        }
    }

    /// The answer to `ping`, which only the host can give; `None` if this is another frame.
    fn pong(&self, edge: &Edge, text: &str) -> Option<ServerFrame> {
        let limits = &edge.settings.deployment.hub.limits;
        if self.kept.borrow().user.is_none() || text.len() > 128 || !text.contains("ping") {
            return None;
        }
        let Ok((ClientFrame::Ping, reference)) = protocol::decode(text, limits) else {
            return None;
        };
        let rooms = self.rooms().into_iter().filter_map(|followed| {
            Some(RoomPosition {
                position: edge.position(&followed.room)?,
                room: followed.room,
            })
        });
        Some(ServerFrame::Pong(Pong {
            rooms: rooms.collect(),
            reference,
        }))
    }

    pub fn send(self: &Rc<Self>, frame: &str) {
        if self.is_closing.get() {
            return;
        }
        // One that has gone is closed by its own event.
        let _ = self.socket.send_with_str(frame);
        if self.socket.as_ref().buffered_amount() > MOST_BUFFERED {
            self.close(CloseCode::SlowConsumer);
        }
    }

    /// Whether it has read enough to be given a page.
    pub fn can_take_page(&self) -> bool {
        self.socket.as_ref().buffered_amount() <= PAGE_BUFFERED
    }

    /// Returns when it can, or has gone.
    pub async fn drained(&self) {
        while !self.is_closing.get() && !self.can_take_page() {
            clock::sleep(LOOK_AGAIN).await;
        }
    }

    /// Tells the client that a room cannot be read.
    pub fn refuse(self: &Rc<Self>, error: ErrorFrame) {
        self.send(&ServerFrame::Error(Box::new(error)).encode());
    }

    /// Closes it. Presence and rooms do not wait for the other half of the closing handshake, which a
    /// client that does not read never sends.
    pub fn close(self: &Rc<Self>, code: CloseCode) {
        if self.is_closing.replace(true) {
            return;
        }
        let _ = self.socket.close(Some(code.code()), Some(code.sentence()));
        // What waits is not read any more.
        self.frames.borrow_mut().clear();
        if let Some(edge) = self.home.upgrade() {
            let connection = Rc::clone(self);
            spawn_local(async move { connection.gone(&edge).await });
        }
    }
}
