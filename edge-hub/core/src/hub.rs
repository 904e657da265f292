//! One connection's hub: an event in, effects out.

pub(crate) mod session;

pub use session::SessionError;

use crate::auth::{Access, ClosedRooms, Issuers, Role};
use crate::command::{self, Pending};
use crate::effect::Effect;
use crate::event::Event;
use crate::ids::{RoomName, User};
use crate::limits::Limits;
use crate::log::Salt;
use crate::protocol::{ClientFrame, CloseCode, ErrorCode, ErrorFrame, ServerFrame, decode};
use crate::quarantine::Quarantine;
use crate::time::Timestamp;
use session::{Bucket, Live, Session};
use std::time::Duration;

/// The longest that a host is asked to wait: not every timer can run for months.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// What a deployment sets.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// Always listed; the first is joined by a `hello` without rooms.
    pub default_rooms: Vec<RoomName>,
    /// Open only to those whose token names them.
    pub closed_rooms: ClosedRooms,
    /// Whose tokens count.
    pub issuers: Issuers,
    /// Where originals of masked texts are kept; `None`: nowhere.
    pub quarantine: Option<Quarantine>,
}

impl Default for Settings {
    fn default() -> Self {
        let room = |name: &str| RoomName::parse(name).expect("a literal of the right form");
        Self {
            limits: Limits::default(),
            default_rooms: vec![room("general"), room("tech"), room("random")],
            closed_rooms: ClosedRooms::default(),
            issuers: Issuers::default(),
            quarantine: None,
        }
    }
}

/// What the host knows of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Unique over all edges and restarts.
    pub id: String,
    pub edge: String,
    /// Whether a client may choose its own name.
    pub anonymous: bool,
    pub token: Option<String>,
}

/// The hub of one connection, for one call.
pub struct Hub<'s> {
    pub(crate) settings: &'s Settings,
    pub(crate) connection: Connection,
    pub(crate) session: Session,
    /// The command that waits for an answer.
    pub(crate) pending: Option<Pending>,
    /// Unpredictable; the salt of the entry that this call may store.
    pub(crate) seed: Salt,
    effects: Vec<Effect>,
}

/// The effects of one event. They borrow the hub, so that a second event cannot be fed before
/// these are taken.
#[must_use = "effects that are not performed are promises broken"]
pub struct Effects<'h>(std::vec::Drain<'h, Effect>);

impl Iterator for Effects<'_> {
    type Item = Effect;

    fn next(&mut self) -> Option<Effect> {
        self.0.next()
    }
}

impl<'s> Hub<'s> {
    /// Takes up a connection from its session bytes (none for a new one).
    ///
    /// # Errors
    /// If the bytes are of a version that this build does not read: close with 4504, the client
    /// resumes with a new session.
    pub fn restore(
        settings: &'s Settings,
        connection: Connection,
        session: &[u8],
        seed: Salt,
    ) -> Result<Self, SessionError> {
        let session = Session::decode(session)?;
        Ok(Self {
            settings,
            connection,
            session,
            pending: None,
            seed,
            effects: Vec::new(),
        })
    }

    /// The hub of one request over HTTP: `user` is known and speaks in `room` as far as `access`
    /// goes, nothing is kept.
    pub fn speaking(
        settings: &'s Settings,
        connection: Connection,
        user: User,
        access: Access,
        room: RoomName,
        seed: Salt,
    ) -> Self {
        let session = Session::Live(Live {
            user,
            access,
            rooms: vec![room],
            bucket: Bucket::default(),
            typed_at: Timestamp::default(),
            read_at: Timestamp::default(),
            refused: 0,
        });
        Self {
            settings,
            connection,
            session,
            pending: None,
            seed,
            effects: Vec::new(),
        }
    }

