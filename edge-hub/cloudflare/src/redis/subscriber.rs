//! The connection that publications come by. It is held only while a room is followed, renewed before
//! the platform ends it, and proves itself by a heartbeat.

use super::{Address, Pool, RESPONSE_TIME, codec, connection::Wire};
use crate::clock;
use clustertalk_core::{
    ids::RoomName,
    redis::{self as contract, Keyspace},
    time::Timestamp,
};
use futures_channel::{mpsc, oneshot};
use futures_util::{FutureExt, StreamExt, select_biased};
use redis_protocol::resp2::types::OwnedFrame;
use std::{
    collections::{HashMap, HashSet},
    rc::{Rc, Weak},
    time::Duration,
};
use worker::{console_warn, wasm_bindgen_futures::spawn_local};

/// The first pause before a new connection; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Who is told what comes.
pub trait Listener {
    fn published(&self, room: &RoomName, payload: Vec<u8>);
    fn noticed(&self, payload: &str);
    /// Publications may have been lost.
    fn resync(&self);
}

enum Command {
    Subscribe {
        room: RoomName,
        confirmed: oneshot::Sender<()>,
    },
    Unsubscribe {
        room: RoomName,
    },
}

/// How to reach the task that holds the subscription.
pub struct Subscriber {
    commands: mpsc::UnboundedSender<Command>,
}

/// How the subscription is kept.
pub struct Care {
    /// How often it is proved that what is published arrives; three times without, and it is lost.
    pub heartbeat: Duration,
    /// After which it is renewed.
    pub life: Duration,
}

impl Subscriber {
    pub fn start(
        address: Rc<Address>,
        pool: Rc<Pool>,
        care: Care,
        listener: Weak<dyn Listener>,
    ) -> Self {
        let (commands, inbox) = mpsc::unbounded();
        let task = Task {
            address,
            pool,
            care,
            listener,
            rooms: HashSet::new(),
            is_first: true,
            unconfirmed: HashMap::new(),
        };
        spawn_local(task.run(inbox));
        Self { commands }
    }

    /// Returns once Redis has confirmed the subscription, however long that takes.
    pub async fn subscribe(&self, room: &RoomName) {
        let (confirmed, wait) = oneshot::channel();
        let room = room.clone();
        let _ = self
            .commands
            .unbounded_send(Command::Subscribe { room, confirmed });
        let _ = wait.await;
    }

    pub fn unsubscribe(&self, room: &RoomName) {
        let room = room.clone();
        let _ = self.commands.unbounded_send(Command::Unsubscribe { room });
    }
}

struct Task {
    address: Rc<Address>,
    pool: Rc<Pool>,
    care: Care,
    listener: Weak<dyn Listener>,
    /// What a new connection has to subscribe to.
    rooms: HashSet<RoomName>,
    /// Nothing can have been missed: no room was followed before.
    is_first: bool,
    /// Those who wait for a confirmation, by channel.
    unconfirmed: HashMap<String, Vec<oneshot::Sender<()>>>,
}

