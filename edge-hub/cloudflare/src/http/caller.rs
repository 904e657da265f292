//! Who asks over HTTP, and what he may do: `Authorization: Bearer` with a token or a server's key.

use super::{Problem, parameter, performer};
use crate::{clock, edge::Edge};
use clustertalk_core::{
    auth::{Access, Identity, PublishKeys, Step, Verification},
    ids::{RoomName, User, UserId},
    protocol::ErrorCode,
};
use worker::{Request, Url};

pub enum Caller {
    /// The bearer of a token.
    User(Identity),
    /// Says itself for whom it speaks: a server with a key, or anybody in development.
    Spokesman(Access),
}

impl Caller {
    /// # Errors
    /// Whoever brings something that does not count is never taken for one who brings nothing.
    pub async fn of(edge: &Edge, request: &Request) -> Result<Self, Problem> {
        let deployment = &edge.settings.deployment;
        let Some(header) = request.headers().get("authorization")? else {
            if deployment.anonymous {
                return Ok(Self::Spokesman(Access::default()));
            }
            return Err(Problem::new(ErrorCode::Unauthorized));
        };
        let unauthorized = |reason| Problem::because(ErrorCode::Unauthorized, reason);
        let credential = bearer(&header).ok_or_else(|| unauthorized("not a bearer's"))?;
        if PublishKeys::is_key(credential) {
            let access = deployment.publish_keys.access(credential);
            let access = access.ok_or_else(|| unauthorized("the key is not known here"))?;
            return Ok(Self::Spokesman(access));
        }
        let (issuers, now) = (&deployment.hub.issuers, clock::now());
        let mut verification = Verification::new(credential.to_owned());
        let mut step = verification.begin(now, issuers);
        loop {
            step = match step {
                Step::LoadKeys { url, refresh } => {
                    let keys = performer(edge).load_keys(now, &url, refresh).await?;
                    verification.keys_loaded(now, issuers, &keys)
                }
                Step::Proved(identity) => return Ok(Self::User(*identity)),
                Step::Refused(error) => return Err(error.frame().into()),
            }
        }
    }

    pub fn access(&self) -> &Access {
        match self {
            Self::User(identity) => &identity.access,
            Self::Spokesman(access) => access,
        }
    }

    /// Who asks: the bearer of a token, or whom a server or, in development, anybody names by
    /// `?user=`; `None` if he does not.
    pub fn user(&self, url: &Url) -> Result<Option<UserId>, Problem> {
        match self {
            Self::User(identity) => Ok(Some(identity.user.id.clone())),
            Self::Spokesman(_) => parameter(url, "user")
                .map(|user| UserId::parse(user).map_err(|_| Problem::new(ErrorCode::BadUser)))
                .transpose(),
        }
    }

    /// Who speaks: the bearer of a token, or whom another names who speaks for him.
    pub fn speaker(self, named: Option<&str>) -> Result<Identity, Problem> {
        match self {
            Self::User(identity) => Ok(identity),
            Self::Spokesman(access) => {
                let id = named.and_then(|user| UserId::parse(user).ok());
                let id = id.ok_or_else(|| Problem::new(ErrorCode::BadUser))?;
                let name = id.to_string();
                let user = User { id, name };
                Ok(Identity { user, access })
            }
        }
    }

    pub fn reading(&self, edge: &Edge, room: &RoomName) -> Result<(), Problem> {
        let closed = &edge.settings.deployment.hub.closed_rooms;
        forbidden_unless(self.access().may_read(room, closed), room)
    }

    pub fn writing(&self, edge: &Edge, room: &RoomName) -> Result<(), Problem> {
        let closed = &edge.settings.deployment.hub.closed_rooms;
        forbidden_unless(self.access().may_write(room, closed), room)
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, credential) = header.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer")).then(|| credential.trim_start())
}

fn forbidden_unless(allowed: bool, room: &RoomName) -> Result<(), Problem> {
    if allowed {
        Ok(())
    } else {
        Err(Problem::forbidden(room))
    }
}
