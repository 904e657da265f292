//! What a call of a component costs, fresh and reused.
//!
//! `cargo run -p clustertalk-host --example call_costs -- target/components/moderation.wasm [CHARACTERS]`

use std::{
    env,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clustertalk_host::{
    application::{Caps, Dependency, FailPolicy},
    policy::{Moderation, UNREVIEWED},
    sandbox::{Runtime, moderator::Message},
};

const CALLS: usize = 5_000;
const TALK: &str = "Has anyone tried the new build on the train today? It starts, but nothing loads for me here. ";

#[tokio::main]
async fn main() -> Result<()> {
    let path = env::args_os()
        .nth(1)
        .context("give the path of a moderation component")?;
    let path = PathBuf::from(path);
    let characters = match env::args().nth(2) {
        Some(argument) => argument.parse().context("CHARACTERS is a number")?,
        None => 100,
    };
    let talk: String = TALK.chars().cycle().take(characters).collect();
    let data = env::temp_dir().join(format!("call-costs-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let runtime = Arc::new(Runtime::start(&data)?);
    println!(
        "{:>12} {:>9} {:>9} {:>9} {:>11}",
        "reuse", "p50 us", "p90 us", "p99 us", "unreviewed"
    );
    for reuse in [0, 10, 100, 1_000, 0] {
        let dependency = Dependency {
            path: path.clone(),
            caps: Caps {
                memory_bytes: 32 << 20,
                deadline: Duration::from_millis(100),
            },
            fail: FailPolicy::Open,
            reuse,
        };
        let moderation = Moderation::load(Arc::clone(&runtime), &dependency).await?;
        let mut times = Vec::with_capacity(CALLS);
        let mut unreviewed = 0;
        for call in 0..CALLS {
            let message = Message {
                room: "general".to_owned(),
                user: "ada".to_owned(),
                id: call.to_string(),
                text: format!("{call} {talk}"),
                at: 1_795_459_200_000,
                reply: None,
            };
            let began = Instant::now();
            let verdict = moderation
                .review(message)
                .await
                .map_err(anyhow::Error::msg)?;
            times.push(began.elapsed());
            unreviewed += usize::from(verdict.scores.iter().any(|s| s.label == UNREVIEWED));
        }
        times.sort();
        let at = |percent: usize| times[CALLS * percent / 100].as_nanos() as f64 / 1e3;
        println!(
            "{reuse:>12} {:>9.1} {:>9.1} {:>9.1} {unreviewed:>11}",
            at(50),
            at(90),
            at(99)
        );
    }
    std::fs::remove_dir_all(&data)?;
    Ok(())
}
