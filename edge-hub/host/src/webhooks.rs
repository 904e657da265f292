//! Webhooks: servers of the operator are told what happens in rooms (docs/webhooks.md).
//!
//! What is to be told waits in a queue of each room, written by the scripts that do what it tells of.
//! For each room and endpoint one edge at a time reads it, by a lease in Redis, tells one event, and
//! notes that before it takes the next: in order, and at least once. Every edge that hears of an
//! event asks for the lease, and asks again when that of another ends, so whoever dies is followed.

mod endpoint;
mod signature;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use clustertalk_core::{
    ids::RoomName,
    protocol::{WebhookData, WebhookEvent},
    redis::{self as contract, Claim, NextEvent, Value},
    store::Webhooks as Told,
    time::Timestamp,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::endpoint::{Outcome, REQUEST_TIME};
pub use self::{
    endpoint::{Endpoint, EndpointSettings},
    signature::{Secret, SecretError},
};
use crate::{
    http_client,
    store::{Store, StoreError},
};

/// For so long a room is an edge's after it asked: longer than a request, or another would tell the
/// same meanwhile. After this time others take over from one that died.
const LEASE: Duration = REQUEST_TIME.saturating_add(Duration::from_secs(5));
/// The first pause after a failure; it doubles up to the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Publications may be lost: after this time every queue is looked into.
const SWEEP: Duration = Duration::from_secs(300);
/// Between two pages of queues.
const SWEEP_PACE: Duration = Duration::from_millis(50);
/// While Redis does not answer.
const REDIS_PAUSE: Duration = Duration::from_secs(1);

/// What is set of webhooks.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub endpoints: Vec<EndpointSettings>,
    /// After this time an event is given up.
    pub max_age: Duration,
    /// Certificates in PEM to trust beside the public authorities.
    pub authority: Option<PathBuf>,
}

impl Settings {
    /// Whose events have to be queued.
    pub fn told(&self) -> Told {
        let told = self.endpoints.iter().map(EndpointSettings::told);
        told.fold(Told::Off, |all, one| match (all, one) {
            (Told::AllRooms, _) | (_, Told::AllRooms) => Told::AllRooms,
            (Told::PublicRooms, _) | (_, Told::PublicRooms) => Told::PublicRooms,
            (Told::Off, Told::Off) => Told::Off,
        })
    }
}

