//! Moderation in a room.

use super::{Io, Performer};
use crate::auth::Role;
use crate::event::NoAnswer;
use crate::ids::{RoomName, Seq, UserId};
use crate::redis;
use crate::store::{Moderated, ModerationAction, Queue, Records};

impl<I: Io> Performer<'_, I> {
    pub async fn moderate(
        &self,
        room: &RoomName,
        by: (&UserId, Role),
        action: &ModerationAction,
        record: Option<&str>,
    ) -> Result<Moderated, NoAnswer> {
        let limits = &self.settings.limits;
        let call = redis::moderate(self.keyspace, limits, room, by, action, record);
        let reply = self.call(&call).await?;
        self.read_reply(redis::moderated(&reply))
    }

    /// A page of what waits for moderators.
    pub async fn queue(
        &self,
        room: &RoomName,
        by: (&UserId, Role),
        after: Option<Seq>,
        most: usize,
    ) -> Result<Queue, NoAnswer> {
        let limits = &self.settings.limits;
        let call = redis::queue(self.keyspace, limits, room, by, after, most);
        let reply = self.call(&call).await?;
        self.read_reply(redis::queued(&reply))
    }

    /// A page of the moderation log.
    pub async fn records(
        &self,
        room: &RoomName,
        by: (&UserId, Role),
        after: Option<Seq>,
        most: usize,
    ) -> Result<Records, NoAnswer> {
        let limits = &self.settings.limits;
        let call = redis::records(self.keyspace, limits, room, by, after, most);
        let reply = self.call(&call).await?;
        self.read_reply(redis::record_page(&reply))
    }
}
