//! Rooms themselves, and the lists of them.

use super::{Performer, read};
use clustertalk_core::auth::Role;
use clustertalk_core::delivery::{Notice, Publication};
use clustertalk_core::event::NoAnswer;
use clustertalk_core::ids::{RoomName, Seq, UserId};
use clustertalk_core::limits::{PRIVATE_ROOMS, PRIVATE_ROOMS_OF_A_USER};
use clustertalk_core::protocol::ServerFrame;
use clustertalk_core::redis::{self, Presence, Value};
use clustertalk_core::store::{Listed, Managed, Marked, Members, RoomAction, RoomCount, RoomList};
use std::time::Duration;

impl Performer<'_> {
    /// The private rooms of a user, and the public ones with most members.
    pub fn list_rooms(
        &self,
        user: Option<&UserId>,
        most: usize,
    ) -> Result<Vec<RoomCount>, NoAnswer> {
        let keyspace = &self.settings.keyspace;
        let public = redis::rooms(&self.command(&redis::list_rooms(keyspace, most))?);
        let Some(user) = user else { return Ok(public) };
        let mut rooms = redis::rooms_of(&self.command(&redis::list_rooms_of(keyspace, user))?);
        rooms.truncate(most);
        if !rooms.is_empty() {
            let counts = self.command(&redis::list_private_counts(keyspace, &rooms))?;
            rooms = redis::private_counts(rooms, &counts);
        }
        rooms.extend(public);
        Ok(rooms)
    }

    /// Puts a room into its list if there is place.
    pub fn open_room(&self, room: &RoomName) -> Result<bool, NoAnswer> {
        let most = if room.is_private() {
            PRIVATE_ROOMS
        } else {
            self.settings.hub.limits.rooms
        };
        let reply = self.call(&redis::open_room(&self.settings.keyspace, room, most))?;
        read(redis::opened(&reply))
    }

    /// A room that somebody made up, in which nobody spoke and nothing was set, must not take a
    /// place in the list for ever.
    pub(super) fn is_forgettable(&self, room: &RoomName) -> Result<bool, NoAnswer> {
        if self.settings.hub.default_rooms.contains(room) {
            return Ok(false);
        }
        let key = |what: &str| self.settings.keyspace.room(room, what);
        let exists = self.command(&["EXISTS".to_owned(), key("log"), key("room")])?;
        Ok(exists == [Value::Integer(0)])
    }

    pub fn manage(
        &self,
        room: &RoomName,
        by: &UserId,
        role: Role,
        action: &RoomAction,
    ) -> Result<Managed, NoAnswer> {
        let is_new = matches!(action, RoomAction::Create(_) | RoomAction::Direct(_));
        if is_new && !(self.has_place_of(by, room)? && self.open_room(room)?) {
            return Ok(Managed::Full);
        }
        let keyspace = &self.settings.keyspace;
        let reply = self.call(&redis::manage(keyspace, room, by, role, action))?;
        let managed = read(redis::managed(&reply))?;
        for command in redis::aftermath(keyspace, room, by, action, &managed) {
            // It is done; a list may be behind.
            let _ = self.command(&command);
        }
        Ok(managed)
    }

    /// A page of one of a room's lists.
    pub fn list_users(
        &self,
        room: &RoomName,
        (by, role): (&UserId, Role),
        list: RoomList,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed, NoAnswer> {
        let keyspace = &self.settings.keyspace;
        let reply = self.call(&redis::list(keyspace, room, by, role, list, after, limit))?;
        read(redis::listed(&reply))
    }

    /// Who is in a room now.
    pub fn present(&self, room: &RoomName) -> Result<Members, NoAnswer> {
        let keyspace = &self.settings.keyspace;
        let reply = self.call(&redis::presence(keyspace, room, &self.edge, Presence::List))?;
        read(redis::members(&reply))
    }

    /// How far a user has read.
    pub fn mark(&self, room: &RoomName, user: &UserId, seq: Seq) -> Result<Marked, NoAnswer> {
        let reply = self.call(&redis::mark(&self.settings.keyspace, room, user, seq))?;
        read(redis::marked(&reply))
    }

    /// Takes from a user's bucket of commands over HTTP; how long to wait, if it is empty.
    pub fn take(&self, user: &UserId) -> Result<Option<Duration>, NoAnswer> {
        let limits = &self.settings.hub.limits;
        let reply = self.call(&redis::take(&self.settings.keyspace, limits, user))?;
        read(redis::taken(&reply))
    }

    /// Whether the user may be in one more private room, or is in it.
    fn has_place_of(&self, user: &UserId, room: &RoomName) -> Result<bool, NoAnswer> {
        if !room.is_private() {
            return Ok(true);
        }
        let keyspace = &self.settings.keyspace;
        let reply = self.command(&redis::count_private_rooms(keyspace, user))?;
        let count = match reply[..] {
            [Value::Integer(count)] => u64::try_from(count).unwrap_or_default(),
            _ => return Err(NoAnswer),
        };
        if count < PRIVATE_ROOMS_OF_A_USER {
            return Ok(true);
        }
        let rooms = redis::rooms_of(&self.command(&redis::list_rooms_of(keyspace, user))?);
        Ok(rooms.iter().any(|count| &count.room == room))
    }

    /// The user was let out of a private room, and his list does not know.
    pub(super) fn forget_room_of(&self, user: &UserId, room: &RoomName) {
        let _ = self.command(&redis::forget_room_of(&self.settings.keyspace, user, room));
    }

    pub fn notify(&self, notice: &Notice) -> Result<(), NoAnswer> {
        let channel = self.settings.keyspace.notices();
        let publish = ["PUBLISH".to_owned(), channel, notice.encode()];
        self.command(&publish).map(drop)
    }

    /// Tells everyone in a room, for a request that no host does it for.
    pub fn announce(&self, room: &RoomName, frame: &ServerFrame) -> Result<(), NoAnswer> {
        let channel = self.settings.keyspace.channel(room);
        let payload = Publication::announce(&self.connection, &frame.encode());
        self.command(&["PUBLISH".to_owned(), channel, payload])
            .map(drop)
    }
}
