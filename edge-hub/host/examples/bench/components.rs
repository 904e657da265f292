//! What a call of a component costs: moderation fresh and reused, and the hub with all it calls.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clustertalk_host::{
    application::{Application, Dependency},
    clock,
    local_redis::LocalRedis,
    policy::{Moderation, UNREVIEWED},
    sandbox::{Connection, Event, RedisPool, Runtime, Sandbox, moderator::Message},
};

use crate::report::Report;

const PART: &str = "components";
const HUB: &str = "hub";

pub async fn measure(manifest: &Path, calls: usize, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let redis = LocalRedis::start(folder.path()).await?;
    let given = BTreeMap::from([
        ("redis_url".to_owned(), redis.url().to_owned()),
        (
            "limits".to_owned(),
            r#"{"messages_per_second":1000,"burst":10000}"#.to_owned(),
        ),
    ]);
    let application = Application::load(manifest, &given)?;
    let dependency = application
        .components
        .values()
        .find_map(|component| component.moderation.clone());
    let dependency = dependency.context("the application has no moderation")?;
    for reuse in [0, 1_000] {
        let times = review(folder.path(), &dependency, reuse, calls).await;
        let what = match reuse {
            0 => "a review, fresh instance".to_owned(),
            reuse => format!("a review, instance for {reuse}"),
        };
        report.times(PART, &what, &mut times?);
    }
    hub(folder.path(), &application, calls, report).await?;
    redis.stop().await;
    Ok(())
}

async fn review(
    data: &Path,
    dependency: &Dependency,
    reuse: u32,
    calls: usize,
) -> Result<Vec<Duration>> {
    let runtime = Arc::new(Runtime::start(data)?);
    let dependency = Dependency {
        reuse,
        ..dependency.clone()
    };
    let moderation = Moderation::load(runtime, &dependency).await?;
    let mut times = Vec::with_capacity(calls);
    for call in 0..calls {
        let message = Message {
            room: "general".to_owned(),
            user: "ada".to_owned(),
            id: call.to_string(),
            text: text(call),
            at: 1_795_459_200_000,
            reply: None,
        };
        let began = Instant::now();
        let verdict = moderation.review(message).await;
        times.push(began.elapsed());
        let verdict = verdict.map_err(anyhow::Error::msg)?;
        let is_judged = verdict.scores.iter().all(|score| score.label != UNREVIEWED);
        ensure!(is_judged, "moderation failed");
    }
    Ok(times)
}

/// One connection, one event after the other.
async fn hub(
    data: &Path,
    application: &Application,
    calls: usize,
    report: &mut Report,
) -> Result<()> {
    let sandbox = Sandbox::start(application, data, Arc::new(RedisPool::default())).await?;
    let connection = Connection {
        id: "bench-1".to_owned(),
        edge: "bench".to_owned(),
        anonymous: true,
        token: None,
    };
    let mut session = Vec::new();
    let mut event = async |event: Event| {
        let now = clock::now().as_millis();
        let began = Instant::now();
        let outcome = sandbox
            .handle(HUB, now, &connection, &session, &event)
            .await;
        let time = began.elapsed();
        session = outcome?.session;
        anyhow::Ok(time)
    };
    event(Event::Opened).await?;
    let hello = r#"{"type":"hello","user":"ada","rooms":[{"room":"general"}]}"#;
    event(Event::Frame(hello.to_owned())).await?;
    let mut pings = Vec::with_capacity(calls);
    let mut sends = Vec::with_capacity(calls);
    for call in 0..calls {
        let ping = Event::Frame(r#"{"type":"ping"}"#.to_owned());
        pings.push(event(ping).await?);
        let text = text(call);
        let send = format!(r#"{{"type":"send","room":"general","id":"m{call}","text":"{text}"}}"#);
        sends.push(event(Event::Frame(send)).await?);
    }
    report.times(PART, "a hub event without imports", &mut pings);
    report.times(PART, "a hub event that stores a message", &mut sends);
    Ok(())
}

/// 100 characters.
fn text(call: usize) -> String {
    format!(
        "Has anyone tried the new build on the train today? It starts, but nothing loads here. No {call:011}"
    )
}
