//! `/api/v1/rooms` and what is below it but for messages, `/api/v1/direct/{user}` and
//! `/api/v1/users/{user}/kick`.

use super::{Caller, Problem, command, json_response, performer};
use crate::{clock, edge::Edge};
use clustertalk_core::{
    auth::Role,
    ids::{RoomName, UserId},
    protocol::{ErrorCode, RoomFrame, RoomSummary, ServerFrame},
    store::{Managed, RoomAction, RoomView},
};
use serde_json::{Map, Value, json};
use worker::{Method, Response, Url};

/// Rooms in one answer.
pub const LISTED_ROOMS: usize = 1_000;

/// What a path stands for; the method says what is done with it.
pub enum Path {
    Room(RoomName),
    Member(RoomName, UserId),
    Ban(RoomName, UserId),
    Mute(RoomName, UserId),
    /// Somebody in a room, or wherever he is.
    Kick(Option<RoomName>, UserId),
    Direct(UserId),
}

/// What is done by a frame of this type.
pub struct Command {
    kind: &'static str,
    room: Option<RoomName>,
    /// Whom it is about.
    user: Option<UserId>,
}

impl Path {
    /// The frame that a method stands for.
    pub fn command(self, method: &Method) -> Result<Command, Problem> {
        let (kind, room, user) = match (self, method) {
            (Self::Room(room), Method::Put) => ("create", Some(room), None),
            (Self::Room(room), Method::Patch) => ("configure", Some(room), None),
            (Self::Room(room), Method::Delete) => ("delete_room", Some(room), None),
            (Self::Room(_), _) => return Err(Problem::method("GET, HEAD, PUT, PATCH, DELETE")),
            (Self::Member(room, user), Method::Put) => ("grant", Some(room), Some(user)),
            (Self::Member(room, user), Method::Delete) => ("revoke", Some(room), Some(user)),
            (Self::Ban(room, user), Method::Put) => ("ban", Some(room), Some(user)),
            (Self::Mute(room, user), Method::Put) => ("mute", Some(room), Some(user)),
            (Self::Ban(room, user) | Self::Mute(room, user), Method::Delete) => {
                ("unban", Some(room), Some(user))
            }
            (Self::Member(..) | Self::Ban(..) | Self::Mute(..), _) => {
                return Err(Problem::method("PUT, DELETE"));
            }
            (Self::Kick(room, user), Method::Post) => ("kick", room, Some(user)),
            (Self::Kick(..), _) => return Err(Problem::method("POST")),
            (Self::Direct(user), Method::Put) => ("direct", None, Some(user)),
            (Self::Direct(_), _) => return Err(Problem::method("PUT")),
        };
        Ok(Command { kind, room, user })
    }
}

pub async fn perform(
    command: Command,
    edge: &Edge,
    caller: Caller,
    url: &Url,
    mut fields: Map<String, Value>,
) -> Result<Response, Problem> {
    let named = fields.remove("user");
    let named = named.as_ref().and_then(Value::as_str);
    let speaker = caller.speaker(named.or(super::parameter(url, "user").as_deref()))?;
    fields.insert("type".to_owned(), command.kind.into());
    fields.remove("room");
    if let Some(room) = &command.room {
        fields.insert("room".to_owned(), room.to_string().into());
    }
    if let Some(user) = &command.user {
        fields.insert("user".to_owned(), user.to_string().into());
    }
    // The command itself does not ask whether he is in a room.
    let anywhere = edge.settings.deployment.hub.default_rooms.first().cloned();
    let room = command
        .room
        .or(anywhere)
        .ok_or_else(|| Problem::new(ErrorCode::Internal))?;
    let answer = command::run(edge, speaker, room, fields).await?;
    let status = if command.kind == "create" { 201 } else { 200 };
    json_response(status, &answer)
}

/// A room as the one who asks finds it.
pub async fn look(
    edge: &Edge,
    caller: Caller,
    url: &Url,
    room: RoomName,
) -> Result<Response, Problem> {
    caller.reading(edge, &room)?;
    let speaker = caller.speaker(super::parameter(url, "user").as_deref())?;
    let view = find(edge, &room, &speaker.user.id).await?;
    let frame = ServerFrame::Room(Box::new(RoomFrame::personal(room, view)));
    json_response(200, &frame)
}

/// Refuses who may not be in the room.
pub async fn admitted(
    edge: &Edge,
    caller: &Caller,
    url: &Url,
    room: &RoomName,
) -> Result<(), Problem> {
    match caller.user(url)? {
        Some(user) => find(edge, room, &user).await.map(drop),
        None if room.is_private() => Err(Problem::forbidden(room)),
        None => Ok(()),
    }
}

async fn find(edge: &Edge, room: &RoomName, user: &UserId) -> Result<RoomView, Problem> {
    // His role by a token opens nothing.
    let performer = performer(edge);
    let found = performer.manage(room, user, Role::Member, &RoomAction::Look);
    match found.await? {
        Managed::Done(view) => Ok(*view),
        Managed::Banned(term) => Err(Problem::banned(room, term, clock::now())),
        _ => Err(Problem::forbidden(room)),
    }
}

/// The rooms that the one who asks may know of.
pub async fn list(edge: &Edge, caller: &Caller, url: &Url) -> Result<Response, Problem> {
    let user = caller.user(url)?;
    let counts = performer(edge)
        .list_rooms(user.as_ref(), LISTED_ROOMS)
        .await?;
    let defaults = &edge.settings.deployment.hub.default_rooms;
    let missing = defaults
        .iter()
        .filter(|room| counts.iter().all(|count| &count.room != *room))
        .map(|room| RoomSummary {
            room: room.clone(),
            members: 0,
            with: None,
        });
    let rooms: Vec<RoomSummary> = counts
        .iter()
        .cloned()
        .map(RoomSummary::from)
        .chain(missing)
        .filter(|summary| caller.reading(edge, &summary.room).is_ok())
        .collect();
    json_response(200, &json!({ "rooms": rooms }))
}
