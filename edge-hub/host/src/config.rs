//! What the command line, the environment and a file say. Nothing else reads the environment.
//!
//! Each setting is one field of [`Settings`], whose command line is clap's; the environment and
//! the file ([`file`]) are other places to write the same words in. What comes out is a checked
//! [`Config`], in which everything has a value.

mod file;
mod moderation;
mod reference;
mod settings;
mod tools;
mod webhooks;

use std::{
    collections::BTreeMap,
    env,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anstream::ColorChoice;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use clustertalk_core::limits::Limits;

use self::file::{File, id};
pub use self::moderation::{Change, Moderation, Page, Report, Resolve, Sentence, Unban};
use self::settings::{Admin, Settings};
pub use self::settings::{DEFAULT_LOG, LogFormat, RedisUrl};
pub use self::tools::{
    Build, Database, Edge, Erase, Explain, Export, History, Moderator, Policy, Replay, Rooms,
    Score, Send, Stats, Tail, TestPolicy, Token, TokenRole, Tried, User, Verify,
};
use self::tools::{Color, VARIABLES};
use crate::{server::Origins, toml_file::FileError};

/// Real-time chat on WebAssembly: the edge and its tools.
#[derive(Debug, Parser)]
#[command(name = "clustertalk", version, about, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    /// When output has colours.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    color: Color,
    #[command(subcommand)]
    command: RawCommand,
}

const EXIT_CODES: &str = "Exits with 0 if it is done, 1 if it failed, 2 if it was misused.";

#[derive(Debug, Subcommand)]
enum RawCommand {
    /// Run the edge: web client, WebSockets, HTTP API.
    Up(Settings),
    /// Send one message to a room.
    Send(Send),
    /// Follow a room: one line a message, from now on or from a position.
    Tail(Tail),
    /// Read a room's past: one line a message, the newest last.
    History(History),
    /// List the rooms that you may know of.
    Rooms(Rooms),
    /// Show what was counted, of a room or over all.
    Stats(Stats),
    /// Check the logs of rooms in Redis; exits with 1 if one is damaged.
    Verify(Verify),
    /// See what was flagged or reported in a room, and resolve it.
    #[command(subcommand)]
    Moderation(Moderation),
    /// Export or erase what Redis holds of a user.
    #[command(subcommand)]
    User(User),
    /// Check, try and build a policy for the moderation; ask it what it makes of texts.
    #[command(subcommand)]
    Policy(Policy),
    /// Make a token for development, signed with a secret of the application.
    Token(Token),
    /// Look for misconfigurations; exits with 1 if there is one that must be mended.
    Doctor(Doctor),
    /// Print every setting, what it is and where that comes from.
    Config(Show),
    /// Print what completes this program's commands in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The commands above that take settings.
const WITH_SETTINGS: [&str; 3] = ["up", "doctor", "config"];

#[derive(Debug, Args)]
struct Doctor {
    #[command(flatten)]
    settings: Settings,
    /// One JSON object in the place of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    settings: Settings,
    /// Print the reference of all settings, docs/configuration.md.
    #[arg(long)]
    markdown: bool,
}

/// What to do, checked.
#[derive(Debug)]
pub enum Command {
    Up(Box<Config>),
    Send(Send),
    Tail(Tail),
    History(History),
    Rooms(Rooms),
    Stats(Stats),
    Verify(Verify),
    Moderation(Moderation),
    User(User),
    /// With the values of the environment for variables of the application.
    Policy(Policy, BTreeMap<String, String>),
    /// With the values of the environment for variables of the application.
    Token(Token, BTreeMap<String, String>),
    /// What to look at, and whether to answer with JSON. Settings that contradict each other are a
    /// finding too.
    Doctor(Box<Result<Config, ConfigError>>, bool),
    /// Print this.
    Print(String),
}

/// What an edge is to be.
#[derive(Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Where `/metrics` is, if anywhere.
    pub admin: Option<SocketAddr>,
    pub data: PathBuf,
    /// Without one, a private Redis is started.
    pub redis: Option<RedisUrl>,
    pub redis_tls: RedisTlsFiles,
    pub manifest: PathBuf,
    /// Anyone may choose a name, wherever this edge listens and whoever else makes tokens.
    pub allow_anonymous: bool,
    pub origins: Origins,
    pub tls: Option<TlsFiles>,
    /// How long the end may take.
    pub drain: Duration,
    pub log: String,
    pub log_format: LogFormat,
    pub limits: Limits,
    pub connections: usize,
    pub connections_per_address: usize,
    pub traces: Option<Traces>,
    pub webhooks: crate::webhooks::Settings,
    /// Values for variables of the application, by name.
    pub spin_variables: BTreeMap<String, String>,
}

