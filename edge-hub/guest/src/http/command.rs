//! A request as a frame: from here on it is handled like one that comes over a WebSocket.

use super::answer::Problem;
use super::caller::Caller;
use crate::perform::{ForHost, Performer};
use crate::settings::{self, Settings};
use clustertalk_core::auth::Identity;
use clustertalk_core::event::Event;
use clustertalk_core::hub::{Connection, Hub};
use clustertalk_core::ids::{RoomName, User, UserId};
use clustertalk_core::protocol::{ErrorCode, ServerFrame};
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
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::because(
            ErrorCode::BadFrame,
            "the body is not an object",
        )),
        Err(error) => Err(Problem::because(ErrorCode::BadJson, &error.to_string())),
    }
}

/// Who speaks: the bearer of a token, or whom another names who speaks for him.
pub fn speaker(caller: Caller, named: Option<&str>) -> Result<Identity, Problem> {
    match caller {
        Caller::User(identity) => Ok(identity),
        Caller::Spokesman(access) => {
            let id = named.and_then(|user| UserId::parse(user).ok());
            let id = id.ok_or_else(|| Problem::new(ErrorCode::BadUser))?;
            let name = id.to_string();
            let user = User { id, name };
            Ok(Identity { user, access })
        }
    }
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
    for effect in performer.run(&mut hub, super::now(), event) {
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
