//! `clustertalk token`: a token for development, of which the edge says that it counts.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, anyhow, bail};
use clustertalk_core::{
    auth::{Issuers, Role, TokenWish},
    time::{Timestamp, millis},
};
use serde_json::json;

use super::{application_without_edge, edge_client::secret, output::print};
use crate::config::{Token, TokenRole};

pub fn run(token: &Token, variables: &BTreeMap<String, String>) -> Result<()> {
    let issuers = match &token.secret_file {
        Some(file) => {
            let (Some(issuer), Some(audience)) = (&token.issuer, &token.audience) else {
                bail!("with a secret of your own, say `--issuer` and `--audience` too");
            };
            let identity =
                json!([{ "issuer": issuer, "audience": audience, "algorithm": "HS256" }]);
            let secrets = json!({ issuer.as_str(): secret(file)? });
            Issuers::parse(&identity.to_string(), &secrets.to_string())?
        }
        None if token.audience.is_some() => {
            bail!("the audience is that of `identity`; `--audience` goes with `--secret-file`")
        }
        None => configured(token, variables)?,
    };
    let wish = TokenWish {
        sub: token.user.clone(),
        name: token.name.clone(),
        role: match token.role {
            TokenRole::Member => Role::Member,
            TokenRole::Moderator => Role::Moderator,
            TokenRole::Admin => Role::Admin,
        },
        rooms: token
            .rooms
            .iter()
            .map(|room| room.trim().to_owned())
            .collect(),
        lifetime: token.expires_in,
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let now = Timestamp::from_millis(millis(since));
    let made = issuers.mint(token.issuer.as_deref(), &wish, now);
    // Its sentence has its cause in it.
    let made = made.map_err(|error| anyhow!("{error}"))?;
    print(&(made + "\n"))
}

/// The issuers of the application, as an edge reads them.
fn configured(token: &Token, variables: &BTreeMap<String, String>) -> Result<Issuers> {
    let mut values = variables.clone();
    if token.manifest.exists() {
        values = application_without_edge(&token.manifest, variables)?.variables;
    }
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    Issuers::parse(value("identity"), value("identity_secrets"))
        .context("the variables `identity` and `identity_secrets`")
}