/// Both are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// For a `rediss` URL; all of it is PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTlsFiles {
    /// The only authorities that may certify Redis, in the place of the public ones.
    pub ca: Option<PathBuf>,
    /// What this edge shows to a Redis that asks for it.
    pub client: Option<TlsFiles>,
}

/// Traces are asked for. Where they go, and with which headers, OpenTelemetry's exporter reads from
/// the environment by itself.
#[derive(Debug, Clone)]
pub struct Traces {
    /// The URL of the collector.
    pub endpoint: String,
    /// Of all messages, from 0 to 1.
    pub share: f64,
    /// What this edge is called, if not `clustertalk`.
    pub service: Option<String>,
    /// Certificates in PEM to trust beside the public authorities.
    pub authority: Option<PathBuf>,
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] FileError),
    /// A value that does not go with the rest.
    #[error("{origin}: {reason}")]
    Setting { origin: String, reason: String },
    #[error(
        "{0} is not a loopback address, so anyone who reaches it could speak under any name; say whose \
         tokens count by SPIN_VARIABLE_IDENTITY (docs/identity.md), or, if that is wanted, add \
         `--allow-anonymous`"
    )]
    Anonymous(IpAddr),
}

/// Reads everything, and decides whether output has colours. Misuse of the command line, and
/// `--help`, end the process.
///
/// # Errors
/// What the file or the settings together make impossible.
pub fn read() -> Result<Command, ConfigError> {
    let first = command(&File::default()).get_matches();
    let (name, arguments) = first.subcommand().unwrap_or(("", &first));
    let file = match WITH_SETTINGS.contains(&name) {
        true => File::read(arguments.get_one::<PathBuf>("config").map(PathBuf::as_path))?,
        false => File::default(),
    };
    let matches = command(&file).get_matches();
    let given = Given {
        settings: matches.subcommand().map(|(_, settings)| settings.clone()),
        file,
    };
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
    Ok(match cli.command {
        RawCommand::Up(settings) => Command::Up(Box::new(Config::check(settings, &given)?)),
        RawCommand::Doctor(Doctor { settings, json }) => {
            Command::Doctor(Box::new(Config::check(settings, &given)), json)
        }
        RawCommand::Config(show) if show.markdown => Command::Print(reference::markdown()),
        RawCommand::Config(show) => {
            Config::check(show.settings, &given)?;
            Command::Print(reference::present(&given))
        }
        RawCommand::Send(send) => Command::Send(send),
        RawCommand::Tail(tail) => Command::Tail(tail),
        RawCommand::History(history) => Command::History(history),
        RawCommand::Rooms(rooms) => Command::Rooms(rooms),
        RawCommand::Stats(stats) => Command::Stats(stats),
        RawCommand::Verify(mut verify) => {
            verify.database.find()?;
            Command::Verify(verify)
        }
        RawCommand::Moderation(moderation) => Command::Moderation(moderation),
        RawCommand::User(mut user) => {
            user.database().find()?;
            Command::User(user)
        }
        RawCommand::Policy(mut policy) => {
            if let Some(database) = policy.database() {
                database.find()?;
            }
            Command::Policy(policy, spin_variables())
        }
        RawCommand::Token(token) => Command::Token(token, spin_variables()),
        RawCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "clustertalk", &mut script);
            Command::Print(String::from_utf8_lossy(&script).into_owned())
        }
    })
}

impl Database {
    /// Looks where else a Redis is named, as for an edge.
    fn find(&mut self) -> Result<(), ConfigError> {
        let file = File::read(self.config.as_deref())?;
        if self.redis.is_none() {
            self.redis = named_redis().or_else(|| file.value("redis").map(RedisUrl::new));
        }
        let path = |given: &Option<PathBuf>, name: &str| {
            given
                .clone()
                .or_else(|| file.value(name).map(PathBuf::from))
        };
        self.redis_ca = path(&self.redis_ca, "redis-ca");
        self.redis_certificate = path(&self.redis_certificate, "redis-certificate");
        self.redis_key = path(&self.redis_key, "redis-key");
        Ok(())
    }
}