    /// Handles one event. It cannot fail: what is wrong with a frame is answered by a frame.
    pub fn handle(&mut self, now: Timestamp, event: Event) -> Effects<'_> {
        self.dispatch(now, event);
        Effects(self.effects.drain(..))
    }

    /// The session bytes to keep for the next event.
    pub fn session(&self) -> Vec<u8> {
        self.session.encode()
    }

    fn dispatch(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Opened => {
                self.session = Session::Opened { at: now };
                self.emit(Effect::WakeAt(now.after(self.settings.limits.hello)));
            }
            Event::Frame(text) => self.frame(now, &text),
            Event::WokeUp => self.wake_up(now),
            Event::Noticed(notice) => command::notice::noticed(self, notice),
            Event::Closed => command::leave::everything(self),
            Event::Reviewed(verdict) => command::reviewed(self, now, verdict),
            Event::Recorded(updates) => command::send::recorded(self, updates),
            Event::Appended(outcome) => command::appended(self, now, outcome),
            Event::Marked(marked) => command::read::marked(self, marked),
            Event::Loaded(read) => command::history::loaded(self, now, read),
            Event::RoomsListed(rooms) => command::hello::rooms_listed(self, rooms),
            Event::RoomOpened(opened) => command::join::room_opened(self, opened),
            Event::PresenceChanged(attended) => command::presence_changed(self, now, attended),
            Event::Managed(managed) => command::managed(self, now, managed),
            Event::Moderated(outcome) => command::moderate::moderated(self, now, outcome),
            Event::Notified(notified) => command::manage::notified(self, notified),
            Event::KeysLoaded(keys) => command::token::keys_loaded(self, now, keys),
        }
    }

    fn frame(&mut self, now: Timestamp, text: &str) {
        if let Session::Closing = self.session {
            // On its way before the client saw the close.
            return;
        }
        match decode(text, &self.settings.limits) {
            // A wake-up may be late, and not every host has timers.
            Ok((frame, reference))
                if self.has_expired(now) && !matches!(frame, ClientFrame::Token { .. }) =>
            {
                self.expire(reference);
            }
            Ok((frame, reference)) => command::dispatch(self, now, frame, reference),
            Err(refusal) => self.refuse(*refusal.0),
        }
    }

    fn wake_up(&mut self, now: Timestamp) {
        match &self.session {
            Session::Opened { at } if now.since(*at) >= self.settings.limits.hello => {
                self.close(CloseCode::HelloTimeout);
            }
            Session::Live(_) if self.has_expired(now) => self.expire(None),
            Session::Live(_) => self.await_expiry(now),
            Session::Opened { .. } | Session::Closing => {}
        }
    }

    /// Who speaks.
    pub(crate) fn user(&self) -> Option<&User> {
        match &self.session {
            Session::Live(live) => Some(&live.user),
            Session::Opened { .. } | Session::Closing => None,
        }
    }

    /// What the session may do to others and what they wrote.
    pub fn role(&self) -> Role {
        self.access().map(|access| access.role).unwrap_or_default()
    }

    pub(crate) fn may_read(&self, room: &RoomName) -> bool {
        let closed = &self.settings.closed_rooms;
        self.access()
            .is_some_and(|access| access.may_read(room, closed))
    }

    pub(crate) fn may_write(&self, room: &RoomName) -> bool {
        let closed = &self.settings.closed_rooms;
        self.access()
            .is_some_and(|access| access.may_write(room, closed))
    }

    pub(crate) fn access(&self) -> Option<&Access> {
        match &self.session {
            Session::Live(live) => Some(&live.access),
            Session::Opened { .. } | Session::Closing => None,
        }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.access().is_some_and(|access| access.has_expired(now))
    }

    /// Asks to be woken when the session's token expires, if it has one.
    pub(crate) fn await_expiry(&mut self, now: Timestamp) {
        if let Some(at) = self.access().and_then(Access::expires_at) {
            self.emit(Effect::WakeAt(at.min(now.after(LONGEST_WAIT))));
        }
    }

    fn expire(&mut self, reference: Option<String>) {
        let error = ServerFrame::error(ErrorCode::TokenExpired).answering(reference);
        self.send(ServerFrame::Error(Box::new(error)));
        self.close(CloseCode::TokenExpired);
    }

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn send(&mut self, frame: ServerFrame) {
        self.emit(Effect::Send(frame));
    }

    /// Answers a frame that cannot be taken; too many of them in a row close the connection.
    pub(crate) fn refuse(&mut self, error: ErrorFrame) {
        self.send(ServerFrame::Error(Box::new(error)));
        let most = self.settings.limits.refused_in_a_row;
        match &mut self.session {
            // Nothing but a good hello is expected here.
            Session::Opened { .. } => self.close(CloseCode::BadHello),
            Session::Live(live) => {
                live.refused = live.refused.saturating_add(1);
                if live.refused > most {
                    self.close(CloseCode::TooManyErrors);
                }
            }
            Session::Closing => {}
        }
    }

    pub(crate) fn close(&mut self, code: CloseCode) {
        // The rooms stay in the session until `Closed` has cleared the presence.
        if let Session::Opened { .. } = self.session {
            self.session = Session::Closing;
        }
        self.emit(Effect::Close(code));
    }

    pub(crate) fn live(&mut self) -> Option<&mut Live> {
        match &mut self.session {
            Session::Live(live) => Some(live),
            Session::Opened { .. } | Session::Closing => None,
        }
    }
}
