//! Redis as an edge needs it: docs/redis.md, "What an edge needs".

use std::{fmt::Display, time::Duration};

use anyhow::Result;
use clustertalk_core::{
    ids::{MessageId, RoomName, User, UserId},
    limits::Limits,
    log::{Action, Body, Draft, Moderation},
    redis::{self as contract, Call, Keyspace, eviction_policy},
    store::{Appended, Mode, Range, Update},
};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, aio::MultiplexedConnection};

use super::{
    report::{Finding, Name, Report},
    rights,
};
use crate::{
    clock,
    config::{Config, RedisUrl},
    redis_client::RedisCertificates,
    store::{Store, StoreError},
};

/// As long as an edge waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// The oldest that has all that the scripts use.
const OLDEST: u32 = 7;
/// Above this share of its memory it is nearly full.
const NEARLY_FULL: f64 = 0.8;
/// One edge has a few connections, and one for each stream of events over HTTP: 256 at most.
const CONNECTIONS_OF_AN_EDGE: u64 = 300;
/// Bans and rates go by the clock of Redis, tokens by that of the edge, with 30 s of patience.
const SKEW_MS: u64 = 5_000;
/// Rooms of which the end of the log is looked at.
const ROOMS_LOOKED_AT: usize = 1_000;

pub async fn examine(config: &Config, url: &RedisUrl, prefix: &str, report: &mut Report) {
    let client = match RedisCertificates::read(&config.redis_tls) {
        Ok(certificates) => certificates.client(url.reveal()),
        Err(error) => {
            return report.find(Finding::new(
                Name::RedisCertificate,
                error.to_string(),
                "correct `redis-ca`, `redis-certificate` and `redis-key`",
            ));
        }
    };
    let client = match client {
        Ok(client) => client,
        Err(error) => return report.find(unreachable(url, &error)),
    };
    let asked = async {
        let patience = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&patience)
            .await?;
        let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
        Ok((connection, info))
    };
    let (mut connection, info) = match asked.await {
        Ok(answer) => answer,
        Err(error) => return report.find(unreachable(url, &error)),
    };
    let info = Info(&info);
    let is_usable = server(&info, url, report);
    settings(&info, report);
    clock(&mut connection, report).await;
    let Ok(keyspace) = Keyspace::new(prefix) else {
        // The application refuses it with a better sentence.
        return;
    };
    if is_usable {
        let may_all = rights::examine(&mut connection, prefix, report).await;
        if may_all {
            store(client.clone(), prefix, report).await;
        }
        logs(client, keyspace, &mut connection, report).await;
    }
}

/// Why nothing can be asked.
fn unreachable(url: &RedisUrl, error: &RedisError) -> Finding {
    let told = error.to_string();
    let is_tls = url.reveal().starts_with("rediss:");
    let (name, advice) = if error.kind() == ErrorKind::InvalidClientConfig {
        let advice = "write redis://[USER:PASSWORD@]HOST[:PORT], or rediss:// for TLS";
        (Name::RedisUrl, advice)
    } else if matches!(error.code(), Some("NOPERM")) {
        let advice = "let the user of the URL have the rights in docs/redis.md, `+info` among them";
        (Name::RedisRights, advice)
    } else if matches!(error.code(), Some("WRONGPASS" | "NOAUTH"))
        || error.kind() == ErrorKind::AuthenticationFailed
    {
        let advice = "correct user and password in the URL; letters that a URL cannot hold are written as %XX";
        (Name::RedisPassword, advice)
    } else if let Some(advice) = is_tls.then(|| certificate_advice(&told)).flatten() {
        (Name::RedisCertificate, advice)
    } else {
        let advice = match is_tls {
            true => "start it, or correct the URL: a port that does not speak TLS may fall silent",
            false => "start it, or correct the URL; one that speaks TLS has a URL with `rediss://`",
        };
        (Name::RedisUnreachable, advice)
    };
    Finding::new(name, format!("Redis at {url}: {told}"), advice)
}

/// What to do about a handshake that failed, by the sentence of rustls.
fn certificate_advice(told: &str) -> Option<&'static str> {
    const ADVICE: &[(&str, &str)] = &[
        (
            "UnknownIssuer",
            "name the authority that certified it by `redis-ca`",
        ),
        ("certificate expired", "renew the certificate of Redis"),
        (
            "not valid for name",
            "write a host into the URL that its certificate names, or let it name that host",
        ),
        ("not valid yet", "set the clocks of both machines"),
        (
            "CertificateRequired",
            "give a certificate of the authority that Redis trusts by `redis-certificate` and `redis-key`, or set its `tls-auth-clients no`",
        ),
        (
            "InvalidContentType",
            "that port does not speak TLS: give its TLS port, or `redis://`",
        ),
    ];
    let advice = ADVICE.iter().find(|(words, _)| told.contains(words));
    let other = || {
        let is_about_tls = ["certificate", "alert", "handshake", "PEM"];
        let is_about_tls = is_about_tls.iter().any(|word| told.contains(word));
        is_about_tls.then_some("let the certificate of Redis and `redis-ca` fit together")
    };
    advice.map(|(_, advice)| *advice).or_else(other)
}

