//! Asks Redis who is in a room, and tells it who is here. What follows from that is core's to say.

use clustertalk_core::{
    delivery::{Present, RoomPresence},
    ids::{RoomName, UserId},
    redis::{self as contract, CORRECTIONS},
};

use crate::{
    clock,
    relay::{Figures, Relay},
    store::{Store, StoreError},
};

pub async fn read(presence: &mut RoomPresence, store: &Store, room: &RoomName) {
    let members = store.members(room).await;
    if let Err(error) = &members {
        tracing::debug!(%room, %error, "cannot read the members");
    }
    presence.read(clock::steady(), members.ok());
}

/// Keeps this edge's members alive, puts right whom Redis counts among them in vain or does
/// not count, and lets the members of dead edges leave. Answers who may not be there any more.
pub async fn refresh(
    presence: &mut RoomPresence,
    relay: &Relay,
    room: &RoomName,
    present: &Present<'_>,
) -> Vec<UserId> {
    let refreshed = try_refresh(presence, relay, room, present).await;
    presence.refreshed(refreshed.is_err());
    refreshed.unwrap_or_else(|error| {
        tracing::debug!(%room, %error, "cannot refresh the presence");
        Vec::new()
    })
}

async fn try_refresh(
    presence: &mut RoomPresence,
    relay: &Relay,
    room: &RoomName,
    present: &Present<'_>,
) -> Result<Vec<UserId>, StoreError> {
    let store = &relay.store;
    let (held, unwelcome) = store.refresh_presence(room).await?;
    if presence.begin_audit(held, present) {
        let rows = store.attendance(room).await?;
        let corrections = presence.compare(held, &rows, present);
        for corrections in corrections.chunks(CORRECTIONS) {
            let corrected = store.correct_presence(room, corrections).await?;
            Figures::count(&relay.figures.presence_corrections, corrected);
        }
    }
    let count = store.presence(room, contract::Presence::Sweep).await?;
    store
        .call(&contract::count_room(store.keyspace(), room, count))
        .await?;
    Ok(unwelcome)
}
