//! A request as a frame: from here on it is handled like one that comes over a WebSocket.

use super::{Problem, performer};
use crate::{
    clock,
    edge::{Edge, random},
};
use clustertalk_core::{
    auth::Identity,
    event::Event,
    hub::{Connection, Hub},
    ids::RoomName,
    perform::{self, ForHost},
    protocol::{ErrorCode, ServerFrame},
};
use serde_json::{Map, Value};

/// Handles a frame of somebody who is in `room`; answers the frame that is for him.
pub async fn run(
    edge: &Edge,
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
    let performer = performer(edge);
    let hub = &edge.settings.deployment.hub;
    let mut hub = Hub::speaking(hub, connection, user, access, room, random());
    let event = Event::Frame(Value::Object(fields).to_string());
    let mut answer = None;
    for effect in perform::run(&mut hub, &performer, clock::now(), event).await {
        match effect {
            ForHost::Send(ServerFrame::Error(error)) => return Err((*error).into()),
            ForHost::Send(frame) => answer = Some(frame),
            // It is done; who is not told finds out when he joins again.
            ForHost::Announce { room, frame } => drop(performer.announce(&room, &frame).await),
            _ => {}
        }
    }
    answer.ok_or_else(|| Problem::new(ErrorCode::Internal))
}
