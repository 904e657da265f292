//! Who is in a room.

use super::room::view;
use super::{Call, Keyspace, PRESENCE, ReplyError, Value, flag, term};
use crate::ids::{RoomName, User, UserId};
use crate::limits::JOINED_MEMBERS;
use crate::store::{Attendance, Attended, Correction, Members};
use crate::time::millis;
use std::time::Duration;

/// How long an edge's members stay without a refresh. It refreshes three times in this span.
pub const PRESENCE_LIFE: Duration = Duration::from_secs(30);

/// A change or question of presence.
#[derive(Clone, Copy, Debug)]
pub enum Presence<'a> {
    /// One connection of `user` came. Answered by [`attended`].
    Join { user: &'a User, connection: &'a str },
    /// One connection of `user` went.
    Leave { user: &'a User, connection: &'a str },
    /// The edge goes: all its connections leave.
    Drop,
    /// Whoever's edge has expired leaves.
    Sweep,
    /// Who is there.
    List,
    /// The edge lives on. Answered by [`refreshed`].
    Refresh,
    /// The edge's own rows were found to be wrong. At most [`CORRECTIONS`] at once.
    Correct(&'a [Correction]),
}

/// Corrections in one call: the server does nothing else meanwhile.
pub const CORRECTIONS: usize = 500;

pub fn presence(keyspace: &Keyspace, room: &RoomName, edge: &str, presence: Presence<'_>) -> Call {
    let (operation, user, connection) = match presence {
        Presence::Join { user, connection } => ("join", Some(user), connection),
        Presence::Leave { user, connection } => ("leave", Some(user), connection),
        Presence::Drop => ("drop", None, ""),
        Presence::Sweep => ("sweep", None, ""),
        Presence::List => ("list", None, ""),
        Presence::Refresh => ("refresh", None, ""),
        Presence::Correct(_) => ("correct", None, ""),
    };
    let corrections = match presence {
        Presence::Correct(corrections) => corrections,
        _ => &[],
    };
    let prefix = keyspace.members_prefix(room);
    let json = |user: &User| serde_json::Value::from(user.name.as_str()).to_string();
    let mut arguments = vec![
        operation.into(),
        edge.into(),
        prefix.clone(),
        keyspace.channel(room),
        keyspace.publish.into(),
        millis(PRESENCE_LIFE).to_string(),
        user.map(|user| user.id.to_string()).unwrap_or_default(),
        user.map(json).unwrap_or_default(),
        connection.into(),
        JOINED_MEMBERS.to_string(),
        flag(room.is_private()),
    ];
    arguments.extend(corrections.iter().flat_map(|correction| {
        [
            correction.user.id.to_string(),
            json(&correction.user),
            correction.held.to_string(),
            correction.connections.to_string(),
        ]
    }));
    Call::new(
        &PRESENCE,
        vec![
            keyspace.room(room, "edges"),
            format!("{prefix}{edge}"),
            keyspace.room(room, "room"),
            keyspace.room(room, "granted"),
            keyspace.room(room, "ban"),
            keyspace.room(room, "mute"),
        ],
        arguments,
    )
}

/// The answer to [`Presence::Join`] with the members of the room now, and to [`Presence::Leave`].
pub fn attended(reply: &[Value]) -> Result<(u64, Attended), ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("presence");
    match reply {
        [] => Err(SHAPE),
        [Value::Bytes(code), rest @ ..] => match &code[..] {
            b"forbidden" => Ok((0, Attended::Forbidden)),
            b"banned" => Ok((0, Attended::Banned(term(rest.first())))),
            _ => Err(SHAPE),
        },
        [members, rest @ ..] => {
            let members = members.number().ok_or(SHAPE)?;
            Ok((members, Attended::Counted(Box::new(view(rest)))))
        }
    }
}

/// The answer to [`Presence::Refresh`]: how many users of its own the edge has there (0 also if it
/// had expired and they are gone), and who of them may not be there any more.
pub fn refreshed(reply: &[Value]) -> Result<(u64, Vec<UserId>), ReplyError> {
    let [held, unwelcome @ ..] = reply else {
        return Err(ReplyError::Shape("presence"));
    };
    let held = held.number().ok_or(ReplyError::Shape("presence"))?;
    let ids = unwelcome
        .iter()
        .filter_map(|id| UserId::parse(id.text()?).ok());
    Ok((held, ids.collect()))
}

/// How many rows [`Presence::Correct`] put right.
pub fn corrected(reply: &[Value]) -> Result<u64, ReplyError> {
    let count = reply.get(1).and_then(Value::number);
    count.ok_or(ReplyError::Shape("presence"))
}

/// The command that reads whom an edge has in a room, its name first.
pub fn list_attendance(keyspace: &Keyspace, room: &RoomName, edge: &str) -> Vec<String> {
    vec![
        "HGETALL".into(),
        format!("{}{edge}", keyspace.members_prefix(room)),
    ]
}

/// The answer to [`list_attendance`]; what is no row of ours is passed over.
pub fn attendance(reply: &[Value]) -> Vec<Attendance> {
    reply
        .chunks_exact(2)
        .filter_map(|pair| {
            let id = UserId::parse(pair[0].text()?).ok()?;
            let (connections, name) = pair[1].text()?.split_once(' ')?;
            Some(Attendance {
                user: User {
                    id,
                    name: serde_json::from_str(name).ok()?,
                },
                connections: connections.parse().ok()?,
            })
        })
        .collect()
}

pub fn members(reply: &[Value]) -> Result<Members, ReplyError> {
    const SHAPE: ReplyError = ReplyError::Shape("presence");
    let count = reply.first().and_then(Value::number).ok_or(SHAPE)?;
    let listed = reply[1..]
        .chunks_exact(2)
        .map(|pair| {
            let id = UserId::parse(pair[0].text().ok_or(SHAPE)?)?;
            let name = pair[1]
                .text()
                .and_then(|json| serde_json::from_str(json).ok());
            Ok(User {
                id,
                name: name.ok_or(SHAPE)?,
            })
        })
        .collect::<Result<_, ReplyError>>()?;
    Ok(Members { count, listed })
}