/// The webhooks of an edge.
pub struct Webhooks {
    store: Store,
    /// By Redis' clock.
    started: Timestamp,
    max_age: Duration,
    endpoints: Vec<Arc<Endpoint>>,
    /// Rooms that are looked after for an endpoint, and whether something happened there since.
    workers: Mutex<HashMap<(String, RoomName), Arc<AtomicBool>>>,
    /// Every queue is to be looked into.
    sweep: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Webhooks {
    /// Begins to tell the endpoints, if there are any.
    ///
    /// # Errors
    /// If the file of the authority is none, or Redis does not answer.
    pub async fn start(settings: &Settings, store: Store) -> Result<Option<Arc<Self>>> {
        if settings.endpoints.is_empty() {
            return Ok(None);
        }
        let trust = http_client::trust(settings.authority.as_deref()).context("`webhook-ca`")?;
        let trust = Arc::new(trust);
        let started = store.time().await?;
        let endpoints = settings.endpoints.iter().cloned();
        let endpoints = endpoints.map(|settings| Endpoint::new(settings, Arc::clone(&trust)));
        let webhooks = Arc::new(Self {
            store,
            started,
            max_age: settings.max_age,
            endpoints: endpoints.map(Arc::new).collect(),
            workers: Mutex::default(),
            sweep: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        webhooks.tasks.spawn({
            let webhooks = Arc::clone(&webhooks);
            let stop = webhooks.stop.clone();
            async move { stop.run_until_cancelled(webhooks.sweep_often()).await }
        });
        Ok(Some(webhooks))
    }

    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Something happened in the room whose queue this is.
    pub fn queued(self: &Arc<Self>, key: &str) {
        if let Some(room) = self.store.keyspace().room_of_webhooks(key) {
            self.look(&room);
        }
    }

    /// What happened lately may not have been heard of.
    pub fn sweep(&self) {
        self.sweep.notify_one();
    }

    /// Ends what is under way, and leaves the rooms to other edges.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn look(self: &Arc<Self>, room: &RoomName) {
        let endpoints = self.endpoints.iter();
        for endpoint in endpoints.filter(|endpoint| endpoint.settings.wants(room)) {
            if endpoint.is_gone() || self.stop.is_cancelled() {
                continue;
            }
            let key = (endpoint.settings.name.clone(), room.clone());
            let mut workers = self.workers();
            if let Some(happened) = workers.get(&key) {
                happened.store(true, Ordering::Relaxed);
                continue;
            }
            let happened = Arc::new(AtomicBool::new(false));
            workers.insert(key, Arc::clone(&happened));
            self.tasks.spawn({
                let (webhooks, endpoint) = (Arc::clone(self), Arc::clone(endpoint));
                let room = room.clone();
                async move { webhooks.work(&endpoint, &room, &happened).await }
            });
        }
    }

    /// Looks after a room for an endpoint until there is nothing more to tell.
    async fn work(&self, endpoint: &Endpoint, room: &RoomName, happened: &AtomicBool) {
        let claim = Claim {
            room,
            endpoint: &endpoint.settings.name,
            edge: self.store.edge(),
        };
        loop {
            let working = self.tell(endpoint, &claim, happened);
            let ended = self.stop.run_until_cancelled(working).await;
            endpoint.note_waiting(room, None);
            let mut workers = self.workers();
            // Under the lock, so that nothing happens unseen in between.
            if ended.is_some() && !endpoint.is_gone() && happened.swap(false, Ordering::Relaxed) {
                continue;
            }
            workers.remove(&(endpoint.settings.name.clone(), room.clone()));
            break;
        }
        let release = contract::release(self.store.keyspace(), &claim);
        if self.stop.is_cancelled() || endpoint.is_gone() {
            // If it does not work out, the lease ends by itself.
            let _ = self.store.call(&release).await;
        }
    }

    /// Tells one event after the other, in order, until there is none.
    async fn tell(&self, endpoint: &Endpoint, claim: &Claim<'_>, happened: &AtomicBool) {
        let mut done = String::new();
        while !endpoint.is_gone() {
            if let Some(pause) = endpoint.pause() {
                sleep(jittered(pause)).await;
                continue;
            }
            // Before the lease, which must not run out while others have their turn.
            let Ok(turn) = endpoint.turns.acquire().await else {
                return;
            };
            happened.store(false, Ordering::Relaxed);
            let next = match self.next(endpoint, claim, &done).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(room = %claim.room, %error, "a queue of webhooks cannot be read");
                    drop(turn);
                    sleep(jittered(REDIS_PAUSE)).await;
                    continue;
                }
            };
            done.clear();
            let (event, failures, position) = match next {
                NextEvent::Idle => return,
                NextEvent::Busy(left) => {
                    drop(turn);
                    endpoint.note_waiting(claim.room, None);
                    // An edge that ends gives it back sooner.
                    sleep(left.min(LEASE) + jittered(Duration::from_millis(500))).await;
                    continue;
                }
                NextEvent::Event {
                    event: None,
                    done: position,
                    ..
                } => {
                    tracing::warn!(room = %claim.room, "an event for webhooks cannot be read, and is passed over");
                    done = position;
                    continue;
                }
                NextEvent::Event {
                    event: Some(event),
                    failures,
                    done,
                } => (event, failures, done),
            };
            endpoint.note_waiting(claim.room, Some(event.at));
            match endpoint.deliver(&event).await {
                Outcome::Delivered => {
                    count(endpoint, &event);
                    done = position;
                }
                Outcome::Gone => {
                    tracing::error!(
                        endpoint = claim.endpoint,
                        "a webhook answered 410: it is told nothing more until this edge is started again"
                    );
                }
                Outcome::Failed {
                    reason,
                    retry_after,
                } => {
                    drop(turn);
                    endpoint.figures.failed.fetch_add(1, Ordering::Relaxed);
                    let pause = jittered(backoff(failures)).max(retry_after.unwrap_or_default());
                    let pause_ms = clustertalk_core::time::millis(pause);
                    tracing::warn!(
                        endpoint = claim.endpoint, room = %claim.room, kind = event.kind.as_str(), failures, reason,
                        pause_ms, "a webhook could not be delivered"
                    );
                    let hold = contract::hold(self.store.keyspace(), claim, pause + LEASE);
                    // Without it another edge tries sooner.
                    let _ = self.store.call(&hold).await;
                    sleep(pause).await;
                }
            }
        }
    }

