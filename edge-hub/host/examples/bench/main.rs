//! What the hot path costs, in figures that anyone can measure again: `cargo xtask bench`.
//!
//! Machines differ, so CPU time goes before wall time wherever it says the same. Linux only.

mod append;
mod chat;
mod components;
mod process;
mod report;
mod sockets;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use report::Report;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What an idle socket and a delivery cost the host alone.
    Sockets,
    /// What a call of moderation and of the hub costs.
    Components,
    /// What the script that stores a message costs Redis.
    Append,
    /// Messages from end to end: client, edge, components, Redis, client.
    Chat,
}

/// Measures the hot path and prints one table.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", max_term_width = 100)]
struct Arguments {
    /// What to measure; all of it without one.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// One JSON object in the place of the table.
    #[arg(long)]
    json: bool,
    /// A tenth of everything: to see that it runs, not for figures.
    #[arg(long)]
    quick: bool,
    /// Connections of `sockets`; each needs two files.
    #[arg(long, value_name = "COUNT", default_value_t = 5_000)]
    connections: usize,
    /// The edge to measure.
    #[arg(long, value_name = "FILE", default_value = "target/debug/clustertalk")]
    host: PathBuf,
    /// The application to measure.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    manifest: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    // A second process of `sockets`.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [clients, address, count, trusted @ ..] = arguments.as_slice()
        && clients == sockets::CLIENTS
    {
        let trusted = trusted.first().map(PathBuf::from);
        return sockets::run_clients(address.parse()?, count.parse()?, trusted.as_deref()).await;
    }
    let arguments = Arguments::parse();
    let share = if arguments.quick { 10 } else { 1 };
    let parts = match arguments.parts.as_slice() {
        [] => Part::value_variants(),
        parts => parts,
    };
    clustertalk_host::files::raise_limit();
    let mut report = Report::default();
    for part in parts {
        eprintln!("measuring {part:?}");
        match part {
            Part::Sockets => {
                let connections = arguments.connections / share;
                for is_tls in [false, true] {
                    sockets::measure(connections, is_tls, &mut report).await?;
                }
            }
            Part::Components => {
                components::measure(&arguments.manifest, 5_000 / share, &mut report).await?;
            }
            Part::Append => append::measure(50_000 / share, &mut report).await?,
            Part::Chat => {
                let edge = chat::Edge::start(&arguments.host, &arguments.manifest).await?;
                chat::measure(&edge, share, &mut report).await?;
                edge.stop().await?;
            }
        }
    }
    match arguments.json {
        true => println!("{:#}", report.json()),
        false => print!("{}", report.table()),
    }
    Ok(())
}
