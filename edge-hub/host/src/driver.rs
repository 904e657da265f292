//! Socket events into the hub component, its effects out: the run loop of one connection.
//!
//! It decides nothing about chat. What it does on its own is in `core::delivery`'s keeping: pongs,
//! which need positions that only the host has, and `internal` when the component did not finish.

use std::{net::IpAddr, sync::Arc, time::Duration};

use clustertalk_core::{
    ids::{NameError, Position, RoomName, Tag, User, UserId},
    protocol::{self, ClientFrame, CloseCode, ErrorCode, Pong, RoomPosition, ServerFrame},
    redis::{Presence, count_room},
};
use tokio::{sync::Semaphore, time::Instant};

use crate::{
    clock,
    edge::Edge,
    pace::Bucket,
    queue::Queue,
    relay::{Follower, Mailbox, Registration, RoomHandle},
    sandbox::{self, CallError, CloseCause, Effect, Event, Outcome},
    socket::{Cause, Handler, Next},
    traces,
    websocket::encode_text,
};

/// One connection. Boxed, since it lies inside each idle connection's task.
pub struct Driver(Box<Driven>);

struct Driven {
    edge: Arc<Edge>,
    component: Arc<str>,
    connection: sandbox::Connection,
    number: u64,
    id: Arc<str>,
    queue: Arc<Queue>,
    turn: Arc<Semaphore>,
    mailbox: Arc<Mailbox>,
    /// By it comes what concerns its user.
    registration: Option<Registration>,
    /// When the hub wants to be woken.
    wake_at: Option<Instant>,
    /// The hub's own bytes, handed back with each event.
    session: Vec<u8>,
    user: Option<User>,
    rooms: Vec<(RoomName, RoomHandle)>,
    /// The buckets that its frames are taken from; that of the user once there is one.
    address_bucket: Bucket,
    user_bucket: Option<Bucket>,
}

impl Driver {
    pub fn new(
        edge: Arc<Edge>,
        component: &str,
        token: Option<&str>,
        peer: IpAddr,
        queue: Arc<Queue>,
    ) -> Self {
        let number = edge.next_connection();
        let id: Arc<str> = format!("{}-{number}", edge.id()).into();
        let connection = sandbox::Connection {
            id: id.to_string(),
            edge: edge.id().to_owned(),
            anonymous: edge.anonymous(),
            token: token.map(str::to_owned),
        };
        Self(Box::new(Driven {
            component: component.into(),
            connection,
            number,
            id,
            mailbox: Mailbox::new(Arc::clone(&queue)),
            queue,
            turn: Arc::new(Semaphore::new(1)),
            registration: None,
            wake_at: None,
            session: Vec::new(),
            user: None,
            rooms: Vec::new(),
            address_bucket: edge.paces().address(peer),
            user_bucket: None,
            edge,
        }))
    }
}

impl Handler for Driver {
    async fn opened(&mut self) -> Next {
        let next = self.0.event(Event::Opened).await;
        // Else whoever connects anew for each frame would be read at once.
        let addresses = &self.0.edge.paces().addresses;
        let read_after = addresses.wait(self.0.address_bucket);
        Next { read_after, ..next }
    }

    async fn text(&mut self, text: String) -> Next {
        let next = match self.0.ping(&text) {
            Some(pong) => {
                self.0.send(&pong);
                Next::default()
            }
            None => self.0.event(Event::Frame(text)).await,
        };
        // After the event, so that `hello` counts for the user whom it names.
        let read_after = self.0.take_frame();
        Next { read_after, ..next }
    }

    async fn woken(&mut self) -> Next {
        let notices = self.0.mailbox.take();
        let is_due = |at: Instant| at <= Instant::now();
        if notices.is_empty() || self.0.wake_at.is_some_and(is_due) {
            self.0.wake_at = None;
            let _ = self.0.event(Event::WakeUp).await;
        }
        for notice in notices {
            let _ = self.0.event(Event::Noticed(notice.to_string())).await;
        }
        Next {
            wake_at: self.0.wake_at,
            ..Next::default()
        }
    }

    async fn closed(mut self, cause: Cause) {
        self.0.closed(cause).await;
    }
}

impl Driven {
    /// Calls the hub and applies what it says. The session bytes are stored before this returns,
    /// and until then no further frame is read.
    async fn event(&mut self, event: Event) -> Next {
        traces::first("frame", self.perform(event)).await
    }

    async fn perform(&mut self, event: Event) -> Next {
        match self.call(&event).await {
            Ok(Outcome { session, effects }) => {
                self.session = session;
                self.apply(effects).await
            }
            Err(error) => {
                tracing::warn!(connection = %self.id, %error, "the hub did not finish an event");
                self.answer_failure(&event);
                Next::default()
            }
        }
    }

    async fn call(&self, event: &Event) -> Result<Outcome, CallError> {
        let now = clock::now().as_millis();
        let sandbox = self.edge.sandbox();
        sandbox
            .handle(&self.component, now, &self.connection, &self.session, event)
            .await
    }

    /// The old session stays and no effect is applied; the client may send the frame again.
    fn answer_failure(&self, event: &Event) {
        match event {
            Event::Frame(text) if self.user.is_some() => {
                let reference = protocol::reference_of(text, self.edge.limits());
                let error = ServerFrame::error(ErrorCode::Internal).answering(reference);
                let error = error.retry_after(Duration::from_secs(1));
                self.send(&ServerFrame::Error(Box::new(error)));
            }
            // A notice that is not acted on must not leave the connection where it may not be.
            Event::Opened | Event::Frame(_) | Event::WakeUp | Event::Noticed(_) => {
                self.close(CloseCode::Internal);
            }
            Event::Closed(_) => {}
        }
    }

