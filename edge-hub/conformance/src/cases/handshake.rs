//! The upgrade at `/ws`.

use anyhow::ensure;
use serde_json::json;

use crate::{
    case::{Case, Outcome, case, refused, same},
    context::{Context, Edge, greet},
    http::Answer,
    socket::{Handshake, SUBPROTOCOL},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(subprotocol_is_answered, "Handshake", "`GET /ws` with `Sec-WebSocket-Protocol: clustertalk.v1`"),
    case!(missing_subprotocol_is_refused, "Handshake", "Without the subprotocol the answer is 400 with the error `bad_upgrade`."),
    case!(other_subprotocol_is_refused, "Handshake", "Without the subprotocol the answer is 400 with the error `bad_upgrade`."),
    case!(foreign_origin_is_refused, "Handshake", "A page whose origin is not allowed gets 403 with `bad_origin`"),
    case!(compression_is_not_negotiated, "Handshake", "Compression is not negotiated."),
    case!(token_travels_in_the_handshake, "Handshake", "a token may follow as a second value, `bearer.TOKEN`", Tokens),
    case!(bad_token_in_the_handshake_lets_nobody_in, "Identity", "a client that brings one which does not count is never taken for one that brings none"),
];

async fn subprotocol_is_answered(c: Context) -> Outcome {
    let offers = ["clustertalk.v1", "other, clustertalk.v1"];
    for protocols in offers {
        let handshake = Handshake {
            protocols,
            ..Handshake::default()
        };
        let (_, headers) = c.dial(Edge::First, "ada", &handshake).await?;
        let chosen = headers.get("sec-websocket-protocol");
        ensure!(
            chosen.is_some_and(|chosen| chosen == SUBPROTOCOL),
            "to `{protocols}` the answer is {chosen:?}"
        );
    }
    Ok(())
}

/// A handshake as it stands.
async fn upgrade(c: &Context, headers: &[(&'static str, &str)]) -> anyhow::Result<Answer> {
    let mut all = vec![
        ("connection", "Upgrade".to_owned()),
        ("upgrade", "websocket".to_owned()),
        ("sec-websocket-version", "13".to_owned()),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
    ];
    all.extend(
        headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    c.request("GET", "/ws", all, String::new()).await
}

async fn missing_subprotocol_is_refused(c: Context) -> Outcome {
    upgrade(&c, &[]).await?.refuses(400, "bad_upgrade")?;
    Ok(())
}

async fn other_subprotocol_is_refused(c: Context) -> Outcome {
    for other in ["graphql-ws", "clustertalk.v2", "clustertalk.v11"] {
        let answer = upgrade(&c, &[("sec-websocket-protocol", other)]).await?;
        answer.refuses(400, "bad_upgrade")?;
    }
    Ok(())
}

async fn foreign_origin_is_refused(c: Context) -> Outcome {
    for origin in ["https://evil.example", "null"] {
        let headers = [("sec-websocket-protocol", SUBPROTOCOL), ("origin", origin)];
        upgrade(&c, &headers).await?.refuses(403, "bad_origin")?;
    }
    Ok(())
}

async fn compression_is_not_negotiated(c: Context) -> Outcome {
    let handshake = Handshake {
        headers: &[("sec-websocket-extensions", "permessage-deflate")],
        ..Handshake::default()
    };
    let (mut socket, headers) = c.dial(Edge::First, "ada", &handshake).await?;
    let extensions = headers.get("sec-websocket-extensions");
    ensure!(extensions.is_none(), "negotiated: {extensions:?}");
    greet(&mut socket, &c.user("ada")?, json!([])).await?;
    Ok(())
}

async fn token_travels_in_the_handshake(c: Context) -> Outcome {
    let ada = c.user("ada")?;
    let bearer = ada
        .bearer()
        .unwrap_or_default()
        .replace("Bearer ", "bearer.");
    let protocols = &format!("{SUBPROTOCOL}, {bearer}");
    let handshake = Handshake {
        protocols,
        ..Handshake::default()
    };
    let (mut socket, headers) = c.dial(Edge::First, "ada", &handshake).await?;
    let chosen = headers.get("sec-websocket-protocol");
    ensure!(
        chosen.is_some_and(|chosen| chosen == SUBPROTOCOL),
        "chosen: {chosen:?}"
    );
    socket.send(json!({ "type": "hello", "rooms": [] })).await?;
    let welcome = socket.take("welcome").await?;
    same("the user", &welcome["user"]["id"], ada.id)
}

async fn bad_token_in_the_handshake_lets_nobody_in(c: Context) -> Outcome {
    let protocols = &format!("{SUBPROTOCOL}, bearer.a.b.c");
    let handshake = Handshake {
        protocols,
        ..Handshake::default()
    };
    let (mut socket, _) = c.dial(Edge::First, "ada", &handshake).await?;
    socket
        .send(json!({ "type": "hello", "user": c.id("ada"), "rooms": [] }))
        .await?;
    refused(&socket.take("error").await?, "unauthorized")?;
    socket.closed_with(4002).await
}
