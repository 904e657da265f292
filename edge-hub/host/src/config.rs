//! What the command line and the environment say. Nothing else reads the environment.

use std::{collections::BTreeMap, env, net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use clustertalk_core::ids::{NameError, RoomName};

/// Real-time chat on WebAssembly: the edge and its tools.
#[derive(Debug, Parser)]
#[command(name = "clustertalk", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the edge: web client, WebSockets, HTTP API.
    Up(Up),
    /// Send one message to a room.
    Send(Send),
    /// Follow a room: one line a message, from now on or from a position.
    Tail(Tail),
    /// Look for misconfigurations; exits with 1 if there is one.
    Doctor(Doctor),
}

#[derive(Debug, Clone, Args)]
pub struct Up {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Where the private Redis and the compiled components are kept.
    #[arg(long, default_value = ".clustertalk", value_name = "DIR")]
    pub data: PathBuf,
    /// The Redis to use. Otherwise REDIS_URL, then SPIN_VARIABLE_REDIS_URL, else a private one is started.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// The application.
    #[arg(long, default_value = "spin.toml", value_name = "FILE")]
    pub manifest: PathBuf,
    /// Let anyone choose a name, though the address is not loopback.
    #[arg(long)]
    pub allow_anonymous: bool,
    /// Let pages of any origin connect, though the address is not loopback.
    #[arg(long)]
    pub allow_any_origin: bool,
    /// One more origin whose pages may connect, such as https://chat.example.org; may be repeated.
    #[arg(long = "origin", value_name = "ORIGIN")]
    pub origins: Vec<String>,
    /// How long the sockets may take to close after SIGTERM or Ctrl-C, in seconds.
    #[arg(long, default_value_t = 5, value_name = "SECONDS")]
    pub drain: u64,
}

#[derive(Debug, Clone, Args)]
pub struct Edge {
    /// Where the edge is.
    #[arg(long, default_value = "http://127.0.0.1:3000", value_name = "URL")]
    pub url: String,
    /// The room.
    #[arg(long, default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
}

#[derive(Debug, Clone, Args)]
pub struct Send {
    #[command(flatten)]
    pub edge: Edge,
    /// Who speaks.
    #[arg(long, default_value = "cli", value_name = "NAME")]
    pub user: String,
    /// The message's id; sending the same id again stores nothing twice. Made up without it.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// What to say.
    pub text: String,
}

#[derive(Debug, Clone, Args)]
pub struct Tail {
    #[command(flatten)]
    pub edge: Edge,
    /// Begin after this position, SEQ-TAG, as `clustertalk send` prints it.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub up: Up,
}

fn room(text: &str) -> Result<RoomName, NameError> {
    RoomName::parse(text.strip_prefix('#').unwrap_or(text))
}

/// What the environment says.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    pub redis_url: Option<String>,
    /// `SPIN_VARIABLE_NAME`, by `name`.
    pub spin_variables: BTreeMap<String, String>,
    /// What to log, as in `info` or `clustertalk_host=debug`.
    pub log: Option<String>,
}

impl Environment {
    pub fn read() -> Self {
        // Not `env::vars`, which panics if any variable at all is not UTF-8.
        let spin_variables = env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.to_str()?.strip_prefix("SPIN_VARIABLE_")?;
                Some((name.to_ascii_lowercase(), value.into_string().ok()?))
            })
            .collect();
        Self {
            redis_url: given("REDIS_URL"),
            spin_variables,
            log: given("CLUSTERTALK_LOG"),
        }
    }

    /// The Redis to use, if one is named anywhere.
    pub fn redis(&self, flag: Option<&str>) -> Option<String> {
        flag.map(str::to_owned)
            .or_else(|| self.redis_url.clone())
            .or_else(|| self.spin_variables.get("redis_url").cloned())
    }
}

/// Where programs are looked for.
pub fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps servers where a user's PATH may not lead.
    env::split_paths(&path)
        .chain([
            "/usr/sbin".into(),
            "/usr/local/bin".into(),
            "/opt/homebrew/bin".into(),
        ])
        .collect()
}

fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
