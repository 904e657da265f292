//! The issuers whose tokens count, as the edge will find them. What their configuration must be the
//! application itself says; here it is only looked whether their keys can be had.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::report::{Finding, Name, Report};
use crate::{
    application::Application,
    http_client::{connect, host},
};

/// As long and as much as an edge takes from an issuer.
const PATIENCE: Duration = Duration::from_millis(2_500);
const SET_BYTES: usize = 64 * 1024;

/// What matters here of an entry of `identity`.
#[derive(Deserialize)]
struct Issuer {
    issuer: String,
    algorithm: String,
    jwks: Option<KeySet>,
    jwks_url: Option<String>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

pub async fn examine(application: &Application, report: &mut Report) {
    let components = application.components.values();
    for component in components {
        let Some(identity) = component.variables.get("identity") else {
            continue;
        };
        // What is of another form the component refuses, with a sentence of its own.
        let issuers: Vec<Issuer> = serde_json::from_str(identity).unwrap_or_default();
        let anonymous = component.variables.get("anonymous");
        if !issuers.is_empty() && anonymous.is_some_and(|anonymous| anonymous == "true") {
            report.find(Finding::new(
                Name::AnonymousBesideTokens,
                "names may be chosen beside tokens, so anybody can take the name of a token's bearer",
                "leave out `allow-anonymous`",
            ));
        }
        for issuer in issuers {
            let set = match (&issuer.jwks_url, issuer.jwks) {
                (Some(url), _) if !component.allowed_hosts.allows(url) => {
                    report.find(Finding::new(
                        Name::IssuerNotAllowed,
                        format!("{url} has the keys of {}, and the application may not connect to it", issuer.issuer),
                        "set SPIN_VARIABLE_IDENTITY_HOST to its scheme and host, or add it to `allowed_outbound_hosts`",
                    ));
                    continue;
                }
                (Some(url), _) => match timeout(PATIENCE, load(url)).await {
                    Ok(Ok(set)) => set,
                    failed => {
                        let reason = match failed {
                            Ok(Err(error)) => format!("{error:#}"),
                            _ => format!("no answer in {} ms", PATIENCE.as_millis()),
                        };
                        report.find(Finding::new(
                            Name::IssuerUnreachable,
                            format!("no keys of {} come from {url}: {reason}", issuer.issuer),
                            "correct `jwks_url`, or let this machine reach it",
                        ));
                        continue;
                    }
                },
                (None, Some(set)) => set,
                // By a secret.
                (None, None) => continue,
            };
            let fits = |key: &&Value| is_of(key, &issuer.algorithm);
            match set.keys.iter().filter(fits).count() {
                0 => report.find(Finding::new(
                    Name::IssuerKeys,
                    format!(
                        "of the {} keys of {} none is for {}",
                        set.keys.len(),
                        issuer.issuer,
                        issuer.algorithm
                    ),
                    "correct `algorithm`, or let the issuer publish a key of that kind",
                )),
                count => report.good(format!(
                    "{} has {count} keys for {}",
                    issuer.issuer, issuer.algorithm
                )),
            }
        }
    }
}

/// Whether a JSON Web Key is of the kind that an algorithm signs with (RFC 7518, RFC 8037).
fn is_of(key: &Value, algorithm: &str) -> bool {
    match algorithm {
        "EdDSA" => key["kty"] == "OKP" && key["crv"] == "Ed25519",
        "ES256" => key["kty"] == "EC" && key["crv"] == "P-256",
        "RS256" => key["kty"] == "RSA",
        _ => false,
    }
}

async fn load(url: &str) -> Result<KeySet> {
    let url = Url::parse(url)?;
    let mut sender = connect(&url, None).await?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let request = Request::get(path)
        .header(header::HOST, host(&url))
        .body(Full::new(Bytes::new()))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    ensure!(status.is_success(), "the answer is {status}");
    let body = Limited::new(response.into_body(), SET_BYTES)
        .collect()
        .await;
    let body = body.map_err(anyhow::Error::from_boxed)?.to_bytes();
    serde_json::from_slice(&body).context("the answer is no set of keys")
}
