//! What Redis holds of one user beside the logs: where it stands, and how it goes. `clustertalk user`
//! exports and erases by it, so a new key that names users has its place here.

use super::{Call, Keyspace, ReplyError, Value, aftermath, manage, managed};
use crate::auth::Role;
use crate::ids::{NameError, RoomName, UserId};
use crate::log::ERASED;
use crate::store::{Managed, RoomAction};

/// One value that is held of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it is, for programs and people.
    pub what: What,
    /// The command that reads it, its name first; nil if there is none.
    pub read: Vec<String>,
    /// It is his only if this stands there; by default whatever does.
    pub only: Option<String>,
    /// The command that removes it. Doing it twice does no harm.
    pub remove: Vec<String>,
}

/// What is held of a user in one room, or over all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// `member`, `moderator` or `owner`.
    Role,
    /// Until when he is kept out, ms since 1970; `inf` for ever.
    Ban,
    /// Until when he may not write, likewise.
    Mute,
    /// Up to which number he has read.
    Read,
    /// That he created the room.
    Creator,
    /// When his last message came, ms since 1970, while the room is in slow mode.
    LastMessage,
    /// When he may send a whole burst again, ms since 1970.
    Rate,
    /// How many messages he wrote, as the leader board has it.
    Messages,
    /// The same, as counted in the figures over all rooms.
    Counted,
}

