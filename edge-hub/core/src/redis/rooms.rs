//! The lists of rooms: of all public ones, of the private ones that nobody is shown, and of each
//! user's private ones.

use super::{Call, Keyspace, ROOMS, ReplyError, Value};
use crate::ids::{RoomName, UserId};
use crate::store::{Managed, RoomAction, RoomCount};

fn list(keyspace: &Keyspace, room: &RoomName) -> String {
    if room.is_private() {
        keyspace.private_rooms()
    } else {
        keyspace.rooms()
    }
}

/// Adds a room to the list if there is place.
pub fn open_room(keyspace: &Keyspace, room: &RoomName, most: u64) -> Call {
    Call::new(
        &ROOMS,
        vec![list(keyspace, room)],
        vec![
            "open".into(),
            room.to_string(),
            "0".into(),
            most.to_string(),
        ],
    )
}

/// Notes how many members a listed room has.
pub fn count_room(keyspace: &Keyspace, room: &RoomName, members: u64) -> Call {
    Call::new(
        &ROOMS,
        vec![list(keyspace, room)],
        vec![
            "count".into(),
            room.to_string(),
            members.to_string(),
            "0".into(),
        ],
    )
}

/// Takes a room off the list: nobody is there, nothing was ever said or set; or it is deleted.
pub fn close_room(keyspace: &Keyspace, room: &RoomName) -> Call {
    Call::new(
        &ROOMS,
        vec![list(keyspace, room)],
        vec!["close".into(), room.to_string(), "0".into(), "0".into()],
    )
}

/// Whether the room is in the list now.
pub fn opened(reply: &[Value]) -> Result<bool, ReplyError> {
    match reply.first().and_then(Value::text) {
        Some("ok") => Ok(true),
        Some("full") => Ok(false),
        _ => Err(ReplyError::Shape("rooms")),
    }
}

/// The command that lists the rooms with most members, its name first.
pub fn list_rooms(keyspace: &Keyspace, most: usize) -> Vec<String> {
    let last = most.saturating_sub(1).to_string();
    vec![
        "ZREVRANGE".into(),
        keyspace.rooms(),
        "0".into(),
        last,
        "WITHSCORES".into(),
    ]
}

/// The answer to [`list_rooms`]; what is no room of ours is passed over.
pub fn rooms(reply: &[Value]) -> Vec<RoomCount> {
    reply
        .chunks_exact(2)
        .filter_map(|pair| {
            let room = RoomName::parse(pair[0].text()?).ok()?;
            Some(RoomCount {
                room,
                members: pair[1].number()?,
                with: None,
            })
        })
        .collect()
}

/// The command that lists the private rooms of a user, its name first.
pub fn list_rooms_of(keyspace: &Keyspace, user: &UserId) -> Vec<String> {
    vec!["HGETALL".into(), keyspace.rooms_of(user)]
}

/// The answer to [`list_rooms_of`], in the order of names and without members; what is no room of
/// ours is passed over.
pub fn rooms_of(reply: &[Value]) -> Vec<RoomCount> {
    let mut rooms: Vec<RoomCount> = reply
        .chunks_exact(2)
        .filter_map(|pair| {
            Some(RoomCount {
                room: RoomName::parse(pair[0].text()?).ok()?,
                members: 0,
                with: UserId::parse(pair[1].text()?).ok(),
            })
        })
        .collect();
    rooms.sort_by(|one, other| one.room.cmp(&other.room));
    rooms
}

/// The command that reads how many members these private rooms have, its name first.
pub fn list_private_counts(keyspace: &Keyspace, rooms: &[RoomCount]) -> Vec<String> {
    let mut command = vec!["ZMSCORE".into(), keyspace.private_rooms()];
    command.extend(rooms.iter().map(|count| count.room.to_string()));
    command
}

/// The rooms with the answer to [`list_private_counts`].
pub fn private_counts(mut rooms: Vec<RoomCount>, reply: &[Value]) -> Vec<RoomCount> {
    for (count, members) in rooms.iter_mut().zip(reply) {
        count.members = members.number().unwrap_or(0);
    }
    rooms
}

/// The command that counts the private rooms of a user, its name first.
pub fn count_private_rooms(keyspace: &Keyspace, user: &UserId) -> Vec<String> {
    vec!["HLEN".into(), keyspace.rooms_of(user)]
}

/// The command that takes a private room off a user's list, its name first.
pub fn forget_room_of(keyspace: &Keyspace, user: &UserId, room: &RoomName) -> Vec<String> {
    vec!["HDEL".into(), keyspace.rooms_of(user), room.to_string()]
}

/// The commands that are left to do elsewhere when something was done to a room, names first: its
/// own script touches its own slot only. All of them may be done twice, and what is left undone
/// shows in lists and nowhere else.
pub fn aftermath(
    keyspace: &Keyspace,
    room: &RoomName,
    by: &UserId,
    action: &RoomAction,
    outcome: &Managed,
) -> Vec<Vec<String>> {
    let note = |user: &UserId, with: &str| {
        let key = keyspace.rooms_of(user);
        vec!["HSET".into(), key, room.to_string(), with.into()]
    };
    let forget = |user: &UserId| forget_room_of(keyspace, user, room);
    let private = room.is_private();
    match (action, outcome) {
        (RoomAction::Create(_), Managed::Done(_)) if private => vec![note(by, "")],
        (RoomAction::Grant { user, .. }, Managed::Done(_)) if private => vec![note(user, "")],
        (RoomAction::Revoke { user }, Managed::Done(_)) if private => vec![forget(user)],
        (RoomAction::Direct(pair), Managed::Done(_)) => {
            let other = pair.other(by);
            vec![note(by, other.as_str()), note(other, by.as_str())]
        }
        (_, Managed::Deleted { listed }) => {
            let counted = keyspace.overall(&format!(":counted:{room}"));
            let off_the_list = vec!["ZREM".into(), list(keyspace, room), room.to_string()];
            let mut commands = vec![off_the_list, vec!["DEL".into(), counted]];
            commands.extend(listed.iter().filter(|_| private).map(forget));
            commands
        }
        _ => Vec::new(),
    }
}
