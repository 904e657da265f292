//! `clustertalk doctor`: what would go wrong, before it does.

use std::net::TcpListener;

use anyhow::{Result, bail};
use clustertalk_core::redis::eviction_policy;
use redis::Client;

use super::up::application;
use crate::{
    config::{Config, RedisUrl},
    files,
    sandbox::{PoolLimits, RedisPool, Sandbox},
    server::Tls,
};

/// One finding.
struct Finding {
    good: bool,
    sentence: String,
}

pub async fn run(config: Config) -> Result<()> {
    let mut findings = Vec::new();
    let mut note = |good: bool, sentence: String| findings.push(Finding { good, sentence });

    let addresses = [("--listen", Some(config.listen)), ("--admin", config.admin)];
    for (flag, address) in addresses {
        let Some(address) = address else { continue };
        match TcpListener::bind(address) {
            Ok(_) => note(true, format!("{address} is free")),
            Err(error) => note(
                false,
                format!(
                    "cannot listen on {address}: {error}; stop what runs there or give `{flag}`"
                ),
            ),
        }
    }
    if let Some(files) = config.tls.clone() {
        match Tls::load(files).await {
            Ok(_) => note(
                true,
                "the certificate and its key belong together".to_owned(),
            ),
            Err(error) => note(false, error.to_string()),
        }
    }
    match files::raise_limit() {
        Some(files) if files < config.connections as u64 + files::SPARE => note(
            false,
            format!(
                "the process may open {files} files, too few for {} connections; raise it \
                 (`ulimit -n`, LimitNOFILE) or lower `limit-connections`",
                config.connections
            ),
        ),
        _ => note(
            true,
            format!("there are files for {} connections", config.connections),
        ),
    }
    match &config.redis {
        None => note(
            true,
            "no Redis is named: `clustertalk up` starts a private one".to_owned(),
        ),
        Some(url) => match redis(url).await {
            Ok(sentences) => sentences
                .into_iter()
                .for_each(|(good, sentence)| note(good, sentence)),
            Err(error) => note(
                false,
                format!("Redis at {url}: {error:#}; is it running, and is the URL right?"),
            ),
        },
    }
    let usual = RedisUrl::new("redis://127.0.0.1:6379");
    match application(&config, config.redis.as_ref().unwrap_or(&usual)) {
        Err(error) => note(false, format!("{error:#}")),
        Ok(application) => {
            let manifest = config.manifest.display();
            note(true, format!("{manifest} can be honoured"));
            let pool = std::sync::Arc::new(RedisPool::new(PoolLimits::default()));
            match Sandbox::start(&application, &config.data, pool).await {
                Ok(sandbox) => {
                    for component in sandbox.snapshot() {
                        note(
                            true,
                            format!(
                                "component {} runs: {}",
                                component.component, component.digest
                            ),
                        );
                    }
                }
                Err(error) => note(false, format!("{error:#}")),
            }
        }
    }
    for Finding { good, sentence } in &findings {
        println!("{} {sentence}", if *good { "ok  " } else { "BAD " });
    }
    match findings.iter().filter(|finding| !finding.good).count() {
        0 => Ok(()),
        1 => bail!("1 finding needs your attention"),
        bad => bail!("{bad} findings need your attention"),
    }
}

async fn redis(url: &RedisUrl) -> Result<Vec<(bool, String)>> {
    let client = Client::open(url.reveal())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let version = field("redis_version").unwrap_or("unknown");
    let major: u32 = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok())
        .unwrap_or(0);
    let mut findings = vec![if major >= 7 {
        (true, format!("Redis {version} answers at {url}"))
    } else {
        (
            false,
            format!("Redis {version} is too old: 7.0 or newer is needed"),
        )
    }];
    findings.push(match eviction_policy(&info) {
        None => (true, "Redis refuses writes rather than lose data when it is full".to_owned()),
        Some(policy) => (false, format!("maxmemory-policy is {policy}: a full Redis would drop rooms in silence; set it to noeviction")),
    });
    findings.push(match field("aof_enabled") {
        Some("1") => (true, "Redis keeps an append-only file".to_owned()),
        _ => (
            false,
            "Redis keeps no append-only file: a restart may lose messages; set appendonly yes"
                .to_owned(),
        ),
    });
    findings.push(match field("role") {
        Some("master") | None => (true, "Redis takes writes".to_owned()),
        Some(role) => (
            false,
            format!("this Redis is a {role} and takes no writes; give the URL of the primary"),
        ),
    });
    Ok(findings)
}
