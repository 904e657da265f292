//! The Worker in front: which object serves a request, and the web client's files.

use crate::{
    admission::Network,
    edge::OBJECTS,
    shard::{Shard, region},
};
use worker::{Context, Env, Headers, Request, Response, Result, event};

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

/// The object for a caller.
fn shard(request: &Request, env: &Env) -> Result<Shard> {
    let shards = env.var("SHARDS").map(|shards| shards.to_string());
    let shards = shards.ok().and_then(|shards| shards.parse().ok());
    let region = request.cf().and_then(|cf| {
        let longitude = cf.coordinates().map_or(0.0, |(_, longitude)| longitude);
        region(&cf.continent()?, longitude)
    });
    let network = network(request.headers())?;
    Ok(Shard::of(network, region, shards.unwrap_or(1)))
}

/// Whence a request comes.
pub fn network(headers: &Headers) -> Result<Network> {
    let address = headers.get("cf-connecting-ip")?;
    Ok(Network::of(&address.unwrap_or_default()))
}