impl What {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Ban => "ban",
            Self::Mute => "mute",
            Self::Read => "read",
            Self::Creator => "creator",
            Self::LastMessage => "last_message",
            Self::Rate => "rate",
            Self::Messages => "messages",
            Self::Counted => "counted",
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What a room may hold of a user.
pub fn holdings(keyspace: &Keyspace, room: &RoomName, user: &UserId) -> Vec<Holding> {
    let key = |what: &str| keyspace.room(room, what);
    let user = user.as_str();
    let field = |what, key: &str, field: &str, only: Option<&str>| Holding {
        what,
        read: words(&["HGET", key, field]),
        only: only.map(str::to_owned),
        remove: words(&["HDEL", key, field]),
    };
    let member = |what, key: &str| member(what, key, user);
    let rate = key(&format!("rate:{user}"));
    vec![
        field(What::Role, &key("granted"), user, None),
        member(What::Ban, &key("ban")),
        member(What::Mute, &key("mute")),
        member(What::Read, &key("read")),
        field(What::Creator, &key("room"), "created_by", Some(user)),
        member(What::LastMessage, &key("slow")),
        Holding {
            what: What::Rate,
            read: words(&["GET", &rate]),
            only: None,
            remove: words(&["DEL", &rate]),
        },
        member(What::Messages, &key("stats:top")),
        field(
            What::Counted,
            &keyspace.overall(&format!(":counted:{room}")),
            &format!("top:{user}"),
            None,
        ),
    ]
}

/// What the deployment may hold of a user.
pub fn overall_holdings(keyspace: &Keyspace, user: &UserId) -> Vec<Holding> {
    let rate = keyspace.rate_of(user);
    vec![
        member(What::Messages, &keyspace.overall(":top"), user.as_str()),
        Holding {
            what: What::Rate,
            read: words(&["GET", &rate]),
            only: None,
            remove: words(&["DEL", &rate]),
        },
    ]
}

fn member(what: What, key: &str, user: &str) -> Holding {
    Holding {
        what,
        read: words(&["ZSCORE", key, user]),
        only: None,
        remove: words(&["ZREM", key, user]),
    }
}

/// The command that goes on with the ids that a room remembers of a user, its name first; the answer
/// is read by [`remembered`].
pub fn scan_remembered(
    keyspace: &Keyspace,
    room: &RoomName,
    user: &UserId,
    cursor: &str,
) -> Vec<String> {
    let seen = keyspace.room(room, "seen");
    // Nothing in a user's id means anything in a pattern.
    let pattern = format!("{user} *");
    words(&["ZSCAN", &seen, cursor, "MATCH", &pattern, "COUNT", "1000"])
}

/// Where to go on, "0" for nowhere, and members of `seen` with their scores.
pub fn remembered(reply: &[Value]) -> (String, Vec<(String, String)>) {
    let texts: Vec<&str> = reply.iter().filter_map(Value::text).collect();
    let cursor = texts.first().copied().unwrap_or("0").to_owned();
    let pairs = texts.get(1..).unwrap_or_default().chunks_exact(2);
    (
        cursor,
        pairs.map(|pair| (pair[0].into(), pair[1].into())).collect(),
    )
}

/// The command that forgets members of `seen`, its name first.
pub fn forget_remembered(
    keyspace: &Keyspace,
    room: &RoomName,
    members: impl IntoIterator<Item = String>,
) -> Vec<String> {
    let mut command = words(&["ZREM", &keyspace.room(room, "seen")]);
    command.extend(members);
    command
}

/// The command that goes on with all keys of rooms, its name first; the answer is read by
/// [`scanned_rooms`].
pub fn scan_rooms(keyspace: &Keyspace, cursor: &str) -> Vec<String> {
    // Nothing in a prefix means anything in a pattern.
    let pattern = format!("{}:{{*}}:*", keyspace.prefix);
    words(&["SCAN", cursor, "MATCH", &pattern, "COUNT", "1000"])
}

/// Where to go on, "0" for nowhere, and the rooms whose keys were found; one may come many times.
pub fn scanned_rooms(keyspace: &Keyspace, reply: &[Value]) -> (String, Vec<RoomName>) {
    let mut texts = reply.iter().filter_map(Value::text);
    let cursor = texts.next().unwrap_or("0").to_owned();
    let room = |key: &str| {
        let rest = key.strip_prefix(&keyspace.prefix)?.strip_prefix(":{")?;
        RoomName::parse(rest.split_once("}:")?.0).ok()
    };
    (cursor, texts.filter_map(room).collect())
}

/// The command that reads the two users of a direct room, its name first.
pub fn direct(keyspace: &Keyspace, room: &RoomName) -> Vec<String> {
    words(&["HGET", &keyspace.room(room, "room"), "direct"])
}

/// The command that lists the edges of a room and when they count as dead (ms), its name first.
pub fn edges(keyspace: &Keyspace, room: &RoomName) -> Vec<String> {
    let edges = keyspace.room(room, "edges");
    words(&["ZRANGE", &edges, "0", "-1", "WITHSCORES"])
}

/// The command that reads a user's row on one edge of a room, its name first.
pub fn row(keyspace: &Keyspace, room: &RoomName, edge: &str, user: &UserId) -> Vec<String> {
    let members = format!("{}{edge}", keyspace.members_prefix(room));
    words(&["HGET", &members, user.as_str()])
}

/// The command that removes the row of a user on an edge that is gone.
pub fn remove_row(keyspace: &Keyspace, room: &RoomName, edge: &str, user: &UserId) -> Vec<String> {
    let members = format!("{}{edge}", keyspace.members_prefix(room));
    words(&["HDEL", &members, user.as_str()])
}

/// Deletes a room with everything in it, in nobody's name.
///
/// # Errors
/// Never: the name that stands for nobody is one.
pub fn delete_room(keyspace: &Keyspace, room: &RoomName) -> Result<Call, NameError> {
    let nobody = UserId::parse(ERASED)?;
    let action = RoomAction::Delete;
    Ok(manage(keyspace, room, &nobody, Role::Admin, &action, None))
}

/// The answer to [`delete_room`]: what is left to do elsewhere, names of commands first; `None` if the
/// room was not deleted.
pub fn room_deleted(
    keyspace: &Keyspace,
    room: &RoomName,
    reply: &[Value],
) -> Result<Option<Vec<Vec<String>>>, ReplyError> {
    let nobody = UserId::parse(ERASED)?;
    let outcome = managed(reply)?;
    let done = matches!(outcome, Managed::Deleted { .. });
    Ok(done.then(|| aftermath(keyspace, room, &nobody, &RoomAction::Delete, &outcome)))
}
