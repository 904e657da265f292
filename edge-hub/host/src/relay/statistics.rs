//! Keeps the figures over all rooms up to date with the rooms' own, off the path of messages.

use std::{
    collections::HashSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clustertalk_core::{
    ids::RoomName,
    statistics::{bring_up, room_commands},
};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    clock,
    store::{Store, StoreError},
};

/// How far the overall figures may be behind.
const PERIOD: Duration = Duration::from_secs(1);

/// Rooms with messages that the overall figures do not have yet.
pub struct Statistics {
    changed: Arc<Mutex<HashSet<RoomName>>>,
}

impl Statistics {
    pub fn start(store: Store) -> Self {
        let changed = Arc::new(Mutex::new(HashSet::new()));
        let weak = Arc::downgrade(&changed);
        tokio::spawn(async move {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let Some(changed) = weak.upgrade() else {
                    return;
                };
                let rooms = mem::take(&mut *changed.lock().unwrap_or_else(PoisonError::into_inner));
                for room in rooms {
                    if let Err(error) = count(&store, &room).await {
                        tracing::debug!(%room, %error, "overall figures are behind");
                        changed
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(room);
                    }
                }
            }
        });
        Self { changed }
    }

    pub fn note(&self, room: &RoomName) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if !changed.contains(room) {
            changed.insert(room.clone());
        }
    }
}

async fn count(store: &Store, room: &RoomName) -> Result<(), StoreError> {
    let now = clock::now();
    let [counters, users, top, minutes, minutes_before] =
        room_commands(store.keyspace(), room, now);
    let replies = [
        store.command(&counters).await?,
        store.command(&users).await?,
        store.command(&top).await?,
        store.command(&minutes).await?,
        store.command(&minutes_before).await?,
    ];
    if let Some(call) = bring_up(store.keyspace(), room, now, &replies) {
        store.call(&call).await?;
    }
    Ok(())
}
