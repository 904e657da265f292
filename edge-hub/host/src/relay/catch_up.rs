//! Pages for one connection that is too far behind for the newest entries: one in flight, each
//! after the one before has been written to the socket.

use std::{sync::Arc, time::Duration};

use clustertalk_core::{
    delivery::{Catch, CatchUp, catch_up, joined, page},
    ids::{Position, RoomName},
    store::{Members, Range, Stretch},
};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};

use super::{Follower, Relay};
use crate::{store::StoreError, websocket::encode_text};

/// Before another try when Redis did not answer.
const PAUSE: Duration = Duration::from_millis(500);
/// Before a client is to join again where the log itself is damaged: an operator has to mend it.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(10);

/// Sends pages from `since` on, the first as `joined` if `members` are given, and answers where it
/// came to; `None` if the connection went away meanwhile. The last page is the room's to send, so
/// the connection's turn goes back with the answer.
pub async fn pages(
    relay: Arc<Relay>,
    room: RoomName,
    follower: Follower,
    since: Option<Position>,
    mut members: Option<Members>,
) -> Option<(Position, OwnedSemaphorePermit)> {
    let Follower { queue, turn, .. } = &follower;
    let mut position = since;
    loop {
        let turn = Arc::clone(turn).acquire_owned().await.ok()?;
        queue.drained().await.ok()?;
        let (segments, head, more) = match next(&relay, &room, position).await {
            Ok(found) => found,
            Err(error) if error.is_unreadable() => {
                relay.note_unreadable(&room, &error);
                follower.refuse(&room, UNREADABLE_PAUSE);
                return None;
            }
            Err(error) => {
                tracing::debug!(%room, %error, "cannot read a page; trying again");
                drop(turn);
                sleep(PAUSE).await;
                if !queue.is_open() {
                    return None;
                }
                continue;
            }
        };
        for catch in segments {
            position = Some(catch.position);
            let frame = match members.take() {
                Some(members) => joined(&room, &catch, head, true, &members),
                None if catch.reason.is_some() => {
                    let members = relay.store.members(&room).await.unwrap_or_default();
                    joined(&room, &catch, head, true, &members)
                }
                None => page(&room, &catch, head, true),
            };
            queue.push(encode_text(&frame.encode()));
            queue.drained().await.ok()?;
        }
        if !more {
            return Some((position?, turn));
        }
    }
}

async fn next(
    relay: &Relay,
    room: &RoomName,
    since: Option<Position>,
) -> Result<(Vec<Catch>, Position, bool), StoreError> {
    let _permit = relay.catching_up.acquire().await;
    let limits = relay.store.limits();
    if let Some(position) = since {
        let range = Range::After(position.seq);
        let stretch = relay.store.read(room, range, limits.page_messages).await?;
        let Stretch { head, more, .. } = stretch;
        if let CatchUp::Segments(segments) = catch_up(position, stretch) {
            return Ok((segments, head, more));
        }
    }
    let stretch = relay
        .store
        .read(room, Range::Tail, limits.recent_messages)
        .await?;
    let head = stretch.head;
    Ok((CatchUp::recent(since.is_some(), stretch), head, false))
}