    async fn apply(&mut self, effects: Vec<Effect>) -> Next {
        let mut next = Next::default();
        for effect in effects {
            match effect {
                Effect::Send(frame) => {
                    self.queue.push(encode_text(&frame));
                }
                Effect::Subscribe(subscription) => match follow(subscription) {
                    Ok((room, since)) => self.subscribe(room, since),
                    Err(error) => self.distrust(&error),
                },
                Effect::Unsubscribe(room) => {
                    self.rooms.retain(|(joined, _)| joined.as_str() != room);
                    match RoomName::parse(room) {
                        Ok(room) => self.edge.relay().detach(&room, self.number),
                        Err(error) => self.distrust(&error),
                    }
                }
                Effect::Announce(announcement) => match RoomName::parse(announcement.room) {
                    Ok(room) => {
                        self.edge
                            .relay()
                            .announce(&room, &self.id, &announcement.payload)
                            .await
                    }
                    Err(error) => self.distrust(&error),
                },
                Effect::Identify(user) => match UserId::parse(user.id) {
                    Ok(id) => {
                        self.user_bucket = Some(self.edge.paces().users.bucket(&id));
                        self.registration = Some(self.edge.relay().enter(&id, &self.mailbox));
                        self.user = Some(User {
                            id,
                            name: user.name,
                        })
                    }
                    Err(error) => self.distrust(&error),
                },
                Effect::WakeAt(at) => {
                    self.wake_at = Some(instant(at));
                    next.wake_at = self.wake_at;
                }
                Effect::Close(frame) => self.queue.close_with(frame.code, &frame.reason),
            }
        }
        next
    }

    fn subscribe(&mut self, room: RoomName, since: Option<Position>) {
        let Some(user) = self.user.clone() else {
            return self.distrust(&NameError::Id);
        };
        let follower = Follower {
            number: self.number,
            id: Arc::clone(&self.id),
            user,
            queue: Arc::clone(&self.queue),
            mailbox: Arc::clone(&self.mailbox),
            turn: Arc::clone(&self.turn),
        };
        let handle = self.edge.relay().attach(&room, follower, since);
        self.rooms.retain(|(joined, _)| *joined != room);
        self.rooms.push((room, handle));
    }

    /// A hub that breaks its own contract: nothing it says of this connection can be relied on.
    fn distrust(&self, error: &NameError) {
        tracing::error!(connection = %self.id, %error, "the hub broke its contract");
        self.close(CloseCode::Internal);
    }

    /// The answer to `ping`, which only the host can give; `None` if this is another frame.
    fn ping(&self, text: &str) -> Option<ServerFrame> {
        // Anything longer than a ping can be is left to the hub without a second parse.
        if self.user.is_none() || text.len() > 128 || !text.contains("ping") {
            return None;
        }
        let Ok((ClientFrame::Ping, reference)) = protocol::decode(text, self.edge.limits()) else {
            return None;
        };
        let rooms = self.rooms.iter().filter_map(|(room, handle)| {
            Some(RoomPosition {
                room: room.clone(),
                position: handle.position()?,
            })
        });
        Some(ServerFrame::Pong(Pong {
            rooms: rooms.collect(),
            reference,
        }))
    }

    async fn closed(&mut self, cause: Cause) {
        if let Cause::Host(code) = cause {
            self.edge.count_close(code);
        }
        for (room, _) in &self.rooms {
            self.edge.relay().detach(room, self.number);
        }
        let event = Event::Closed(match cause {
            Cause::Peer(_) | Cause::Lost => CloseCause::Peer,
            Cause::Host(_) => CloseCause::Host,
        });
        for _ in 0..2 {
            match self.call(&event).await {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(connection = %self.id, %error, "the hub did not finish `closed`")
                }
            }
        }
        self.drop_presence().await;
    }

    /// What the hub would have done.
    async fn drop_presence(&self) {
        let Some(user) = &self.user else { return };
        let store = self.edge.relay().store();
        for (room, _) in &self.rooms {
            let leave = Presence::Leave {
                user,
                connection: &self.id,
            };
            // Without Redis each room would take seconds, and the connection counts until then.
            let Ok(members) = store.presence(room, leave).await else {
                return;
            };
            let _ = store
                .call(&count_room(store.keyspace(), room, members))
                .await;
        }
    }

    /// Takes one frame from its buckets; answers how long to wait before the next is read.
    fn take_frame(&self) -> Duration {
        let paces = self.edge.paces();
        let of_address = paces.addresses.take(self.address_bucket);
        let of_user = self.user_bucket.map(|user| paces.users.take(user));
        of_address.max(of_user.unwrap_or_default())
    }

    fn send(&self, frame: &ServerFrame) {
        self.queue.push(encode_text(&frame.encode()));
    }

    fn close(&self, code: CloseCode) {
        self.queue.close_with(code.code(), code.sentence());
    }
}

fn follow(subscription: sandbox::Subscription) -> Result<(RoomName, Option<Position>), NameError> {
    let room = RoomName::parse(subscription.room)?;
    let since = match subscription.since {
        Some(since) => Some(Position::new(since.seq, Tag::parse(&since.tag)?)),
        None => None,
    };
    Ok((room, since))
}

/// A wall-clock time as the runtime's timers have it.
fn instant(at: u64) -> Instant {
    Instant::now() + Duration::from_millis(at.saturating_sub(clock::now().as_millis()))
}
