//! The connection that publications come by.

use std::{
    collections::HashSet,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clustertalk_core::{ids::RoomName, redis as contract};
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{Figures, Relay};
use crate::store::{Store, StoreError};

/// How often the edge proves to itself that what it publishes arrives.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Without a heartbeat for this time the subscription counts as lost.
const SILENCE: Duration = Duration::from_millis(1500);
/// The first pause before a new connection; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

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
    heard: Arc<Heard>,
}

/// When the last heartbeat came.
struct Heard {
    started: Instant,
    /// Milliseconds after `started`, plus one; 0 before the first.
    last: AtomicU64,
}

impl Subscriber {
    /// `webhooks`: whether to hear of what waits to be told to servers of the operator.
    pub fn start(store: Store, relay: Weak<Relay>, webhooks: bool) -> Self {
        let (commands, inbox) = mpsc::unbounded_channel();
        let heard = Arc::new(Heard {
            started: Instant::now(),
            last: AtomicU64::new(0),
        });
        let task = Task {
            store,
            relay,
            webhooks,
            heard: Arc::clone(&heard),
            subscribed: HashSet::new(),
            unconfirmed: Vec::new(),
        };
        tokio::spawn(task.run(inbox));
        Self { commands, heard }
    }

    /// Returns once Redis has confirmed the subscription, however long that takes.
    pub async fn subscribe(&self, room: &RoomName) {
        let (confirmed, wait) = oneshot::channel();
        let _ = self.commands.send(Command::Subscribe {
            room: room.clone(),
            confirmed,
        });
        let _ = wait.await;
    }

    pub fn unsubscribe(&self, room: &RoomName) {
        let _ = self
            .commands
            .send(Command::Unsubscribe { room: room.clone() });
    }

    pub fn heartbeat_age(&self) -> Option<u64> {
        let last = self.heard.last.load(Ordering::Relaxed).checked_sub(1)?;
        let now = clustertalk_core::time::millis(self.heard.started.elapsed());
        Some(now.saturating_sub(last))
    }
}

struct Task {
    store: Store,
    relay: Weak<Relay>,
    webhooks: bool,
    heard: Arc<Heard>,
    /// What a new connection has to subscribe to.
    subscribed: HashSet<RoomName>,
    /// Those who wait for a confirmation that the next connection has to bring.
    unconfirmed: Vec<oneshot::Sender<()>>,
}

impl Task {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        let mut pause = PAUSE;
        let mut first = true;
        loop {
            match self.connect().await {
                Ok((sink, stream)) => {
                    pause = PAUSE;
                    for confirmed in self.unconfirmed.drain(..) {
                        let _ = confirmed.send(());
                    }
                    if !first && let Some(relay) = self.relay.upgrade() {
                        Figures::count(&relay.figures.resubscriptions, 1);
                        relay.resync();
                    }
                    if first && let Some(relay) = self.relay.upgrade() {
                        relay.sweep_webhooks();
                    }
                    first = false;
                    match self.follow(&mut inbox, sink, stream).await {
                        Ended::Lost(reason) => {
                            tracing::warn!(reason, "the subscription was lost; subscribing anew")
                        }
                        Ended::Dropped => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot subscribe; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    if self.relay.strong_count() == 0 {
                        return;
                    }
                }
            }
        }
    }

    async fn connect(&self) -> Result<(PubSubSink, PubSubStream), StoreError> {
        let (mut sink, stream) = self.store.subscriber().await?.split();
        let keyspace = self.store.keyspace();
        let mut channels = vec![
            contract::heartbeat_channel(keyspace, self.store.edge()),
            keyspace.notices(),
        ];
        if self.webhooks {
            channels.push(keyspace.webhooks_channel());
        }
        channels.extend(self.subscribed.iter().map(|room| keyspace.channel(room)));
        confirmed(sink.subscribe(channels)).await?;
        Ok((sink, stream))
    }

    async fn follow(
        &mut self,
        inbox: &mut mpsc::UnboundedReceiver<Command>,
        mut sink: PubSubSink,
        mut stream: PubSubStream,
    ) -> Ended {
        let mut ticks = interval(HEARTBEAT);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                message = stream.next() => {
                    let Some(message) = message else { return Ended::Lost("the connection ended") };
                    let channel = message.get_channel_name();
                    let keyspace = self.store.keyspace();
                    if let Some(room) = keyspace.room_of_channel(channel) {
                        let Some(relay) = self.relay.upgrade() else { return Ended::Dropped };
                        relay.published(&room, message.get_payload_bytes().into());
                    } else if channel == keyspace.notices() {
                        let Some(relay) = self.relay.upgrade() else { return Ended::Dropped };
                        relay.noticed(&String::from_utf8_lossy(message.get_payload_bytes()));
                    } else if channel == keyspace.webhooks_channel() {
                        let Some(relay) = self.relay.upgrade() else { return Ended::Dropped };
                        if let Some(webhooks) = relay.webhooks() {
                            webhooks.queued(&String::from_utf8_lossy(message.get_payload_bytes()));
                        }
                    } else {
                        heard = Instant::now();
                        let since = clustertalk_core::time::millis(self.heard.started.elapsed());
                        self.heard.last.store(since + 1, Ordering::Relaxed);
                    }
                }
                command = inbox.recv() => match command {
                    None => return Ended::Dropped,
                    Some(Command::Subscribe { room, confirmed }) => {
                        let channel = self.store.keyspace().channel(&room);
                        self.subscribed.insert(room);
                        if self::confirmed(sink.subscribe(channel)).await.is_err() {
                            self.unconfirmed.push(confirmed);
                            return Ended::Lost("a subscription was not confirmed");
                        }
                        let _ = confirmed.send(());
                    }
                    Some(Command::Unsubscribe { room }) => {
                        let channel = self.store.keyspace().channel(&room);
                        self.subscribed.remove(&room);
                        if self::confirmed(sink.unsubscribe(channel)).await.is_err() {
                            return Ended::Lost("an end of a subscription was not confirmed");
                        }
                    }
                },
                _ = ticks.tick() => {
                    if heard.elapsed() > SILENCE {
                        return Ended::Lost("no heartbeat came back");
                    }
                    // Apart, so that a slow answer does not hold up what was published.
                    tokio::spawn(beat(self.store.clone(), self.relay.clone()));
                }
            }
        }
    }
}

/// Sends one heartbeat.
async fn beat(store: Store, relay: Weak<Relay>) {
    let call = contract::heartbeat(store.keyspace(), store.edge(), "1");
    let mut sent = store.call(&call).await;
    if let Err(error) = &sent
        && error.refused_write().is_some()
    {
        // The subscription must not be taken for dead: a new one would be no better.
        if let Some(relay) = relay.upgrade() {
            Figures::count(&relay.figures.writeless_heartbeats, 1);
        }
        let bare = contract::bare_heartbeat(store.keyspace(), store.edge(), "1");
        sent = store.command(&bare).await;
    }
    if let Err(error) = sent {
        tracing::debug!(%error, "a heartbeat was refused");
    }
}

/// Without a limit, a server that fell silent would hold up the check of the heartbeat too.
async fn confirmed(
    confirmation: impl Future<Output = redis::RedisResult<()>>,
) -> redis::RedisResult<()> {
    match timeout(SILENCE, confirmation).await {
        Ok(confirmed) => confirmed,
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    }
}

enum Ended {
    Lost(&'static str),
    /// Nobody needs it any more.
    Dropped,
}
