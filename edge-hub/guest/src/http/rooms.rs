//! Which rooms there are, and how one who asks finds a room.

use super::Asked;
use super::answer::{Answer, Problem};
use super::caller::Caller;
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::api::Rooms;
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::protocol::{RoomFrame, RoomSummary, ServerFrame};
use clustertalk_core::store::{Managed, RoomAction, RoomView};

/// Rooms in one answer of `GET /api/v1/rooms`.
pub const LISTED_ROOMS: usize = 1_000;

/// A room as the one who asks finds it.
pub fn look(
    asked: &Asked,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: Caller,
) -> Result<Answer, Problem> {
    let room = asked.room()?;
    caller.reading(settings, room)?;
    let user = caller.speaker(asked.query.user()?)?.user.id;
    let view = find(performer, room, &user)?;
    let frame = ServerFrame::Room(Box::new(RoomFrame::personal(room.clone(), view)));
    Ok(Answer::json(200, &frame))
}

/// Refuses who may not be in the room.
pub fn admitted(asked: &Asked, performer: &Performer<'_>, caller: &Caller) -> Result<(), Problem> {
    let room = asked.room()?;
    match caller.user(&asked.query)? {
        Some(user) => find(performer, room, &user).map(drop),
        None if room.is_private() => Err(Problem::forbidden(room.clone())),
        None => Ok(()),
    }
}

/// A room as a user finds it who may be there.
pub fn find(
    performer: &Performer<'_>,
    room: &RoomName,
    user: &UserId,
) -> Result<RoomView, Problem> {
    // His role by a token opens nothing.
    match performer.manage(room, user, Role::Member, &RoomAction::Look)? {
        Managed::Done(view) => Ok(*view),
        Managed::Banned(term) => Err(Problem::banned(room.clone(), term, super::now())),
        _ => Err(Problem::forbidden(room.clone())),
    }
}

/// The rooms that the one who asks may know of.
pub fn list(
    asked: &Asked,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let user = caller.user(&asked.query)?;
    let counts = performer.list_rooms(user.as_ref(), LISTED_ROOMS)?;
    let defaults = &settings.hub.default_rooms;
    let missing = defaults
        .iter()
        .filter(|room| counts.iter().all(|count| &count.room != *room))
        .map(|room| RoomSummary {
            room: room.clone(),
            members: 0,
            with: None,
        });
    let rooms = counts
        .iter()
        .cloned()
        .map(RoomSummary::from)
        .chain(missing)
        .filter(|summary| caller.reading(settings, &summary.room).is_ok())
        .collect();
    Ok(Answer::json(200, &Rooms { rooms }))
}
