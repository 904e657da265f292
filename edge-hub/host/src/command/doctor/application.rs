//! The manifest and its components.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};

use super::{
    redis_url,
    report::{Finding, Name, Report},
    settings,
};
use crate::{
    application::Application,
    command::up,
    config::{Config, ConfigError},
    redis_client::RedisCertificates,
    sandbox::{LoadError, PoolLimits, RedisPool, Sandbox},
};

/// Any request that a hub answers without Redis, if it can work at all.
const ASKED: &str = "/api/v1/config";

/// Reads the manifest.
pub fn read(config: &Config, report: &mut Report) -> Option<Application> {
    match up::application(config, &redis_url(config)) {
        Ok(application) => {
            let manifest = config.manifest.display();
            report.good(format!("{manifest} can be honoured"));
            Some(application)
        }
        Err(error) => {
            report.find(match error.downcast_ref::<ConfigError>() {
                Some(error) => settings(error),
                None => Finding::new(
                    Name::Manifest,
                    format!("{error:#}"),
                    "correct it, or give another by `--manifest`",
                ),
            });
            None
        }
    }
}

/// Whether each component may connect to the Redis that its variables name.
pub fn hosts(application: &Application, report: &mut Report) {
    for (id, component) in &application.components {
        let url = component.variables.get("redis_url");
        if let Some(url) = url
            && !component.allowed_hosts.allows(url)
        {
            let scheme = url.split(':').next().unwrap_or_default();
            report.find(Finding::new(
                Name::RedisNotAllowed,
                format!("component {id} may not connect to the Redis that it is given"),
                format!("add it to its `allowed_outbound_hosts`, such as `{scheme}://*:*`"),
            ));
        }
    }
}

/// Loads every component, and asks the hub whether it can work with its variables.
pub async fn run(config: &Config, application: &Application, report: &mut Report) {
    let pool = RedisPool::new(PoolLimits::default(), RedisCertificates::default());
    let sandbox = match Sandbox::start(application, &config.data, Arc::new(pool)).await {
        Ok(sandbox) => sandbox,
        Err(error) => return report.find(unloadable(&error)),
    };
    for component in sandbox.snapshot() {
        report.good(format!(
            "component {} runs: {}",
            component.component, component.digest
        ));
    }
    let Some(hub) = application.routes.http(ASKED) else {
        return;
    };
    let request = http::Request::get(ASKED).header("host", "localhost");
    let request = request.body(Full::new(Bytes::new()));
    let asked = match request {
        Ok(request) => sandbox.http(hub, request).await,
        Err(_) => return,
    };
    match asked {
        Ok(response) if response.status().is_server_error() => {
            let body = response.into_body().collect().await;
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let told = told["message"].as_str().unwrap_or("it does not say why");
            report.find(Finding::new(
                Name::Variables,
                format!("component {hub} refuses its variables: {told}"),
                "correct SPIN_VARIABLE_NAME or the manifest (docs/identity.md); until then nobody gets in",
            ));
        }
        Ok(_) => report.good(format!("component {hub} takes its variables")),
        Err(error) => report.find(Finding::new(
            Name::ComponentContract,
            format!("component {hub} does not answer: {error}"),
            "give a build that fits this host",
        )),
    }
}

fn unloadable(error: &LoadError) -> Finding {
    let (name, advice) = match error {
        LoadError::Imports { .. } => (
            Name::ComponentImports,
            "a component that asks for nothing can tell nothing to anybody",
        ),
        LoadError::Read { .. } | LoadError::Compile { .. } => (
            Name::ComponentBroken,
            "build it again, or correct its path in the manifest",
        ),
        LoadError::Cache(_) | LoadError::Engine(_) => (
            Name::DataFolder,
            "give a folder of this user's own by `--data`, on a machine that lets a process reserve address space",
        ),
        _ => (
            Name::ComponentContract,
            "build it for the contracts in components/wit",
        ),
    };
    Finding::new(name, error.to_string(), advice)
}