/// The answer to `INFO`.
struct Info<'a>(&'a str);

impl Info<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }
}

/// Whether it is a server that scripts of ours can run on.
fn server(info: &Info<'_>, url: &RedisUrl, report: &mut Report) -> bool {
    let version = info.field("redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|it| it.parse().ok());
    let is_young = major.is_some_and(|major: u32| major >= OLDEST);
    match is_young {
        true => report.good(format!("Redis {version} answers at {url}")),
        false => report.find(Finding::new(
            Name::RedisOld,
            format!("Redis {version} is too old"),
            format!("use Redis {OLDEST}.0 or newer, or Valkey"),
        )),
    }
    let is_primary = match info.field("role") {
        Some("master") | None => true,
        Some(role) => {
            let primary = match (info.field("master_host"), info.field("master_port")) {
                (Some(host), Some(port)) => format!(", {host}:{port}"),
                _ => String::new(),
            };
            report.find(Finding::new(
                Name::RedisReplica,
                format!("this Redis is a {role} and takes no writes"),
                format!("give the URL of its primary{primary}"),
            ));
            false
        }
    };
    is_young && is_primary
}

fn settings(info: &Info<'_>, report: &mut Report) {
    match eviction_policy(info.0) {
        None => report.good("Redis refuses writes rather than lose data when it is full"),
        Some(policy) => report.find(Finding::new(
            Name::RedisEviction,
            format!("maxmemory-policy is {policy}: a full Redis would drop rooms in silence"),
            "set it to noeviction",
        )),
    }
    let replicas = info.number("connected_slaves").unwrap_or(0);
    match (info.field("aof_enabled"), replicas) {
        (Some("1"), _) => report.good("Redis keeps an append-only file"),
        (_, 0) => report.find(Finding::new(
            Name::RedisAppendOnly,
            "Redis keeps no append-only file, and no replica follows it: a restart may lose messages",
            "set appendonly yes",
        )),
        (_, _) => report.good("Redis has replicas"),
    }
    // It is told of only if it is asked for.
    let is_bounded = info.field("min_slaves_good_slaves").is_some();
    if replicas > 0 && !is_bounded {
        report.find(Finding::new(
            Name::RedisReplicas,
            format!("Redis has {replicas} replicas and waits for none: a failover may lose what they have not got"),
            "set min-replicas-to-write 1 and min-replicas-max-lag 10",
        ));
    }
    if let (Some(used), Some(most @ 1..)) = (info.number("used_memory"), info.number("maxmemory")) {
        let share = used as f64 / most as f64;
        match share > NEARLY_FULL {
            false => report.good(format!("Redis uses {:.0} % of its memory", share * 100.0)),
            true => report.find(Finding::new(
                Name::RedisMemory,
                format!(
                    "Redis uses {:.0} % of its memory; when it is full no message is taken",
                    share * 100.0
                ),
                "raise maxmemory, or keep less (`limit-log-entries`, `limit-log-age`)",
            )),
        }
    }
    if let (Some(most), Some(used)) = (info.number("maxclients"), info.number("connected_clients"))
        && most.saturating_sub(used) < CONNECTIONS_OF_AN_EDGE
    {
        report.find(Finding::new(
            Name::RedisClients,
            format!("Redis takes {most} connections, of which {used} are in use; one edge may need {CONNECTIONS_OF_AN_EDGE}"),
            "raise maxclients",
        ));
    }
}

async fn clock(connection: &mut MultiplexedConnection, report: &mut Report) {
    let before = clock::now().as_millis();
    let time: redis::RedisResult<(u64, u64)> = redis::cmd("TIME").query_async(connection).await;
    let after = clock::now().as_millis();
    // Without the right to ask, that is found below.
    let Ok((seconds, micros)) = time else { return };
    let skew = skew(before, seconds * 1_000 + micros / 1_000, after);
    match skew > SKEW_MS {
        false => report.good("the clocks of Redis and of this machine agree"),
        true => report.find(Finding::new(
            Name::RedisClock,
            format!(
                "the clocks of Redis and of this machine differ by {}.{:03} s",
                skew / 1_000,
                skew % 1_000
            ),
            "let both follow the same time (NTP): bans and rates go by the one, tokens by the other",
        )),
    }
}

/// By how much a clock that was read between two moments of another one differs at least.
fn skew(before: u64, there: u64, after: u64) -> u64 {
    before
        .saturating_sub(there)
        .max(there.saturating_sub(after))
}

/// A message, as an edge stores it, in a room that no edge can have.
fn probe(prefix: &str) -> Result<(Keyspace, Call)> {
    let keyspace = Keyspace::new(format!("{prefix}:doctor"))?;
    let body = Body {
        id: MessageId::parse(format!("doctor-{:x}", fastrand::u64(..)))?,
        user: User {
            id: UserId::parse("doctor")?,
            name: "doctor".to_owned(),
        },
        text: "Can a message be stored?".to_owned(),
        reply_to: None,
        mentions: Vec::new(),
    };
    let moderation = Moderation {
        action: Action::Allow,
        label: None,
        policy: None,
    };
    let updates = [
        Update::Add {
            field: "messages".to_owned(),
            amount: 1,
        },
        Update::Unique {
            value: "doctor".to_owned(),
        },
        Update::Top {
            field: "doctor".to_owned(),
            amount: 1,
        },
    ];
    let call = contract::append(
        &keyspace,
        &Limits::default(),
        &RoomName::parse("probe")?,
        true,
        Mode::Append,
        &Draft::message(&body, &moderation, [0; 16]),
        &updates,
    );
    Ok((keyspace, call))
}

/// Stores that message, and removes it.
async fn store(client: Client, prefix: &str, report: &mut Report) {
    // A prefix that is nearly too long leaves no place for another one.
    let Ok((keyspace, call)) = probe(prefix) else {
        return;
    };
    let asked = async {
        let store = Store::new(client, keyspace, "doctor".to_owned(), Limits::default())?;
        let appended = contract::appended(&store.call(&call).await?)?;
        let mut removal = vec!["DEL".to_owned()];
        removal.extend(call.keys.clone());
        store.command(&removal).await?;
        Ok::<_, StoreError>(appended)
    };
    match asked.await {
        Ok(Appended::Stored { .. }) => report.good("a message can be stored and published"),
        Ok(other) => report.find(no_writes(&format!("{other:?}"))),
        Err(error) => report.find(no_writes(&error)),
    }
}

fn no_writes(error: &impl Display) -> Finding {
    let told = error.to_string();
    let (name, advice) = match () {
        () if told.contains("OOM") => (
            Name::RedisWrites,
            "its memory is full: raise maxmemory, or keep less",
        ),
        () if told.contains("MISCONF") => (
            Name::RedisWrites,
            "it cannot save: look at its disk and log",
        ),
        () if told.contains("NOREPLICAS") => (
            Name::RedisWrites,
            "too few replicas follow it: start them, or lower min-replicas-to-write",
        ),
        () if told.contains("NOPERM") || told.contains("Unpublishable") => (
            Name::RedisRights,
            "give the user of the URL the rights in docs/redis.md",
        ),
        () => (Name::RedisWrites, "look at the log of Redis"),
    };
    let sentence = format!("a message cannot be stored: {told}");
    Finding::new(name, sentence, advice)
}

/// Looks at the end of the logs.
async fn logs(
    client: Client,
    keyspace: Keyspace,
    connection: &mut MultiplexedConnection,
    report: &mut Report,
) {
    let store = Store::new(
        client,
        keyspace.clone(),
        "doctor".to_owned(),
        Limits::default(),
    );
    let Ok(store) = store else { return };
    let mut damaged = Vec::new();
    let mut count = 0;
    for list in [keyspace.rooms(), keyspace.private_rooms()] {
        let mut range = redis::cmd("ZRANGE");
        range.arg(list).arg(0).arg(ROOMS_LOOKED_AT - 1);
        let names: redis::RedisResult<Vec<String>> = range.query_async(connection).await;
        for room in names.unwrap_or_default() {
            let Ok(room) = RoomName::parse(&room) else {
                continue;
            };
            count += 1;
            match store.read(&room, Range::Tail, 1).await {
                Err(error) if error.is_unreadable() => damaged.push(room.to_string()),
                // What else there is was found above.
                Ok(_) | Err(_) => {}
            }
        }
    }
    if damaged.is_empty() {
        if count > 0 {
            report.good(format!("the logs of {count} rooms can be read"));
        }
        return;
    }
    report.find(Finding::new(
        Name::LogDamaged,
        format!(
            "in {} an entry stands that no edge wrote: nothing can follow it, and nobody joins",
            damaged.join(", ")
        ),
        "`clustertalk verify` names the entry; remove it by XDEL (docs/redis.md, \"By hand\")",
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_skew() {
        assert_eq!(skew(1_000, 2_500, 4_000), 0);
        assert_eq!(skew(10_000, 4_000, 10_001), 6_000);
        assert_eq!(skew(10_000, 17_001, 10_001), 7_000);
    }
}
