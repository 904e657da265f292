//! What the application's variables say (spin.toml, `[component.hub.variables]`).

use clustertalk_core::auth::{ClosedRooms, Issuers, PublishKeys};
use clustertalk_core::hub::Settings as HubSettings;
use clustertalk_core::ids::RoomName;
use clustertalk_core::limits::Limits;
use clustertalk_core::redis::Keyspace;
use clustertalk_core::store::Webhooks;
use spin_sdk::variables;

pub struct Settings {
    pub hub: HubSettings,
    pub keyspace: Keyspace,
    pub redis_url: String,
    /// Whether HTTP callers may choose their own name. For WebSockets the host says so.
    pub anonymous: bool,
    /// By which servers publish and read over HTTP.
    pub publish_keys: PublishKeys,
}

impl Settings {
    /// Whether nobody outside may know of the room: its figures would tell.
    pub fn is_unlisted(&self, room: &RoomName) -> bool {
        room.is_private() || self.hub.closed_rooms.contains(room)
    }
}

/// Reads the variables; an error names the one that is wrong.
pub fn read() -> Result<Settings, String> {
    let variable =
        |name: &str| variables::get(name).map_err(|error| format!("variable `{name}`: {error}"));
    let webhooks = variable("webhooks")?;
    let webhooks = Webhooks::parse(&webhooks).ok_or_else(|| {
        format!("variable `webhooks`: give `public`, `all` or nothing, got `{webhooks}`")
    })?;
    let keyspace = Keyspace::new(variable("redis_prefix")?).map_err(|error| error.to_string())?;
    let default_rooms = variable("rooms")?
        .split(',')
        .map(|room| {
            RoomName::parse(room.trim())
                .map_err(|error| format!("variable `rooms`: {error}, got `{room}`"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let closed_rooms = ClosedRooms::parse(&variable("closed_rooms")?)
        .map_err(|error| format!("variable `closed_rooms`: {error}"))?;
    let issuers = Issuers::parse(&variable("identity")?, &variable("identity_secrets")?)
        .map_err(|error| format!("variables `identity` and `identity_secrets`: {error}"))?;
    let publish_keys = PublishKeys::parse(&variable("publish_keys")?)
        .map_err(|error| format!("variable `publish_keys`: {error}"))?;
    let limits: Limits = serde_json::from_str(&variable("limits")?)
        .map_err(|error| format!("variable `limits`: {error}"))?;
    limits
        .check()
        .map_err(|error| format!("variable `limits`: {error}"))?;
    Ok(Settings {
        hub: HubSettings {
            default_rooms,
            closed_rooms,
            issuers,
            limits,
        },
        keyspace: keyspace.with_webhooks(webhooks),
        redis_url: variable("redis_url")?,
        anonymous: variable("anonymous")? == "true",
        publish_keys,
    })
}

/// Unpredictable bytes, for salts.
pub fn seed() -> [u8; 16] {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).expect("WASI always has random bytes");
    seed
}