/// The Redis that the environment names.
fn named_redis() -> Option<RedisUrl> {
    let named = given_by("REDIS_URL").or_else(|| given_by("SPIN_VARIABLE_REDIS_URL"));
    named.map(RedisUrl::new)
}

/// The command line with its variables, and what a file says as defaults.
fn command(file: &File) -> clap::Command {
    let names: Vec<String> = names().collect();
    let cli = Cli::command().mut_subcommands(|command| {
        match WITH_SETTINGS.contains(&command.get_name()) {
            true => command,
            false => with_variables(command),
        }
    });
    WITH_SETTINGS.iter().fold(cli, |command, with| {
        command.mut_subcommand(with, |command| {
            let command = command.mut_args(|arg| match arg.get_long() {
                Some(name) if names.iter().any(|known| known == name) => {
                    let variable = variable(name);
                    match env::var_os(&variable).is_some_and(|value| value.is_empty()) {
                        true => arg,
                        false => arg.env(variable).hide_env_values(true),
                    }
                }
                _ => arg,
            });
            file.fill(command)
        })
    })
}

/// A command that takes no settings, with its variables.
fn with_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let named = |(long, _): &&(&str, &str)| arg.get_long() == Some(*long);
        match VARIABLES.iter().find(named) {
            Some((_, variable)) if env::var_os(variable).is_none_or(|value| !value.is_empty()) => {
                arg.env(*variable).hide_env_values(true)
            }
            _ => arg,
        }
    });
    command.mut_subcommands(with_variables)
}

/// The settings alone, as flags.
fn settings_command() -> clap::Command {
    Settings::augment_args(clap::Command::new("settings"))
        .no_binary_name(true)
        .disable_help_flag(true)
}

/// The names of all settings.
fn names() -> impl Iterator<Item = String> {
    let command = settings_command();
    let names = command.get_arguments().filter_map(|arg| arg.get_long());
    names.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The environment variable of a setting.
fn variable(name: &str) -> String {
    format!("CLUSTERTALK_{}", name.replace('-', "_").to_uppercase())
}

/// Where settings come from.
struct Given {
    /// What clap found, of a command that takes settings.
    settings: Option<ArgMatches>,
    file: File,
}

impl Given {
    /// What to call the place that decides a setting.
    fn origin(&self, name: &str) -> String {
        use clap::parser::ValueSource::{CommandLine, EnvVariable};
        match (self.source(name), self.file.place(name)) {
            (Some(CommandLine), _) => format!("--{name}"),
            (Some(EnvVariable), _) => variable(name),
            (_, Some(place)) => place.to_owned(),
            (_, None) => format!("the default of `{name}`"),
        }
    }

    /// Whether the command line or a variable of ours decides a setting.
    fn is_asked(&self, name: &str) -> bool {
        use clap::parser::ValueSource::{CommandLine, EnvVariable};
        matches!(self.source(name), Some(CommandLine | EnvVariable))
    }

    fn source(&self, name: &str) -> Option<clap::parser::ValueSource> {
        self.settings.as_ref()?.value_source(&id(name))
    }

    /// A certificate and its key: both or neither.
    fn pair(
        &self,
        (certificate_name, certificate): (&str, &Option<PathBuf>),
        (key_name, key): (&str, &Option<PathBuf>),
    ) -> Result<Option<TlsFiles>, ConfigError> {
        match (certificate.clone(), key.clone()) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (Some(_), None) => {
                Err(self.refuse(certificate_name, format!("`{key_name}` is missing")))
            }
            (None, Some(_)) => {
                Err(self.refuse(key_name, format!("`{certificate_name}` is missing")))
            }
        }
    }

    fn refuse(&self, name: &str, reason: impl Into<String>) -> ConfigError {
        let mut origin = self.origin(name);
        if self.file.place(name) == Some(&origin) {
            // A flag and a variable say the name themselves.
            origin = format!("{origin}: `{name}`");
        }
        let reason = reason.into();
        ConfigError::Setting { origin, reason }
    }
}

