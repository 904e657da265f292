//! A request as a frame: from here on it is handled like one that comes over a WebSocket.

use super::caller::Caller;
use super::{Answer, Api, Asked, Body, Head, NOBODY, Problem};
use crate::auth::Identity;
use crate::event::Event;
use crate::hub::{Connection, Hub};
use crate::ids::{RoomName, UserId};
use crate::perform::{self, ForHost, Io};
use crate::protocol::{ErrorCode, ServerFrame, deeper_than};
use serde_json::{Map, Value};

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

impl<I: Io> Api<'_, I> {
    /// The fields of a body, which is an object or nothing.
    pub(super) async fn fields(
        &self,
        head: &Head,
        body: &mut impl Body,
    ) -> Result<Map<String, Value>, Problem> {
        let limits = &self.deployment.hub.limits;
        let most = limits.frame_bytes;
        let declared = head.values("content-length").next();
        let declared =
            declared.and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
        if declared.is_some_and(|bytes| bytes > most) {
            return Err(Problem::new(ErrorCode::TooLarge));
        }
        // One that does not declare its length could fill the memory otherwise.
        let mut bytes = Vec::new();
        while let Some(piece) = body.piece().await {
            bytes.extend(piece.map_err(|_| Problem::new(ErrorCode::BadJson))?);
            if bytes.len() > most {
                return Err(Problem::new(ErrorCode::TooLarge));
            }
        }
        if bytes.is_empty() {
            return Ok(Map::new());
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Problem::because(ErrorCode::BadJson, "the body is not UTF-8"))?;
        if deeper_than(text, limits.json_depth) {
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

    /// Does what a frame of this type does, with the fields of the body and of the path.
    pub(super) async fn command(
        &self,
        kind: &str,
        asked: Asked,
        caller: Caller,
        head: &Head,
        body: &mut impl Body,
    ) -> Result<Answer, Problem> {
        let mut fields = self.fields(head, body).await?;
        let named = named(&mut fields)?.or(asked.query.user()?);
        let speaker = if matches!(kind, "read" | "report") {
            // Over a WebSocket he would have joined.
            let room = asked.room()?;
            self.reading(&caller, room)?;
            let speaker = caller.speaker(named)?;
            self.find(room, &speaker.user.id).await?;
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
        if let Some(wait) = self.performer.take(&speaker.user.id).await? {
            let error = ServerFrame::error(ErrorCode::RateLimited);
            return Err(error.retry_after(wait).into());
        }
        // The command itself does not ask whether he is in a room.
        let anywhere = self.deployment.hub.default_rooms.first().cloned();
        let room = asked.room.or(anywhere);
        let room = room.ok_or_else(|| Problem::new(ErrorCode::Internal))?;
        let answer = self.run(speaker, room, fields).await?;
        let status = if kind == "create" { 201 } else { 200 };
        Ok(Answer::json(status, &answer))
    }

    /// Handles a frame of somebody who is in `room`; answers the frame that is for him.
    pub(super) async fn run(
        &self,
        Identity { user, access }: Identity,
        room: RoomName,
        fields: Map<String, Value>,
    ) -> Result<ServerFrame, Problem> {
        let connection = Connection {
            id: NOBODY.into(),
            edge: NOBODY.into(),
            anonymous: true,
            token: None,
        };
        let settings = &self.deployment.hub;
        let mut hub = Hub::speaking(settings, connection, user, access, room, self.seed);
        let event = Event::Frame(Value::Object(fields).to_string());
        let mut answer = None;
        for effect in perform::run(&mut hub, &self.performer, self.now, event).await {
            match effect {
                ForHost::Send(ServerFrame::Error(error)) => return Err((*error).into()),
                ForHost::Send(frame) => answer = Some(frame),
                // It is done; who is not told finds out when he joins again.
                ForHost::Announce { room, frame } => {
                    let _ = self.performer.announce(&room, &frame).await;
                }
                _ => {}
            }
        }
        answer.ok_or_else(|| Problem::new(ErrorCode::Internal))
    }
}
