//! Moderators by their tokens.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    client::Client,
    harness::{Edge, RedisServer, Site},
    http_client::request,
};

/// For tests only.
pub const SECRET: &str = "made for tests only, never for a deployment";

/// A token of the issuer `shop`.
fn token(user: &str, role: Option<&str>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let exp = now.expect("a clock").as_secs() + 600;
    let claims = json!({ "iss": "shop", "aud": "chat", "exp": exp, "sub": user, "role": role });
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    sign(&header.to_string(), &claims.to_string(), SECRET)
}

/// A token with this header and these claims, signed with HS256 whatever they say.
pub fn sign(header: &str, claims: &str, secret: &str) -> String {
    let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
    let signed = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(claims.as_bytes())
    );
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    let signature = mac.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", encode(&signature))
}

async fn edge(redis: &RedisServer) -> Edge {
    let identity = json!([{ "issuer": "shop", "audience": "chat", "algorithm": "HS256" }]);
    let secrets = json!({ "shop": SECRET });
    let site = Site::with(&[
        ("identity", &identity.to_string()),
        ("identity_secrets", &secrets.to_string()),
    ]);
    site.edge_with(redis, &["--allow-anonymous"]).await
}

#[tokio::test]
async fn a_moderator_deletes_what_another_wrote() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let mut bob = Client::join_with(edge.address, &token("bob", None), "general").await;
    let mut cyd = Client::join_with(edge.address, &token("cyd", None), "general").await;
    let moderator = token("mia", Some("moderator"));
    let mut mia = Client::join_with(edge.address, &moderator, "general").await;
    bob.store("general", "b1", "something to regret").await;
    let delete = |id: &str| {
        let target = json!({ "user": "bob", "id": "b1" });
        json!({ "type": "delete", "room": "general", "id": id, "target": target })
    };
    cyd.send(delete("c1")).await;
    assert_eq!(cyd.answer("c1").await["code"], "forbidden");
    mia.send(delete("m1")).await;
    assert_eq!(mia.answer("m1").await["type"], "ack");
    let changed = bob.take("changed").await;
    assert_eq!(
        (
            &changed["change"],
            &changed["user"]["id"],
            &changed["target"]["id"]
        ),
        (&json!("delete"), &json!("mia"), &json!("b1"))
    );
    let bearer = format!("Bearer {}", token("cyd", None));
    let path = "/api/v1/rooms/general/messages";
    let read = request(edge.address, "GET", path, &[("authorization", &bearer)], "").await;
    assert!(!read.text.contains("regret"), "{}", read.text);
}

#[tokio::test]
async fn a_moderator_acts_in_every_public_room_and_ends_connections() {
    let redis = RedisServer::start().await;
    let edge = edge(&redis).await;
    let mut bob = Client::join_with(edge.address, &token("bob", None), "general").await;
    let moderator = token("mia", Some("moderator"));
    let mut mia = Client::join_with(edge.address, &moderator, "tech").await;
    mia.get_done(json!({ "type": "configure", "room": "general", "topic": "Be kind" }))
        .await;
    assert_eq!(bob.take("room").await["topic"], "Be kind");
    let archive = json!({ "type": "configure", "room": "general", "archived": true });
    assert_eq!(
        mia.ask(archive).await["code"],
        "forbidden",
        "that is an owner's"
    );

    // A name that was chosen is nobody's to speak for a moderator.
    let kick = "/api/v1/users/bob/kick";
    let asked = edge.send("POST", kick, &json!({ "user": "mia" })).await;
    assert_eq!(asked.refusal(), (403, "forbidden".into()));
    let bearer = format!("Bearer {moderator}");
    let kicked = request(
        edge.address,
        "POST",
        kick,
        &[("authorization", &bearer)],
        "",
    )
    .await;
    assert_eq!(kicked.json(), json!({ "type": "done" }), "{}", kicked.text);
    assert_eq!(bob.closed().await, 4006);
    let rest: Vec<Value> = mia.told().await;
    assert!(
        rest.iter().all(|frame| frame["type"] != "error"),
        "{rest:?}"
    );
}
