//! Rooms themselves, and the lists of them.

use super::{Io, Performer};
use crate::auth::Role;
use crate::delivery::{Notice, Publication};
use crate::event::NoAnswer;
use crate::ids::{RoomName, Seq, UserId};
use crate::limits::{PRIVATE_ROOMS, PRIVATE_ROOMS_OF_A_USER};
use crate::protocol::ServerFrame;
use crate::redis::{self, Presence, Value};
use crate::store::{Listed, Managed, Marked, Members, RoomAction, RoomCount, RoomList};
use std::time::Duration;

impl<I: Io> Performer<'_, I> {
    /// The private rooms of a user, and the public ones with most members.
    pub async fn list_rooms(
        &self,
        user: Option<&UserId>,
        most: usize,
    ) -> Result<Vec<RoomCount>, NoAnswer> {
        let keyspace = self.keyspace;
        let public = redis::rooms(&self.command(&redis::list_rooms(keyspace, most)).await?);
        let Some(user) = user else { return Ok(public) };
        let mut rooms =
            redis::rooms_of(&self.command(&redis::list_rooms_of(keyspace, user)).await?);
        rooms.truncate(most);
        if !rooms.is_empty() {
            let counts = self
                .command(&redis::list_private_counts(keyspace, &rooms))
                .await?;
            rooms = redis::private_counts(rooms, &counts);
        }
        rooms.extend(public);
        Ok(rooms)
    }

    /// Puts a room into its list if there is place.
    pub async fn open_room(&self, room: &RoomName) -> Result<bool, NoAnswer> {
        let most = if room.is_private() {
            PRIVATE_ROOMS
        } else {
            self.settings.limits.rooms
        };
        let reply = self
            .call(&redis::open_room(self.keyspace, room, most))
            .await?;
        self.read_reply(redis::opened(&reply))
    }

    /// A room that somebody made up, in which nobody spoke and nothing was set, must not take a
    /// place in the list for ever.
    pub(super) async fn is_forgettable(&self, room: &RoomName) -> Result<bool, NoAnswer> {
        if self.settings.default_rooms.contains(room) {
            return Ok(false);
        }
        let key = |what: &str| self.keyspace.room(room, what);
        let exists = self
            .command(&["EXISTS".to_owned(), key("log"), key("room")])
            .await?;
        Ok(exists == [Value::Integer(0)])
    }

    pub async fn manage(
        &self,
        room: &RoomName,
        by: &UserId,
        role: Role,
        action: &RoomAction,
        record: Option<&str>,
    ) -> Result<Managed, NoAnswer> {
        let is_new = matches!(action, RoomAction::Create(_) | RoomAction::Direct(_));
        if is_new && !(self.has_place_of(by, room).await? && self.open_room(room).await?) {
            return Ok(Managed::Full);
        }
        let keyspace = self.keyspace;
        let reply = self
            .call(&redis::manage(keyspace, room, by, role, action, record))
            .await?;
        let managed = self.read_reply(redis::managed(&reply))?;
        for command in redis::aftermath(keyspace, room, by, action, &managed) {
            // It is done; a list may be behind.
            let _ = self.command(&command).await;
        }
        Ok(managed)
    }

    /// A page of one of a room's lists.
    pub async fn list_users(
        &self,
        room: &RoomName,
        (by, role): (&UserId, Role),
        list: RoomList,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed, NoAnswer> {
        let call = redis::list(self.keyspace, room, by, role, list, after, limit);
        let reply = self.call(&call).await?;
        self.read_reply(redis::listed(&reply))
    }

    /// Who is in a room now.
    pub async fn present(&self, room: &RoomName) -> Result<Members, NoAnswer> {
        let call = redis::presence(self.keyspace, room, self.edge, Presence::List);
        let reply = self.call(&call).await?;
        self.read_reply(redis::members(&reply))
    }

    /// How far a user has read.
    pub async fn mark(&self, room: &RoomName, user: &UserId, seq: Seq) -> Result<Marked, NoAnswer> {
        let call = redis::mark(self.keyspace, room, user, seq);
        let reply = self.call(&call).await?;
        self.read_reply(redis::marked(&reply))
    }

    /// Takes from a user's bucket of commands over HTTP; how long to wait, if it is empty.
    pub async fn take(&self, user: &UserId) -> Result<Option<Duration>, NoAnswer> {
        let call = redis::take(self.keyspace, &self.settings.limits, user);
        let reply = self.call(&call).await?;
        self.read_reply(redis::taken(&reply))
    }

    /// Whether the user may be in one more private room, or is in it.
    async fn has_place_of(&self, user: &UserId, room: &RoomName) -> Result<bool, NoAnswer> {
        if !room.is_private() {
            return Ok(true);
        }
        let keyspace = self.keyspace;
        let reply = self
            .command(&redis::count_private_rooms(keyspace, user))
            .await?;
        let count = match reply[..] {
            [Value::Integer(count)] => u64::try_from(count).unwrap_or_default(),
            _ => return Err(NoAnswer),
        };
        if count < PRIVATE_ROOMS_OF_A_USER {
            return Ok(true);
        }
        let rooms = redis::rooms_of(&self.command(&redis::list_rooms_of(keyspace, user)).await?);
        Ok(rooms.iter().any(|count| &count.room == room))
    }

    /// The user was let out of a private room, and his list does not know.
    pub(super) async fn forget_room_of(&self, user: &UserId, room: &RoomName) {
        let _ = self
            .command(&redis::forget_room_of(self.keyspace, user, room))
            .await;
    }

    pub async fn notify(&self, notice: &Notice) -> Result<(), NoAnswer> {
        let channel = self.keyspace.notices();
        let publish = ["PUBLISH".to_owned(), channel, notice.encode()];
        self.command(&publish).await.map(drop)
    }

    /// Tells everyone in a room, for a request that no host does it for.
    pub async fn announce(&self, room: &RoomName, frame: &ServerFrame) -> Result<(), NoAnswer> {
        let channel = self.keyspace.channel(room);
        let payload = Publication::announce(self.connection, &frame.encode());
        self.command(&["PUBLISH".to_owned(), channel, payload])
            .await
            .map(drop)
    }
}