    async fn next(
        &self,
        endpoint: &Endpoint,
        claim: &Claim<'_>,
        done: &str,
    ) -> Result<NextEvent, StoreError> {
        let since = endpoint
            .since
            .get_or_try_init(|| self.since(claim.endpoint));
        let since = *since.await?;
        let wanted = &endpoint.settings.events;
        let keyspace = self.store.keyspace();
        let call = contract::next_event(keyspace, claim, LEASE, done, since, self.max_age, wanted);
        Ok(contract::offered(claim, &self.store.call(&call).await?)?)
    }

    /// When an endpoint was set up, on whichever edge.
    async fn since(&self, endpoint: &str) -> Result<Timestamp, StoreError> {
        let keyspace = self.store.keyspace();
        let [note, ask] = contract::endpoint_since(keyspace, endpoint, self.started);
        self.store.command(&note).await?;
        let since = match self.store.command(&ask).await?.first() {
            Some(Value::Bytes(text)) => String::from_utf8_lossy(text).parse().ok(),
            _ => None,
        };
        // It was removed or changed by hand.
        Ok(since.map_or(self.started, Timestamp::from_millis))
    }

    async fn sweep_often(self: &Arc<Self>) {
        loop {
            if let Err(error) = self.sweep_once().await {
                tracing::debug!(%error, "the queues of webhooks cannot be looked for");
                sleep(jittered(REDIS_PAUSE)).await;
                continue;
            }
            let _ = timeout(jittered(SWEEP), self.sweep.notified()).await;
        }
    }

    async fn sweep_once(self: &Arc<Self>) -> Result<(), StoreError> {
        for endpoint in &self.endpoints {
            let name = &endpoint.settings.name;
            endpoint.since.get_or_try_init(|| self.since(name)).await?;
        }
        let keyspace = self.store.keyspace();
        let mut cursor = Some("0".to_owned());
        while let Some(after) = cursor {
            let find = contract::find_queues(keyspace, &after);
            let reply = self.store.command(&find).await?;
            let (next, rooms) = contract::found_queues(keyspace, &reply);
            rooms.iter().for_each(|room| self.look(room));
            cursor = next;
            sleep(SWEEP_PACE).await;
        }
        Ok(())
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<(String, RoomName), Arc<AtomicBool>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(endpoint: &Endpoint, event: &WebhookEvent) {
    let figures = &endpoint.figures;
    figures.delivered.fetch_add(1, Ordering::Relaxed);
    if let WebhookData::Lost {
        queue_full,
        too_old,
        ..
    } = event.data
    {
        figures.dropped.fetch_add(queue_full, Ordering::Relaxed);
        figures.expired.fetch_add(too_old, Ordering::Relaxed);
    }
}

fn backoff(failures: u32) -> Duration {
    PAUSE
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_PAUSE)
}

/// Between the whole span and half of it, so that those who wait for the same come apart.
fn jittered(span: Duration) -> Duration {
    span.mul_f64(0.5 + fastrand::f64() / 2.0)
}
