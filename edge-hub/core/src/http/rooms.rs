//! Which rooms there are, and how one who asks finds a room.

use super::caller::Caller;
use super::{Answer, Api, Asked, Problem};
use crate::api::Rooms;
use crate::auth::Role;
use crate::ids::{RoomName, UserId};
use crate::perform::Io;
use crate::protocol::{RoomFrame, RoomSummary, ServerFrame};
use crate::store::{Managed, RoomAction, RoomView};

/// Rooms in one answer of `GET /api/v1/rooms`.
pub const LISTED_ROOMS: usize = 1_000;

impl<I: Io> Api<'_, I> {
    /// A room as the one who asks finds it.
    pub(super) async fn look(&self, asked: &Asked, caller: Caller) -> Result<Answer, Problem> {
        let room = asked.room()?;
        self.reading(&caller, room)?;
        let user = caller.speaker(asked.query.user()?)?.user.id;
        let view = self.find(room, &user).await?;
        let frame = ServerFrame::Room(Box::new(RoomFrame::personal(room.clone(), view)));
        Ok(Answer::json(200, &frame))
    }

    /// Refuses who may not be in the room.
    pub(super) async fn admitted(&self, asked: &Asked, caller: &Caller) -> Result<(), Problem> {
        let room = asked.room()?;
        match caller.user(&asked.query)? {
            Some(user) => self.find(room, &user).await.map(drop),
            None if room.is_private() => Err(Problem::forbidden(room.clone())),
            None => Ok(()),
        }
    }

    /// A room as a user finds it who may be there.
    pub(super) async fn find(&self, room: &RoomName, user: &UserId) -> Result<RoomView, Problem> {
        // His role by a token opens nothing.
        let look = &RoomAction::Look;
        let found = self.performer.manage(room, user, Role::Member, look, None);
        match found.await? {
            Managed::Done(view) => Ok(*view),
            Managed::Banned(term) => Err(Problem::banned(room.clone(), term, self.now)),
            _ => Err(Problem::forbidden(room.clone())),
        }
    }

    /// The rooms that the one who asks may know of.
    pub(super) async fn list_rooms(
        &self,
        asked: &Asked,
        caller: &Caller,
    ) -> Result<Answer, Problem> {
        let user = caller.user(&asked.query)?;
        let counts = self.performer.list_rooms(user.as_ref(), LISTED_ROOMS);
        let counts = counts.await?;
        let defaults = &self.deployment.hub.default_rooms;
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
            .filter(|summary| self.reading(caller, &summary.room).is_ok())
            .collect();
        Ok(Answer::json(200, &Rooms { rooms }))
    }
}