impl Config {
    /// Whether anyone may choose a name, where tokens of some issuer count or not.
    ///
    /// # Errors
    /// Nobody could come in but by a name, and the address is not loopback.
    pub fn anonymous(&self, tokens_count: bool) -> Result<bool, ConfigError> {
        let address = self.listen.ip();
        match (self.allow_anonymous, tokens_count) {
            (true, _) => Ok(true),
            // Also on loopback: a proxy may stand before this edge.
            (false, true) => Ok(false),
            (false, false) if address.is_loopback() => Ok(true),
            (false, false) => Err(ConfigError::Anonymous(address)),
        }
    }

    fn check(settings: Settings, given: &Given) -> Result<Self, ConfigError> {
        let limits = settings.limits.hub();
        limits.check().map_err(|error| {
            let name = error.limit().trim_end_matches("_ms").replace('_', "-");
            given.refuse(&format!("limit-{name}"), error.to_string())
        })?;
        let spin_variables = spin_variables();
        let redis = match given.is_asked("redis") {
            true => settings.redis.clone(),
            false => named_redis().or(settings.redis.clone()),
        };
        let tls = given.pair(
            ("tls-certificate", &settings.tls_certificate),
            ("tls-key", &settings.tls_key),
        )?;
        let redis_tls = RedisTlsFiles {
            ca: settings.redis_ca.clone(),
            client: given.pair(
                ("redis-certificate", &settings.redis_certificate),
                ("redis-key", &settings.redis_key),
            )?,
        };
        let is_plain = |url: &RedisUrl| !url.reveal().starts_with("rediss:");
        if redis_tls != RedisTlsFiles::default() && redis.as_ref().is_none_or(is_plain) {
            let name = match &redis_tls.ca {
                Some(_) => "redis-ca",
                None => "redis-certificate",
            };
            let reason =
                "nothing would be encrypted; give the URL of a Redis that begins with `rediss://`";
            return Err(given.refuse(name, reason));
        }
        let endpoints = [
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ];
        let endpoint = endpoints.into_iter().find_map(given_by);
        Ok(Self {
            admin: match settings.admin {
                None => Some(usual_admin(settings.listen)),
                Some(Admin::At(address)) => Some(address),
                Some(Admin::Off) => None,
            },
            origins: origins(&settings, given)?,
            listen: settings.listen,
            data: settings.data,
            redis,
            redis_tls,
            manifest: settings.manifest,
            allow_anonymous: settings.allow_anonymous,
            tls,
            drain: settings.drain,
            log: settings.log,
            log_format: settings.log_format,
            limits,
            connections: settings.limits.limit_connections,
            connections_per_address: settings.limits.limit_connections_per_address,
            traces: endpoint.map(|endpoint| Traces {
                endpoint,
                share: settings.trace_share,
                service: given_by("OTEL_SERVICE_NAME"),
                authority: given_by("OTEL_EXPORTER_OTLP_CERTIFICATE").map(PathBuf::from),
            }),
            webhooks: webhooks::check(&settings.webhooks, given)?,
            spin_variables,
        })
    }
}

/// Where nobody else looks for it: on loopback, and at another port for each edge of a machine.
fn usual_admin(listen: SocketAddr) -> SocketAddr {
    const AWAY: u16 = 10_000;
    let port = match listen.port() {
        // Any free one.
        0 => 0,
        port => port.checked_add(AWAY).unwrap_or_else(|| port - AWAY),
    };
    (Ipv4Addr::LOCALHOST, port).into()
}

fn origins(settings: &Settings, given: &Given) -> Result<Origins, ConfigError> {
    if settings.allow_any_origin {
        return Ok(Origins::Any);
    }
    if let Some(bad) = settings.origin.iter().find(|origin| !is_origin(origin)) {
        let advice = "give scheme and host without a path, such as https://chat.example.org";
        return Err(given.refuse("origin", format!("`{bad}` is not an origin; {advice}")));
    }
    let listed = settings.origin.clone();
    Ok(match Origins::for_address(settings.listen) {
        Origins::Loopback(_) => Origins::Loopback(listed),
        _ if listed.is_empty() => Origins::Same,
        _ => Origins::Listed(listed),
    })
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && !text.ends_with('/')
            && url.path() == "/"
    })
}

/// `SPIN_VARIABLE_NAME`, by `name`.
fn spin_variables() -> BTreeMap<String, String> {
    // Not `env::vars`, which panics if any variable at all is not UTF-8.
    env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix("SPIN_VARIABLE_")?;
            Some((name.to_ascii_lowercase(), value.into_string().ok()?))
        })
        .collect()
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

fn given_by(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
