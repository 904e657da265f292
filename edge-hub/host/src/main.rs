//! `clustertalk`: the native edge and its tools. Arguments and wiring only.

use std::process::ExitCode;

use clustertalk_host::{
    command,
    config::{self, Command, DEFAULT_LOG, LogFormat},
    logs,
};

fn main() -> ExitCode {
    let command = match config::read() {
        Ok(command) => command,
        Err(error) => return failed(&error.into(), LogFormat::Text),
    };
    let (filter, format) = match &command {
        Command::Up(config) => (config.log.as_str(), config.log_format),
        Command::Doctor(config, _) => match &**config {
            Ok(config) => (config.log.as_str(), config.log_format),
            Err(_) => (DEFAULT_LOG, LogFormat::Text),
        },
        _ => (DEFAULT_LOG, LogFormat::Text),
    };
    logs::start(filter, format);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into(), format),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Up(config) => command::up::run(*config).await,
            Command::Send(send) => command::send::run(send).await,
            Command::Tail(tail) => command::tail::run(tail).await,
            Command::History(history) => command::history::run(history).await,
            Command::Rooms(rooms) => command::rooms::run(rooms).await,
            Command::Stats(stats) => command::stats::run(stats).await,
            Command::Verify(verify) => command::verify::run(verify).await,
            Command::Moderation(moderation) => command::moderation::run(moderation).await,
            Command::User(user) => command::user::run(user).await,
            Command::Policy(policy, variables) => command::policy::run(policy, &variables).await,
            Command::Token(token, variables) => command::token::run(&token, &variables),
            Command::Doctor(config, json) => command::doctor::run(*config, json).await,
            Command::Print(text) => command::output::print(&text),
        }
    });
    // Tasks that still wait for Redis or a socket must not hold up the end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Somebody reads no further, as `head` does.
        Err(error) if command::output::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => failed(&error, format),
    }
}

fn failed(error: &anyhow::Error, format: LogFormat) -> ExitCode {
    match format {
        LogFormat::Text => eprintln!("error: {}", command::output::plain(&format!("{error:#}"))),
        LogFormat::Json => tracing::error!(error = format!("{error:#}"), "failed"),
    }
    ExitCode::FAILURE
}
