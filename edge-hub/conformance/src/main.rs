//! `clustertalk-conformance`: holds an edge to PROTOCOL.md. README.md says how to use it.
//!
//! A case (`case.rs`) is a function that speaks to the edge by `context.rs` and says what it found;
//! `runner.rs` runs them, `report.rs` tells. Nothing here uses the code of the edges: what is told
//! is read as plain JSON, so that a fault of the core cannot hide itself.

mod arguments;
mod case;
mod cases;
mod context;
mod coverage;
mod http;
mod latency;
mod reader;
mod report;
mod runner;
mod skips;
mod socket;
mod token;
mod transcript;
mod transport;

use std::{process::ExitCode, sync::Arc, time::Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;
use serde_json::json;

use arguments::Arguments;
use case::Case;
use context::{Context, Edge, Limits, Target};
use report::Report;
use token::Issuer;
use transport::Address;

/// How often each latency is measured.
const LATENCIES: u16 = 50;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// True if no case failed.
async fn run(arguments: Arguments) -> Result<bool> {
    let skips = skips::load(arguments.platform, &arguments.skip)?;
    let cases = chosen(&arguments.only)?;
    if arguments.list {
        for (name, case) in cases {
            println!("{name}\n    {}: {}", case.section, case.sentence);
        }
        println!("\nCodes and who provokes them:");
        for (code, provoked) in coverage::all() {
            println!("{code:<20} {provoked}");
        }
        return Ok(true);
    }
    let target = Arc::new(target(&arguments).await?);
    let began = Instant::now();
    let parallel = usize::from(arguments.parallel);
    let mut report = Report {
        url: target.first.url.to_string(),
        second: target.second.as_ref().map(|second| second.url.to_string()),
        platform: arguments.platform,
        limits: target.limits,
        finished: runner::run(&target, cases, &skips, parallel).await,
        latency: Vec::new(),
        time: began.elapsed(),
    };
    let mut all_well = report.counts().failed == 0;
    let usual = if arguments.only.is_empty() {
        LATENCIES
    } else {
        0
    };
    let samples = arguments.latency.unwrap_or(usual);
    if all_well && samples > 0 {
        match latency::measure(&target, usize::from(samples)).await {
            Ok(rows) => report.latency = rows,
            Err(error) => {
                eprintln!("error: latencies could not be measured: {error:#}");
                all_well = false;
            }
        }
    }
    if let Some(file) = &arguments.junit {
        report::junit::write(&report, file)?;
    }
    match arguments.json {
        true => println!("{:#}", report.json()),
        false => print!("{report}"),
    }
    Ok(all_well)
}

fn chosen(only: &[String]) -> Result<Vec<(String, &'static Case)>> {
    let is_chosen = |name: &str| only.is_empty() || only.iter().any(|part| name.contains(part));
    let cases: Vec<_> = cases::all().filter(|(name, _)| is_chosen(name)).collect();
    ensure!(
        !cases.is_empty(),
        "no case has `{}` in its name; `--list` names them all",
        only.join("` or `")
    );
    Ok(cases)
}

/// Finds out whether there is an edge that lets us in, and what it allows.
async fn target(arguments: &Arguments) -> Result<Target> {
    let url = arguments.url.as_deref().context("a URL is needed")?;
    let issuer = arguments.token_secret.clone().map(|secret| Issuer {
        name: arguments.token_issuer.clone(),
        audience: arguments.token_audience.clone(),
        secret,
    });
    let second = arguments.second.as_deref();
    let mut target = Target {
        first: Address::parse(url)?,
        second: second.map(Address::parse).transpose()?,
        issuer,
        server_key: arguments.server_key.clone(),
        patience: arguments.timeout,
        limits: Limits::default(),
    };
    let edges = match target.second {
        Some(_) => &[Edge::Second, Edge::First][..],
        None => &[Edge::First],
    };
    for edge in edges {
        let probing = Arc::new(target);
        let context = Context::new(&probing);
        let user = context.user("probe")?;
        let (_, welcome) = context
            .hello_on(*edge, &user, json!([]))
            .await
            .context("the edge lets nobody in, so nothing can be tried")?;
        let limits = serde_json::from_value(welcome["limits"].clone())
            .with_context(|| format!("`welcome` announces no limits: {welcome}"))?;
        drop(context);
        target = Arc::into_inner(probing).context("the probe is done")?;
        target.limits = limits;
    }
    Ok(target)
}
