//! What the application's variables say (spin.toml, `[component.hub.variables]`).

pub use clustertalk_core::deployment::Deployment as Settings;
use spin_sdk::variables;

/// Reads the variables; an error names the one that is wrong.
pub fn read() -> Result<Settings, String> {
    Settings::read(|name| variables::get(name).map_err(|error| error.to_string()))
}

/// Unpredictable bytes, for salts.
pub fn seed() -> [u8; 16] {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).expect("WASI always has random bytes");
    seed
}
