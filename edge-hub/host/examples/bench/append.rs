//! What the append script costs Redis, which all edges share.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clustertalk_core::{
    ids::{MessageId, RoomName, User, UserId},
    limits::Limits,
    log::{Action, Body, Draft, Moderation},
    redis::{Call, Keyspace, append, appended},
    store::{Appended, Mode, Update},
};
use clustertalk_host::{local_redis::LocalRedis, store::Store};
use tokio::task::JoinSet;

use crate::{process::cpu_time, report::Report};

const PART: &str = "append";
const ROOMS: usize = 100;
/// Calls under way, as from a busy edge.
const WORKERS: usize = 32;

pub async fn measure(calls: usize, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let redis = LocalRedis::start(folder.path()).await?;
    let keyspace = Keyspace::new("bench")?;
    let client = redis::Client::open(redis.url())?;
    let store = Store::new(
        client,
        keyspace.clone(),
        "bench".to_owned(),
        Limits::default(),
    )?;
    let process = process_of(redis.url()).await?;

    let each = calls / WORKERS;
    let mut workers = JoinSet::new();
    let used = cpu_time(&process)?;
    let began = Instant::now();
    for worker in 0..WORKERS {
        let (store, keyspace) = (store.clone(), keyspace.clone());
        workers.spawn(async move {
            let mut times = Vec::with_capacity(each);
            for number in 0..each {
                let call = message(&keyspace, worker * each + number)?;
                let began = Instant::now();
                let reply = store.call(&call).await?;
                times.push(began.elapsed());
                let is_stored = matches!(appended(&reply)?, Appended::Stored { .. });
                ensure!(is_stored, "a message was not stored");
            }
            anyhow::Ok(times)
        });
    }
    let mut times: Vec<Duration> = Vec::with_capacity(calls);
    while let Some(done) = workers.join_next().await {
        times.extend(done??);
    }
    let took = began.elapsed().as_secs_f64();
    let used = cpu_time(&process)? - used;
    let count = times.len() as f64;
    report.add(PART, "stored a second", count / took, "messages");
    let micros = used.as_secs_f64() * 1e6 / count;
    report.add(PART, "a message", micros, "µs of Redis' CPU");
    report.times(PART, &format!("answered, {WORKERS} at a time"), &mut times);
    redis.stop().await;
    Ok(())
}

/// Each of another user, so that no rate is in the way.
fn message(keyspace: &Keyspace, number: usize) -> Result<Call> {
    let room = RoomName::parse(format!("room-{}", number % ROOMS))?;
    let user = UserId::parse(format!("user-{number}"))?;
    let body = Body {
        id: MessageId::parse(format!("m{number}"))?,
        user: User {
            id: user.clone(),
            name: user.to_string(),
        },
        text: format!("Has anyone tried the new build on the train today? {number}"),
        reply_to: None,
        mentions: Vec::new(),
    };
    let moderation = Moderation {
        action: Action::Allow,
        label: None,
        policy: None,
    };
    let add = |field: &str, amount| Update::Add {
        field: field.to_owned(),
        amount,
    };
    let updates = [
        add("messages", 1),
        add("bytes", u32::try_from(body.text.len())?),
        add("action:allow", 1),
        Update::Unique {
            value: user.to_string(),
        },
        Update::Minute { amount: 1 },
    ];
    let draft = Draft::message(&body, &moderation, [7; 16]);
    let limits = Limits::default();
    let mode = Mode::Append;
    Ok(append(
        keyspace, &limits, &room, false, mode, &draft, &updates,
    ))
}

/// Its number in `/proc`.
pub async fn process_of(url: &str) -> Result<String> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection)
        .await?;
    let mut lines = info.lines();
    let process = lines.find_map(|line| line.strip_prefix("process_id:"));
    Ok(process.context("INFO has process_id")?.trim().to_owned())
}
