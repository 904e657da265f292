//! `{"type":"token","token":"eyJ…"}` (PROTOCOL.md, "token"): the connection goes on with a new token
//! of the same user. A `hello` with a token is proved here as well.

use super::Pending as Command;
use super::hello;
use crate::auth::{Access, Identity, KeySet, Step, TokenError, Verification};
use crate::effect::Effect;
use crate::event::NoAnswer;
use crate::hub::Hub;
use crate::ids::RoomName;
use crate::protocol::{CloseCode, ErrorCode, JoinRoom, LeftReason, Renewed, ServerFrame};
use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    verification: Verification,
    purpose: Purpose,
    reference: Option<String>,
}

/// What a token is proved for.
#[derive(Clone, Debug, PartialEq)]
pub enum Purpose {
    Hello { rooms: Option<Vec<JoinRoom>> },
    Renewal,
}

pub fn start(hub: &mut Hub<'_>, now: Timestamp, token: String, reference: Option<String>) {
    let limits = &hub.settings.limits;
    let (rate, burst) = (limits.messages_per_second, limits.burst);
    let Some(live) = hub.live() else { return };
    // A signature costs more to verify than most messages to judge.
    if let Err(wait) = live.bucket.take(now, rate, burst) {
        let error = super::error(ErrorCode::RateLimited, reference).retry_after(wait);
        return hub.send(ServerFrame::Error(Box::new(error)));
    }
    prove(hub, now, token, Purpose::Renewal, reference);
}

pub fn prove(
    hub: &mut Hub<'_>,
    now: Timestamp,
    token: String,
    purpose: Purpose,
    reference: Option<String>,
) {
    let mut verification = Verification::new(token);
    let step = verification.begin(now, &hub.settings.issuers);
    let pending = Pending {
        verification,
        purpose,
        reference,
    };
    proceed(hub, now, pending, step);
}

pub fn keys_loaded(hub: &mut Hub<'_>, now: Timestamp, keys: Result<KeySet, NoAnswer>) {
    let Some(Command::Token(mut pending)) = hub.pending.take() else {
        return;
    };
    match keys {
        Ok(keys) => {
            let issuers = &hub.settings.issuers;
            let step = pending.verification.keys_loaded(now, issuers, &keys);
            proceed(hub, now, *pending, step);
        }
        Err(NoAnswer) => {
            let error = super::error(ErrorCode::Unavailable, pending.reference);
            let error = error.retry_after(super::RETRY);
            match pending.purpose {
                // Nobody knows whether the token is good, so the client may come again.
                Purpose::Hello { .. } => hello::turn_away(hub, error, CloseCode::Internal),
                Purpose::Renewal => hub.send(ServerFrame::Error(Box::new(error))),
            }
        }
    }
}

fn proceed(hub: &mut Hub<'_>, now: Timestamp, pending: Pending, step: Step) {
    match step {
        Step::LoadKeys { url, refresh } => {
            hub.pending = Some(Command::Token(Box::new(pending)));
            hub.emit(Effect::LoadKeys { url, refresh });
        }
        Step::Proved(identity) => match pending.purpose {
            Purpose::Hello { rooms } => {
                hello::admit(hub, now, *identity, rooms, pending.reference);
            }
            Purpose::Renewal => renew(hub, now, *identity, pending.reference),
        },
        Step::Refused(error) => refuse(hub, pending, &error),
    }
}

fn refuse(hub: &mut Hub<'_>, pending: Pending, reason: &TokenError) {
    let error = reason.frame().answering(pending.reference);
    let close = match reason {
        TokenError::Expired => CloseCode::TokenExpired,
        _ => CloseCode::Unauthorized,
    };
    match pending.purpose {
        Purpose::Hello { .. } => hello::turn_away(hub, error, close),
        // The token in use goes on to count.
        Purpose::Renewal => hub.refuse(error),
    }
}

fn renew(hub: &mut Hub<'_>, now: Timestamp, identity: Identity, reference: Option<String>) {
    let Identity { user, access } = identity;
    let issuer = |access: &Access| access.proof.as_ref().map(|proof| proof.issuer.clone());
    let expires_at = access.expires_at().unwrap_or_default();
    let Some(live) = hub.live() else { return };
    if live.user.id != user.id || issuer(&live.access) != issuer(&access) {
        return hub.refuse(TokenError::AnotherUser.frame().answering(reference));
    }
    live.access = access;
    live.refused = 0;
    let joined = live.rooms.clone();
    hub.send(ServerFrame::Renewed(Renewed {
        expires_at,
        reference,
    }));
    hub.await_expiry(now);
    let closed: Vec<RoomName> = joined
        .into_iter()
        .filter(|room| !hub.may_read(room))
        .collect();
    super::leave::all(hub, closed, Some(LeftReason::Forbidden));
}
