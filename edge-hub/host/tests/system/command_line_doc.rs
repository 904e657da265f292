//! docs/command-line.md is true, and so is the walk-through of docs/identity.md.

use super::{
    harness::{RedisServer, Site},
    transcript::{self, Programs, Values},
};

const DOCUMENT: &str = include_str!("../../../../docs/command-line.md");
const IDENTITY: &str = include_str!("../../../../docs/identity.md");

#[tokio::test]
async fn the_transcript_is_true() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let programs = Programs::new(&redis, &edge);
    let commands = transcript::run(DOCUMENT, &programs, &mut Values::default()).await;
    assert!(commands.len() >= 15);
}

#[tokio::test]
async fn a_token_of_one_s_own_making_opens_an_edge() {
    let identity = r#"[{"issuer": "dev", "audience": "chat", "algorithm": "HS256"}]"#;
    let variable = format!("SPIN_VARIABLE_IDENTITY='{identity}'");
    assert!(IDENTITY.contains(&variable), "another issuer than here");
    let secrets = r#"{"dev": "made for tests only, never for a deployment"}"#;
    let variables = [
        ("SPIN_VARIABLE_IDENTITY", identity),
        ("SPIN_VARIABLE_IDENTITY_SECRETS", secrets),
    ];
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.start(site.up_on(&redis.url()).envs(variables)).await;
    let programs = Programs::new(&redis, &edge).with(&variables);
    let commands = transcript::run(IDENTITY, &programs, &mut Values::default()).await;
    assert!(commands.len() >= 5);
}