enum Ended {
    Lost(&'static str),
    /// It is old; the next connection is there.
    Renewed(Box<Wire>),
    /// No room is followed.
    Unwanted,
    /// Nobody needs it any more.
    Dropped,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut pause = PAUSE;
        let mut next = None;
        loop {
            if self.rooms.is_empty() {
                let Some(command) = inbox.next().await else {
                    return;
                };
                self.note(command);
                self.is_first = true;
                continue;
            }
            let opened = match next.take() {
                Some(wire) => Ok(wire),
                None => Wire::open(&self.address).await,
            };
            let wire = match opened {
                Ok(wire) => wire,
                Err(error) => {
                    console_warn!("cannot subscribe, trying again: {error}");
                    clock::sleep(pause.mul_f64(0.5 + clock::jitter() / 2.0)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if self.listener.strong_count() == 0 {
                        return;
                    }
                    continue;
                }
            };
            let begun = clock::now();
            let ended = self.follow(&mut inbox, wire).await;
            self.is_first = false;
            match ended {
                Ended::Lost(reason) => {
                    console_warn!("the subscription was lost, subscribing anew: {reason}");
                    if clock::now().since(begun) < self.care.heartbeat * 3 {
                        clock::sleep(pause.mul_f64(0.5 + clock::jitter() / 2.0)).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    } else {
                        pause = PAUSE;
                    }
                }
                Ended::Renewed(wire) => next = Some(*wire),
                Ended::Unwanted => pause = PAUSE,
                Ended::Dropped => return,
            }
        }
    }

    fn note(&mut self, command: Command) {
        match command {
            Command::Subscribe { room, confirmed } => {
                let channel = self.pool.keyspace.channel(&room);
                self.unconfirmed.entry(channel).or_default().push(confirmed);
                self.rooms.insert(room);
            }
            Command::Unsubscribe { room } => {
                self.unconfirmed.remove(&self.pool.keyspace.channel(&room));
                self.rooms.remove(&room);
            }
        }
    }

    /// All that a connection has to subscribe to.
    fn channels(&self) -> Vec<String> {
        let keyspace = &self.pool.keyspace;
        let mut channels = vec![
            contract::heartbeat_channel(keyspace, &self.pool.edge),
            keyspace.notices(),
        ];
        channels.extend(self.rooms.iter().map(|room| keyspace.channel(room)));
        channels
    }

    async fn follow(&mut self, inbox: &mut mpsc::UnboundedReceiver<Command>, wire: Wire) -> Ended {
        let Wire {
            mut reader,
            mut writer,
        } = wire;
        let begun = clock::now();
        let renew_at = begun.after(self.care.life.mul_f64(0.9 + clock::jitter() / 10.0));
        let mut heard = begun;
        let mut beat_at = begun;
        // Channels whose confirmation has not come; when it has for all, what was missed is read.
        let channels = self.channels();
        let mut pending: HashSet<String> = channels.iter().cloned().collect();
        let mut is_whole = self.is_first;
        if writer.write(&command("SUBSCRIBE", channels)).await.is_err() {
            Wire { reader, writer }.close().await;
            return Ended::Lost("it could not be written to");
        }
        let ended = loop {
            if !is_whole && pending.is_empty() {
                is_whole = true;
                let Some(listener) = self.listener.upgrade() else {
                    break Ended::Dropped;
                };
                listener.resync();
            }
            let now = clock::now();
            if now.since(heard) > self.care.heartbeat * 3 {
                break Ended::Lost("no heartbeat came back");
            }
            if now >= renew_at {
                match Wire::open(&self.address).await {
                    Ok(wire) => break Ended::Renewed(Box::new(wire)),
                    Err(error) => {
                        console_warn!("the subscription cannot be renewed: {error}");
                        break Ended::Lost("it is too old");
                    }
                }
            }
            select_biased! {
                frame = reader.next().fuse() => match frame {
                    Err(_) => break Ended::Lost("the connection ended"),
                    Ok(frame) => match self.received(frame, &mut pending) {
                        Received::Heartbeat => heard = clock::now(),
                        Received::Other => {}
                        Received::Nobody => break Ended::Dropped,
                        Received::Strange => break Ended::Lost("what came is no publication"),
                    },
                },
                asked = inbox.next() => {
                    let Some(asked) = asked else { break Ended::Dropped };
                    let (name, room) = match &asked {
                        Command::Subscribe { room, .. } => ("SUBSCRIBE", room.clone()),
                        Command::Unsubscribe { room } => ("UNSUBSCRIBE", room.clone()),
                    };
                    self.note(asked);
                    if self.rooms.is_empty() {
                        break Ended::Unwanted;
                    }
                    let channel = self.pool.keyspace.channel(&room);
                    if writer.write(&command(name, vec![channel])).await.is_err() {
                        break Ended::Lost("it could not be written to");
                    }
                },
                () = clock::sleep(until(now, beat_at).max(Duration::from_millis(1))).fuse() => {
                    beat_at = clock::now().after(self.care.heartbeat);
                    // Apart, so that a slow answer does not hold up what was published.
                    spawn_local(beat(Rc::clone(&self.pool)));
                },
            }
        };
        Wire { reader, writer }.close().await;
        ended
    }

    fn received(&mut self, frame: OwnedFrame, pending: &mut HashSet<String>) -> Received {
        let Some((kind, channel, payload)) = parts(frame) else {
            return Received::Strange;
        };
        match &kind[..] {
            b"message" => {}
            b"subscribe" => {
                pending.remove(&channel);
                for confirmed in self.unconfirmed.remove(&channel).into_iter().flatten() {
                    let _ = confirmed.send(());
                }
                return Received::Other;
            }
            b"unsubscribe" => return Received::Other,
            _ => return Received::Strange,
        }
        let Some(listener) = self.listener.upgrade() else {
            return Received::Nobody;
        };
        let keyspace: &Keyspace = &self.pool.keyspace;
        if let Some(room) = keyspace.room_of_channel(&channel) {
            listener.published(&room, payload);
        } else if channel == keyspace.notices() {
            listener.noticed(&String::from_utf8_lossy(&payload));
        } else {
            return Received::Heartbeat;
        }
        Received::Other
    }
}

enum Received {
    Heartbeat,
    Other,
    /// Whom it is for is gone.
    Nobody,
    Strange,
}

/// Kind, channel and payload of what a subscription says.
fn parts(frame: OwnedFrame) -> Option<(Vec<u8>, String, Vec<u8>)> {
    let OwnedFrame::Array(parts) = frame else {
        return None;
    };
    let mut parts = parts.into_iter();
    let (Some(OwnedFrame::BulkString(kind)), Some(OwnedFrame::BulkString(channel))) =
        (parts.next(), parts.next())
    else {
        return None;
    };
    let payload = match parts.next()? {
        OwnedFrame::BulkString(payload) => payload,
        // The number of subscriptions.
        _ => Vec::new(),
    };
    Some((kind, String::from_utf8(channel).ok()?, payload))
}

fn command(name: &str, mut channels: Vec<String>) -> Vec<u8> {
    channels.insert(0, name.to_owned());
    codec::pack_text(&channels)
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    then.since(now).min(RESPONSE_TIME)
}

/// Sends one heartbeat.
async fn beat(pool: Rc<Pool>) {
    let call = contract::heartbeat(&pool.keyspace, &pool.edge, "1");
    let mut sent = pool.call(&call).await;
    if let Err(error) = &sent
        && error.code().is_some_and(contract::refuses_writes)
    {
        // The subscription must not be taken for dead: a new one would be no better.
        let bare = contract::bare_heartbeat(&pool.keyspace, &pool.edge, "1");
        sent = pool.command(&bare).await;
    }
    // The silence will tell.
    drop(sent);
}
