//! What the commands take that do not run an edge: where an edge or its Redis is, and what to do there.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, ArgGroup, Args, Subcommand, ValueEnum};
use clustertalk_core::ids::{NameError, Position, RoomName, Seq, UserId};

use super::{RedisTlsFiles, TlsFiles, settings::RedisUrl};

/// Variables that set flags of these commands; an empty one counts as not set. Those of `up` are made
/// from the names of its settings.
pub(super) const VARIABLES: [(&str, &str); 10] = [
    ("url", "CLUSTERTALK_URL"),
    ("ca", "CLUSTERTALK_CA"),
    ("token", "CLUSTERTALK_TOKEN"),
    ("redis", "CLUSTERTALK_REDIS"),
    ("redis-ca", "CLUSTERTALK_REDIS_CA"),
    ("redis-certificate", "CLUSTERTALK_REDIS_CERTIFICATE"),
    ("redis-key", "CLUSTERTALK_REDIS_KEY"),
    ("data", "CLUSTERTALK_DATA"),
    ("manifest", "CLUSTERTALK_MANIFEST"),
    ("redis-prefix", "SPIN_VARIABLE_REDIS_PREFIX"),
];

/// Where an edge is, and who asks.
#[derive(Debug, Clone, Args)]
pub struct Edge {
    /// Where the edge is.
    #[arg(long, default_value = "http://127.0.0.1:3000", value_name = "URL")]
    pub url: String,
    /// Certificates in PEM to trust beside the public authorities.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// A token, or the key of a server (docs/identity.md). Others on the machine can read the flag, so
    /// give the variable or a file.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// A file with the token, `-` for standard input. It wins over the other two.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Who speaks or reads, where names may be chosen or a server's key vouches for them.
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Send {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(long, default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// The message's id; sending the same id again stores nothing twice. Made up without it.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// Print the `ack` as JSON.
    #[arg(long)]
    pub json: bool,
    /// What to say.
    pub text: String,
}

#[derive(Debug, Clone, Args)]
pub struct Tail {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// Begin after this position, SEQ-TAG, as `clustertalk send` prints it.
    #[arg(long, value_name = "POSITION")]
    pub after: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct History {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// Entries at most.
    #[arg(long, default_value = "50", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Read back from this number, which is not included. Without it, from the newest.
    #[arg(long, value_name = "SEQ", conflicts_with = "after")]
    pub before: Option<Seq>,
    /// Read on from this position, SEQ-TAG, which is not included; 0 for the beginning.
    #[arg(long, value_name = "POSITION", value_parser = position)]
    pub after: Option<Position>,
    /// One JSON object a line, an entry each.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Rooms {
    #[command(flatten)]
    pub edge: Edge,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Stats {
    #[command(flatten)]
    pub edge: Edge,
    /// The room; without one, all that is not private or closed.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub room: Option<RoomName>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The Redis of a deployment.
#[derive(Debug, Clone, Args)]
pub struct Database {
    /// The Redis, as for `clustertalk up`. Without it, the private one of an edge that runs on `data`.
    #[arg(long, value_name = "URL")]
    pub(super) redis: Option<RedisUrl>,
    /// For a `rediss` URL: certificates in PEM of the authorities that may certify Redis.
    #[arg(long, value_name = "FILE")]
    pub(super) redis_ca: Option<PathBuf>,
    /// For a `rediss` URL: the certificate in PEM to show, if Redis asks for one.
    #[arg(long, value_name = "FILE", requires = "redis_key")]
    pub(super) redis_certificate: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", requires = "redis_certificate")]
    pub(super) redis_key: Option<PathBuf>,
    /// The data folder of that edge.
    #[arg(long, value_name = "DIR", default_value = ".clustertalk")]
    pub data: PathBuf,
    /// What all keys begin with: the application's variable `redis_prefix`.
    #[arg(long, value_name = "PREFIX", default_value = "ct")]
    pub redis_prefix: String,
    /// A file with settings, as for `clustertalk up`: its `redis` and the files beside it count here.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl Database {
    /// The Redis that is named somewhere.
    pub fn redis(&self) -> Option<&RedisUrl> {
        self.redis.as_ref()
    }

    /// What proves Redis to us, and us to Redis, where its URL is `rediss`.
    pub fn redis_tls(&self) -> RedisTlsFiles {
        let client = self.redis_certificate.clone().zip(self.redis_key.clone());
        RedisTlsFiles {
            ca: self.redis_ca.clone(),
            client: client.map(|(certificate, key)| TlsFiles { certificate, key }),
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["rooms", "all"]))]
pub struct Verify {
    #[command(flatten)]
    pub database: Database,
    /// The rooms to check.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub rooms: Vec<RoomName>,
    /// Check every room of the deployment.
    #[arg(long)]
    pub all: bool,
    /// Check the rooms' moderation logs in the place of the rooms' own.
    #[arg(long)]
    pub moderation: bool,
    /// One JSON object a line, a room each.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Subcommand)]
pub enum User {
    /// Print everything that Redis holds of a user: one JSON object a line.
    Export(Export),
    /// Remove everything that Redis holds of a user; his messages leave their places in the rooms.
    Erase(Erase),
}

impl User {
    pub(super) fn database(&mut self) -> &mut Database {
        match self {
            Self::Export(export) => &mut export.database,
            Self::Erase(erase) => &mut erase.database,
        }
    }
}

#[derive(Debug, Clone, Args)]
pub struct Export {
    #[command(flatten)]
    pub database: Database,
    /// The user's id.
    #[arg(value_name = "USER", value_parser = user)]
    pub user: UserId,
    /// Also what others said that mentions the user, answers him by his id, or changes what he said.
    #[arg(long)]
    pub and_mentions: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Erase {
    #[command(flatten)]
    pub database: Database,
    /// The user's id.
    #[arg(value_name = "USER", value_parser = user)]
    pub user: UserId,
    /// Count what would be removed, and remove nothing.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Leave bans and mutes, which hold by the user's id.
    #[arg(long)]
    pub keep_bans: bool,
    /// Remove others' messages as well that mention the user or answer him by his id.
    #[arg(long)]
    pub and_mentions: bool,
    /// Print the counts as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What a token for development is to say.
#[derive(Debug, Clone, Args)]
pub struct Token {
    /// Who speaks: the `sub`.
    #[arg(long, visible_alias = "sub", value_name = "USER")]
    pub user: String,
    /// The name that others see; by default the user.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What the bearer may do to others and what they wrote.
    #[arg(long, value_enum, default_value = "member")]
    pub role: TokenRole,
    /// The rooms that it opens, such as `general,team-*`; by default all that are not closed. The flag
    /// may be repeated.
    #[arg(long, value_name = "ROOMS", value_delimiter = ',', action = ArgAction::Append)]
    pub rooms: Vec<String>,
    /// How long it counts: at most a year.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    pub expires_in: Duration,
    /// In whose name it is made. By default the only issuer with HS256 in the application's `identity`.
    #[arg(long, value_name = "ISSUER")]
    pub issuer: Option<String>,
    /// Whom it is for; only together with a secret of your own.
    #[arg(long, value_name = "AUDIENCE")]
    pub audience: Option<String>,
    /// A file with the secret, `-` for standard input, if it is not to be that of the application's
    /// `identity_secrets`. A line's end at its end does not count.
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// The application, if it is there: its `identity` and `identity_secrets`, which the environment
    /// sets as SPIN_VARIABLE_IDENTITY and SPIN_VARIABLE_IDENTITY_SECRETS.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenRole {
    Member,
    Moderator,
    Admin,
}

/// When output has colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    Always,
    Never,
}

pub(super) fn room(text: &str) -> Result<RoomName, NameError> {
    RoomName::parse(text.strip_prefix('#').unwrap_or(text))
}

pub(super) fn user(text: &str) -> Result<UserId, NameError> {
    UserId::parse(text)
}

fn position(text: &str) -> Result<Position, String> {
    if text == "0" {
        return Ok(Position::ORIGIN);
    }
    text.parse().map_err(|error| {
        format!("{error}; give SEQ-TAG, as `clustertalk send` prints it, or 0 for the beginning")
    })
}

fn lifetime(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match lifetime {
        lifetime if lifetime < Duration::from_secs(1) || lifetime > LONGEST => {
            Err("a token counts from a second to a year".to_owned())
        }
        lifetime => Ok(lifetime),
    }
}

#[derive(Debug, Clone, Subcommand)]
pub enum Policy {
    /// Find what is wrong in a policy file.
    Check {
        /// The policy (docs/policies.md).
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a policy into the moderation component; an edge that runs takes it within seconds.
    Build(Build),
    /// Say what would become of a text, and why.
    Explain(Explain),
    /// Run the tests in a policy file; exits with 1 if one fails.
    Test(TestPolicy),
    /// Say what a policy would have done with what was said in a room.
    Replay(Box<Replay>),
    /// Judge texts as the application's moderation would: lines of JSON in, lines of JSON out.
    Score(Score),
    /// List the built-in rules.
    Rules,
}

impl Policy {
    pub(super) fn database(&mut self) -> Option<&mut Database> {
        match self {
            Self::Replay(replay) => Some(&mut replay.database),
            _ => None,
        }
    }
}

/// Which moderation is asked.
#[derive(Debug, Clone, Args)]
pub struct Moderator {
    /// The application, whose moderation is asked.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// Another moderation component than the application's.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// Where compiled components are kept.
    #[arg(long, value_name = "DIR", default_value = ".clustertalk")]
    pub data: PathBuf,
}

/// Which moderation is asked, and with which policy.
#[derive(Debug, Clone, Args)]
pub struct Tried {
    #[command(flatten)]
    pub moderator: Moderator,
    /// Try this policy; the component's file is left as it is.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Build {
    /// The policy (docs/policies.md).
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The application, whose moderation is to have the policy.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// Another moderation component than the application's.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// Write the component here, and leave the one it is made from.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Explain {
    #[command(flatten)]
    pub tried: Tried,
    /// The room in which it is said.
    #[arg(long, default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// What is said; `-` for standard input.
    pub text: String,
}

#[derive(Debug, Clone, Args)]
pub struct TestPolicy {
    #[command(flatten)]
    pub moderator: Moderator,
    /// The policy, with its tests.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct Replay {
    #[command(flatten)]
    pub database: Database,
    /// The application, whose moderation is asked.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// Another moderation component than the application's.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    /// Try this policy; the component's file is left as it is.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The room whose log is judged anew. Nothing in it changes.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// One JSON object a line: each message that would be different, then the counts.
    #[arg(long)]
    pub json: bool,
}

impl Replay {
    pub fn tried(&self) -> Tried {
        Tried {
            moderator: Moderator {
                manifest: self.manifest.clone(),
                component: self.component.clone(),
                data: self.database.data.clone(),
            },
            policy: self.policy.clone(),
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(after_help = SCORE_FORM)]
pub struct Score {
    /// Read and write a JSON object a line.
    #[arg(long, required = true)]
    pub jsonl: bool,
    #[command(flatten)]
    pub tried: Tried,
}

const SCORE_FORM: &str = r#"In, on standard input:   {"id": 7, "text": "This is spam"}
Out, in the same order:  {"id": 7, "scores": {"spam": 0.75, …}, "action": "mask"}
A score of 0.5 or more flags, of 0.75 masks, of 0.95 blocks. A line that cannot be judged is answered
with {"id", "line", "error": {"code", "message"}}, and makes the command exit with 1 in the end."#;
