//! What the application's variables say (spin.toml, `[component.hub.variables]`).

use clustertalk_core::auth::{Issuers, PrivateRooms, PublishKeys};
use clustertalk_core::hub::Settings as HubSettings;
use clustertalk_core::ids::RoomName;
use clustertalk_core::limits::Limits;
use clustertalk_core::redis::Keyspace;
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

/// Reads the variables; an error names the one that is wrong.
pub fn read() -> Result<Settings, String> {
    let variable =
        |name: &str| variables::get(name).map_err(|error| format!("variable `{name}`: {error}"));
    let keyspace = Keyspace::new(variable("redis_prefix")?).map_err(|error| error.to_string())?;
    let default_rooms = variable("rooms")?
        .split(',')
        .map(|room| {
            RoomName::parse(room.trim())
                .map_err(|error| format!("variable `rooms`: {error}, got `{room}`"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let private_rooms = PrivateRooms::parse(&variable("private_rooms")?)
        .map_err(|error| format!("variable `private_rooms`: {error}"))?;
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
            private_rooms,
            issuers,
            limits,
        },
        keyspace,
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
