//! The Worker in front: which object serves a request, and the web client's files.

use crate::{admission::Network, edge::OBJECTS};
use worker::{Context, Env, Request, Response, Result, event};

/// The binding of the web client's files.
const ASSETS: &str = "ASSETS";

#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> Result<Response> {
    let path = request.path();
    let is_ours =
        matches!(path.as_str(), "/ws" | "/healthz" | "/readyz") || path.starts_with("/api/");
    if !is_ours {
        return env.assets(ASSETS)?.fetch_request(request).await;
    }
    let shard = shard(&request, &env)?;
    let edges = env.durable_object(OBJECTS)?;
    let edge = match shard.hint {
        Some(hint) => edges.get_by_name_with_location_hint(&shard.name, hint)?,
        None => edges.get_by_name(&shard.name)?,
    };
    edge.fetch_with_request(request).await
}

struct Shard {
    name: String,
    hint: Option<&'static str>,
}

/// Objects of one region share its connections by a hash of the caller's address: so a client that
/// comes back finds the object that has its rooms open, and a region grows by `SHARDS`.
fn shard(request: &Request, env: &Env) -> Result<Shard> {
    let shards = env.var("SHARDS").map(|shards| shards.to_string());
    let shards: u64 = shards
        .ok()
        .and_then(|shards| shards.parse().ok())
        .unwrap_or(1);
    let region = request.cf().and_then(|cf| {
        let longitude = cf.coordinates().map_or(0.0, |(_, longitude)| longitude);
        region(&cf.continent()?, longitude)
    });
    let network = Network::of_client(request.headers())?;
    let number = fnv1a(&network.bytes()) % shards.max(1);
    let name = format!("{}-{number}", region.unwrap_or("any"));
    Ok(Shard { name, hint: region })
}

/// The location hint for a caller on this continent, at this longitude.
fn region(continent: &str, longitude: f32) -> Option<&'static str> {
    Some(match continent {
        "NA" if longitude < -100.0 => "wnam",
        "NA" => "enam",
        "SA" => "sam",
        "EU" if longitude > 20.0 => "eeur",
        "EU" => "weur",
        "AS" if longitude < 60.0 => "me",
        "AS" => "apac",
        "OC" => "oc",
        "AF" => "afr",
        _ => return None,
    })
}

/// FNV-1a, 64 bits: the same in every build, which std's hashers do not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_everybody() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn a_caller_is_served_nearby() {
        assert_eq!(region("EU", 13.4), Some("weur"));
        assert_eq!(region("EU", 30.5), Some("eeur"));
        assert_eq!(region("NA", -122.4), Some("wnam"));
        assert_eq!(region("AS", 55.3), Some("me"));
        assert_eq!(region("T1", 0.0), None);
    }
}
