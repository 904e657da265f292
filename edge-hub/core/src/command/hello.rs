//! `{"type":"hello","user":"ada","token":null,"rooms":[{"room":"general","since":{…}}]}`
//! (PROTOCOL.md, "hello")

use super::Pending as Command;
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::hub::session::{Bucket, Live, Session};
use crate::ids::{User, UserId};
use crate::limits::WELCOME_ROOMS;
use crate::protocol::{CloseCode, ErrorCode, JoinRoom, RoomSummary, ServerFrame, Welcome};
use crate::store::RoomCount;
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    user: User,
    rooms: Vec<JoinRoom>,
}

pub fn start(
    hub: &mut Hub<'_>,
    user: Option<UserId>,
    token: Option<String>,
    rooms: Option<Vec<JoinRoom>>,
    reference: Option<String>,
) {
    if !hub.connection.anonymous || token.is_some() || hub.connection.token.is_some() {
        // Tokens are not read yet, and a client that brings one must not be taken for anonymous.
        hub.send(ServerFrame::Error(Box::new(super::error(
            ErrorCode::Unauthorized,
            reference,
        ))));
        hub.close(CloseCode::Unauthorized);
        return;
    }
    let Some(id) = user else {
        hub.refuse(super::error(ErrorCode::BadUser, reference));
        return;
    };
    let user = User {
        name: id.to_string(),
        id,
    };
    let rooms = rooms.unwrap_or_else(|| {
        let first = hub.settings.default_rooms.first();
        first
            .map(|room| JoinRoom {
                room: room.clone(),
                since: None,
            })
            .into_iter()
            .collect()
    });
    hub.session = Session::Live(Live {
        user: user.clone(),
        rooms: Vec::new(),
        bucket: Bucket::default(),
        typed_at: Timestamp::default(),
        read_at: Timestamp::default(),
        refused: 0,
    });
    hub.emit(Effect::Identify(user.clone()));
    hub.pending = Some(Command::Hello(Pending { user, rooms }));
    hub.emit(Effect::ListRooms);
}

pub fn rooms_listed(hub: &mut Hub<'_>, rooms: Result<Vec<RoomCount>, NoAnswer>) {
    let Some(Command::Hello(pending)) = hub.pending.take() else {
        return;
    };
    // Without Redis the client still gets in; joining will tell it.
    let counts = rooms.unwrap_or_default();
    let defaults = &hub.settings.default_rooms;
    let members = |room| {
        counts
            .iter()
            .find(|count| &count.room == room)
            .map_or(0, |count| count.members)
    };
    let listed = defaults.iter().map(|room| RoomSummary {
        room: room.clone(),
        members: members(room),
    });
    let others = counts
        .iter()
        .filter(|count| !defaults.contains(&count.room))
        .map(|count| RoomSummary {
            room: count.room.clone(),
            members: count.members,
        });
    let welcome = Welcome {
        session: hub.connection.id.clone(),
        user: pending.user,
        edge: hub.connection.edge.clone(),
        limits: (&hub.settings.limits).into(),
        rooms: listed.chain(others).take(WELCOME_ROOMS).collect(),
    };
    hub.send(ServerFrame::Welcome(Box::new(welcome)));
    super::join::all(hub, pending.rooms, None);
}
