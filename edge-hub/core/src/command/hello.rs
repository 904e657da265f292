//! `{"type":"hello","user":"ada","token":null,"rooms":[{"room":"general","since":{…}}]}`
//! (PROTOCOL.md, "hello")

use super::Pending as Command;
use super::token::Purpose;
use crate::auth::{Access, Identity, Role};
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::hub::session::{Bucket, Live, Session};
use crate::ids::{User, UserId};
use crate::limits::WELCOME_ROOMS;
use crate::protocol::{
    CloseCode, ErrorCode, ErrorFrame, JoinRoom, RoomSummary, ServerFrame, Welcome,
};
use crate::store::RoomCount;
use crate::time::Timestamp;

/// For operators: this edge lets nobody in.
const UNCONFIGURED: &str = "neither issuers of tokens (the variable `identity`) nor chosen names (`anonymous`) are configured here";

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    user: User,
    rooms: Vec<JoinRoom>,
    reference: Option<String>,
}

pub fn start(
    hub: &mut Hub<'_>,
    now: Timestamp,
    user: Option<UserId>,
    token: Option<String>,
    rooms: Option<Vec<JoinRoom>>,
    reference: Option<String>,
) {
    // A client that brings a token must not be taken for anonymous, whatever becomes of it.
    if let Some(token) = token.or_else(|| hub.connection.token.clone()) {
        let purpose = Purpose::Hello { rooms };
        return super::token::prove(hub, now, token, purpose, reference);
    }
    if !hub.connection.anonymous {
        let error = super::error(ErrorCode::Unauthorized, reference);
        let error = if hub.settings.issuers.is_empty() {
            error.because(UNCONFIGURED)
        } else {
            error
        };
        return turn_away(hub, error, CloseCode::Unauthorized);
    }
    let Some(id) = user else {
        hub.refuse(super::error(ErrorCode::BadUser, reference));
        return;
    };
    let user = User {
        name: id.to_string(),
        id,
    };
    let access = Access::default();
    admit(hub, now, Identity { user, access }, rooms, reference);
}

/// Lets somebody in whose identity is settled.
pub fn admit(
    hub: &mut Hub<'_>,
    now: Timestamp,
    Identity { user, access }: Identity,
    rooms: Option<Vec<JoinRoom>>,
    reference: Option<String>,
) {
    hub.session = Session::Live(Live {
        user: user.clone(),
        access,
        rooms: Vec::new(),
        bucket: Bucket::default(),
        typed_at: Timestamp::default(),
        read_at: Timestamp::default(),
        refused: 0,
    });
    let rooms = rooms.unwrap_or_else(|| {
        let mut defaults = hub.settings.default_rooms.iter();
        let first = defaults.find(|room| hub.may_read(room)).cloned();
        first
            .map(|room| JoinRoom { room, since: None })
            .into_iter()
            .collect()
    });
    hub.emit(Effect::Identify(user.clone()));
    hub.await_expiry(now);
    hub.pending = Some(Command::Hello(Pending {
        user: user.clone(),
        rooms,
        reference,
    }));
    hub.emit(Effect::ListRooms { user: user.id });
}

/// Answers a hello that lets nobody in.
pub fn turn_away(hub: &mut Hub<'_>, error: ErrorFrame, code: CloseCode) {
    hub.send(ServerFrame::Error(Box::new(error)));
    hub.close(code);
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
        with: None,
    });
    let (private, public): (Vec<_>, Vec<_>) = counts
        .iter()
        .filter(|count| !defaults.contains(&count.room))
        .cloned()
        .partition(|count| count.room.is_private());
    let others = private.into_iter().chain(public).map(RoomSummary::from);
    let rooms = listed
        .chain(others)
        .filter(|summary| hub.may_read(&summary.room))
        .take(WELCOME_ROOMS);
    let expires_at = hub.access().and_then(Access::expires_at);
    let welcome = Welcome {
        session: hub.connection.id.clone(),
        user: pending.user,
        edge: hub.connection.edge.clone(),
        limits: (&hub.settings.limits).into(),
        rooms: rooms.collect(),
        role: Some(hub.role()).filter(|role| *role != Role::Member),
        expires_at,
    };
    hub.send(ServerFrame::Welcome(Box::new(welcome)));
    super::join::all(hub, pending.rooms, pending.reference);
}
