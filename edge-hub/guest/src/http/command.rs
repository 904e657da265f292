//! A request as a frame: from here on it is handled like one that comes over a WebSocket.

use super::Asked;
use super::answer::{Answer, Problem};
use super::caller::Caller;
use crate::perform::{ForHost, Performer};
use crate::settings::{self, Settings};
use clustertalk_core::auth::Identity;
use clustertalk_core::event::Event;
use clustertalk_core::hub::{Connection, Hub};
use clustertalk_core::ids::{RoomName, UserId};
use clustertalk_core::protocol::{ErrorCode, ServerFrame, deeper_than};
use futures::StreamExt;
use serde_json::{Map, Value};
use spin_sdk::http::IncomingRequest;

/// The fields of a body, which is an object or nothing.
pub async fn fields(
    request: IncomingRequest,
    settings: &Settings,
) -> Result<Map<String, Value>, Problem> {
    let most = settings.hub.limits.frame_bytes;
    let length = request.headers().get("content-length");
    let declared = length
        .first()
        .and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > most) {
        return Err(Problem::new(ErrorCode::TooLarge));
    }
    // One that does not declare its length could fill the memory otherwise.
    let mut chunks = request.into_body_stream();
    let mut body = Vec::new();
    while let Some(chunk) = chunks.next().await {
        body.extend(chunk.map_err(|_| Problem::new(ErrorCode::BadJson))?);
        if body.len() > most {
            return Err(Problem::new(ErrorCode::TooLarge));
        }
    }
    if body.is_empty() {
        return Ok(Map::new());
    }
    let text = std::str::from_utf8(&body)
        .map_err(|_| Problem::because(ErrorCode::BadJson, "the body is not UTF-8"))?;
    if deeper_than(text, settings.hub.limits.json_depth) {
        return Err(Problem::new(ErrorCode::TooDeep));
    }
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::because(
            ErrorCode::BadFrame,
            "the body is not an object",
        )),
        Err(error) => Err(Problem::because(ErrorCode::BadJson, &error.to_string())),
    }
}

/// Who asks, as a body says that may name him: its field `user`, which is taken out.
pub fn named(fields: &mut Map<String, Value>) -> Result<Option<UserId>, Problem> {
    match fields.remove("user") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(user)) => UserId::parse(user)
            .map(Some)
            .map_err(|_| Problem::new(ErrorCode::BadUser)),
        Some(_) => Err(Problem::because(
            ErrorCode::BadFrame,
            "`user` is not a string",
        )),
    }
}

/// Does what a frame of this type does, with the fields of the body and of the path.
pub async fn perform(
    kind: &str,
    asked: Asked,
    performer: &Performer<'_>,
    settings: &Settings,
    caller: Caller,
    request: IncomingRequest,
) -> Result<Answer, Problem> {
    let mut fields = fields(request, settings).await?;
    let named = named(&mut fields)?.or(asked.query.user()?);
    let speaker = if kind == "read" {
        // Over a WebSocket he would have joined.
        let room = asked.room()?;
        caller.reading(settings, room)?;
        let speaker = caller.speaker(named)?;
        super::rooms::find(performer, room, &speaker.user.id)?;
        speaker
    } else {
        caller.speaker(named)?
    };
    fields.insert("type".to_owned(), kind.into());
    fields.remove("room");
    if let Some(room) = &asked.room {
        fields.insert("room".to_owned(), room.to_string().into());
    }
    if let Some(user) = &asked.about {
        fields.insert("user".to_owned(), user.to_string().into());
    }
    // No connection of his keeps a rate.
    if let Some(wait) = performer.take(&speaker.user.id)? {
        let error = ServerFrame::error(ErrorCode::RateLimited);
        return Err(error.retry_after(wait).into());
    }
    // The command itself does not ask whether he is in a room.
    let anywhere = settings.hub.default_rooms.first().cloned();
    let room = asked.room.or(anywhere);
    let room = room.ok_or_else(|| Problem::new(ErrorCode::Internal))?;
    let answer = run(performer, settings, speaker, room, fields)?;
    let status = if kind == "create" { 201 } else { 200 };
    Ok(Answer::json(status, &answer))
}

/// Handles a frame of somebody who is in `room`; answers the frame that is for him.
pub fn run(
    performer: &Performer<'_>,
    settings: &Settings,
    Identity { user, access }: Identity,
    room: RoomName,
    fields: Map<String, Value>,
) -> Result<ServerFrame, Problem> {
    let connection = Connection {
        id: "http".into(),
        edge: "http".into(),
        anonymous: true,
        token: None,
    };
    let mut hub = Hub::speaking(
        &settings.hub,
        connection,
        user,
        access,
        room,
        settings::seed(),
    );
    let event = Event::Frame(Value::Object(fields).to_string());
    let mut answer = None;
    for effect in crate::run(&mut hub, performer, super::now(), event) {
        match effect {
            ForHost::Send(ServerFrame::Error(error)) => return Err((*error).into()),
            ForHost::Send(frame) => answer = Some(frame),
            // It is done; who is not told finds out when he joins again.
            ForHost::Announce { room, frame } => drop(performer.announce(&room, &frame)),
            _ => {}
        }
    }
    answer.ok_or_else(|| Problem::new(ErrorCode::Internal))
}
