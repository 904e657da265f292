//! `/api/v1/rooms` and what is below it but for messages, `/api/v1/direct/{user}` and
//! `/api/v1/users/{user}/kick`.

use super::Route;
use super::answer::{Answer, Problem};
use super::caller::Caller;
use super::command::{self, speaker};
use crate::perform::Performer;
use crate::settings::Settings;
use clustertalk_core::auth::Role;
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::protocol::{ErrorCode, RoomFrame, RoomSummary, ServerFrame};
use clustertalk_core::store::{Managed, RoomAction, RoomView};
use serde_json::json;
use spin_sdk::http::{IncomingRequest, Method};

/// Rooms in one answer of `GET /api/v1/rooms`.
pub const LISTED_ROOMS: usize = 1_000;

/// What is done by a frame of this type.
pub struct Command {
    kind: &'static str,
    room: Option<RoomName>,
    /// Whom it is about.
    user: Option<UserId>,
}

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

impl Path {
    pub fn route(self, method: &Method) -> Result<Route, Problem> {
        let (kind, room, user) = match (self, method) {
            (Self::Room(room), Method::Get | Method::Head) => return Ok(Route::Room(room)),
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
        Ok(Route::Manage(Command { kind, room, user }))
    }
}

pub async fn perform(
    command: Command,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: Caller,
    query: &str,
    request: IncomingRequest,
) -> Result<Answer, Problem> {
    let mut fields = command::fields(request, settings).await?;
    let named = fields.remove("user");
    let named = named.as_ref().and_then(serde_json::Value::as_str);
    let speaker = speaker(caller, named.or(super::parameter(query, "user").as_deref()))?;
    fields.insert("type".to_owned(), command.kind.into());
    fields.remove("room");
    if let Some(room) = &command.room {
        fields.insert("room".to_owned(), room.to_string().into());
    }
    if let Some(user) = &command.user {
        fields.insert("user".to_owned(), user.to_string().into());
    }
    // The command itself does not ask whether he is in a room.
    let anywhere = settings.hub.default_rooms.first().cloned();
    let room = command
        .room
        .or(anywhere)
        .ok_or_else(|| Problem::new(ErrorCode::Internal))?;
    let answer = command::run(performer, settings, speaker, room, fields)?;
    let status = if command.kind == "create" { 201 } else { 200 };
    Ok(Answer::json(status, &answer))
}

/// A room as the one who asks finds it.
pub fn look(
    performer: &Performer<'_>,
    settings: &Settings,
    caller: Caller,
    query: &str,
    room: RoomName,
) -> Result<Answer, Problem> {
    caller.reading(settings, &room)?;
    let user = speaker(caller, super::parameter(query, "user").as_deref())?
        .user
        .id;
    let view = find(performer, &room, &user)?;
    let frame = ServerFrame::Room(Box::new(RoomFrame::personal(room, view)));
    Ok(Answer::json(200, &frame))
}

/// Refuses who may not be in the room.
pub fn admitted(
    performer: &Performer<'_>,
    caller: &Caller,
    query: &str,
    room: &RoomName,
) -> Result<(), Problem> {
    match caller.user(query)? {
        Some(user) => find(performer, room, &user).map(drop),
        None if room.is_private() => Err(Problem::forbidden(room.clone())),
        None => Ok(()),
    }
}

fn find(performer: &Performer<'_>, room: &RoomName, user: &UserId) -> Result<RoomView, Problem> {
    // His role by a token opens nothing.
    match performer.manage(room, user, Role::Member, &RoomAction::Look)? {
        Managed::Done(view) => Ok(*view),
        Managed::Banned(term) => Err(Problem::banned(room.clone(), term, super::now())),
        _ => Err(Problem::forbidden(room.clone())),
    }
}

/// The rooms that the one who asks may know of.
pub fn list(
    performer: &Performer<'_>,
    settings: &Settings,
    caller: &Caller,
    query: &str,
) -> Result<Answer, Problem> {
    let user = caller.user(query)?;
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
    let rooms: Vec<RoomSummary> = counts
        .iter()
        .cloned()
        .map(RoomSummary::from)
        .chain(missing)
        .filter(|summary| caller.reading(settings, &summary.room).is_ok())
        .collect();
    Ok(Answer::json(200, &json!({ "rooms": rooms })))
}
