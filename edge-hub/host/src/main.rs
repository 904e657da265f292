//! `clustertalk`: the native edge and its tools. Arguments and wiring only.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use clustertalk_host::{
    command,
    config::{Cli, Command, Environment},
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::read();
    let filter = environment
        .log
        .as_deref()
        .unwrap_or("warn,clustertalk_host=info");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Up(up) => command::up::run(up, environment).await,
            Command::Send(send) => command::send::run(send).await,
            Command::Tail(tail) => command::tail::run(tail).await,
            Command::Doctor(doctor) => command::doctor::run(doctor, environment).await,
        }
    });
    // Tasks that still wait for Redis or a socket must not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
