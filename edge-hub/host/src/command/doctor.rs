//! `clustertalk doctor`: what would go wrong, before it does.
//!
//! One module a subject; each looks at real parts (listeners, files, Redis, the components) and
//! adds to one [`Report`].

mod application;
mod certificate;
mod exposure;
mod identity;
mod machine;
mod redis;
mod report;
mod rights;
mod traces;

use anyhow::{Result, bail};

use self::report::{Finding, Report};
pub use self::report::{Level, Name};
use crate::{
    config::{Config, ConfigError, RedisUrl},
    local_redis::find_server,
};

/// Looks at everything, and prints what it found: lines, or one JSON object.
///
/// # Errors
/// There is something that must be mended.
pub async fn run(config: Result<Config, ConfigError>, json: bool) -> Result<()> {
    let mut report = Report::default();
    match &config {
        Ok(config) => examine(config, &mut report).await,
        Err(error) => report.find(settings(error)),
    }
    match json {
        true => println!("{:#}", report.json()),
        false => print!("{}", report.lines()),
    }
    match report.count(Level::Error) {
        0 => Ok(()),
        1 => bail!("1 finding must be mended"),
        errors => bail!("{errors} findings must be mended"),
    }
}

async fn examine(config: &Config, report: &mut Report) {
    machine::addresses(config, report);
    machine::files(config, report);
    let can_keep = machine::data_folder(config, report);
    if let Some(files) = &config.tls {
        certificate::examine(files, &config.origins, report).await;
    }
    exposure::examine(config, report);
    let application = application::read(config, report);
    match &config.redis {
        None => match find_server() {
            Ok(_) => report.good("no Redis is named: `clustertalk up` starts a private one"),
            Err(error) => report.find(Finding::new(
                Name::RedisMissing,
                "no Redis is named, so `clustertalk up` would start a private one",
                error.to_string(),
            )),
        },
        Some(url) => {
            let prefix = application
                .as_ref()
                .and_then(|application| application.variables.get("redis_prefix"));
            let prefix = prefix.map_or("ct", String::as_str);
            redis::examine(config, url, prefix, report).await;
        }
    }
    if let Some(application) = &application {
        application::hosts(application, report);
        identity::examine(application, report).await;
        if can_keep {
            application::run(config, application, report).await;
        }
    }
    if let Some(traces) = &config.traces {
        traces::examine(traces, report).await;
    }
}

/// Where Redis is, for what needs some address: without one, `up` starts a private one.
fn redis_url(config: &Config) -> RedisUrl {
    let private = || RedisUrl::new("redis://127.0.0.1:6379");
    config.redis.clone().unwrap_or_else(private)
}

fn settings(error: &ConfigError) -> Finding {
    match error {
        ConfigError::Anonymous(address) => Finding::new(
            Name::NobodyMaySpeak,
            format!(
                "{address} is not a loopback address, and no issuer of tokens is configured: the edge would not start"
            ),
            "set SPIN_VARIABLE_IDENTITY (docs/identity.md), or add `--allow-anonymous` if anyone may choose a name",
        ),
        error => Finding::new(
            Name::Settings,
            error.to_string(),
            "`clustertalk up --help` explains each setting, `clustertalk config` says where it comes from",
        ),
    }
}
