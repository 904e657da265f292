//! Every setting, as it is written: the one definition of flags, environment variables and keys.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::{ArgAction, Args, ValueEnum, builder::BoolishValueParser};
use clustertalk_core::limits::Limits;
use tracing_subscriber::EnvFilter;

use super::webhooks::WebhookSettings;

/// The settings of an edge. A field `a_name` is the flag `--a-name`, the environment variable
/// `CLUSTERTALK_A_NAME` and the key `a-name` of the file; its comment is what the reference says.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// A file with settings in TOML, one `key = value` a line. By default `clustertalk.toml` in the
    /// current folder, if there is one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,
    /// Where `/metrics`, `/healthz` and `/readyz` are for operators, or `off`. By default on
    /// loopback, at the port of `listen` plus 10000 (minus, if that is too high).
    #[arg(long, value_name = "ADDR|off")]
    pub admin: Option<Admin>,
    /// Where the private Redis and the compiled components are kept.
    #[arg(long, value_name = "DIR", default_value = ".clustertalk")]
    pub data: PathBuf,
    /// The Redis to use. Without it the environment's REDIS_URL or SPIN_VARIABLE_REDIS_URL; without
    /// those a private one is started. Others on the machine can read the flag, and with it the password.
    #[arg(long, value_name = "URL")]
    pub redis: Option<RedisUrl>,
    /// For a `rediss` URL: certificates in PEM of the authorities that may certify Redis. Without it
    /// the public ones may.
    #[arg(long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
    /// For a `rediss` URL: the certificate in PEM that this edge shows, if Redis asks for one.
    #[arg(long, value_name = "FILE")]
    pub redis_certificate: Option<PathBuf>,
    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE")]
    pub redis_key: Option<PathBuf>,
    /// The application.
    #[arg(long, value_name = "FILE", default_value = "spin.toml")]
    pub manifest: PathBuf,
    /// Let anyone choose a name, though the address is not loopback or tokens of some issuer count.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub allow_anonymous: bool,
    /// Let pages of any origin connect, though the address is not loopback.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, action = ArgAction::Set,
          default_value = "false", default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub allow_any_origin: bool,
    /// One more origin whose pages may connect and use the HTTP API, such as https://chat.example.org. On
    /// loopback the edge answers to its host too. The flag may be repeated, the variable has commas
    /// between them, the key takes a list.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub origin: Vec<String>,
    /// The certificate chain in PEM, the edge's own first: serves HTTPS only. Read again when the
    /// file changes, and on SIGHUP.
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// How long the end may take after SIGTERM or Ctrl-C, in which clients are moved elsewhere.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub drain: Duration,
    /// What to log: levels, for all or by crate.
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG, value_parser = filter)]
    pub log: String,
    /// How to log: lines for people, or one JSON object a line.
    #[arg(long, value_name = "FORMAT", default_value = "text", value_enum)]
    pub log_format: LogFormat,
    /// The share of messages that are traced, if OTEL_EXPORTER_OTLP_ENDPOINT is set: from 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = share)]
    pub trace_share: f64,
    #[command(flatten)]
    pub limits: LimitSettings,
    #[command(flatten)]
    pub webhooks: WebhookSettings,
}

/// What a connection may do, and how many there may be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Connections in all, plain ones too; those beyond are answered with 503.
    #[arg(long, value_name = "COUNT", default_value = "18000")]
    pub limit_connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64; those beyond are answered with 429.
    #[arg(long, value_name = "COUNT", default_value = "200")]
    pub limit_connections_per_address: usize,
    /// Bytes of UTF-8 in one message.
    #[arg(long, value_name = "BYTES", default_value = "4096")]
    pub limit_text_bytes: usize,
    /// Bytes of one frame of a client, or of the body of a request.
    #[arg(long, value_name = "BYTES", default_value = "16384")]
    pub limit_frame_bytes: usize,
    /// Nested arrays and objects in a frame.
    #[arg(long, value_name = "COUNT", default_value = "16")]
    pub limit_json_depth: usize,
    /// Rooms that a connection may be in.
    #[arg(long, value_name = "COUNT", default_value = "64")]
    pub limit_rooms_per_connection: usize,
    /// Rooms that there may be on this Redis.
    #[arg(long, value_name = "COUNT", default_value = "10000")]
    pub limit_rooms: u64,
    /// Messages a second that a user may send for long, over all edges.
    #[arg(long, value_name = "COUNT", default_value = "5")]
    pub limit_messages_per_second: u32,
    /// Messages that a user may send at once after a pause.
    #[arg(long, value_name = "COUNT", default_value = "20")]
    pub limit_burst: u32,
    /// How long a connection may take until its first frame.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    pub limit_hello: Duration,
    /// After this time of silence a client pings the edge, and the edge a client.
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = humantime::parse_duration)]
    pub limit_ping: Duration,
    /// At most one `typing` of a connection passes in this time.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = humantime::parse_duration)]
    pub limit_typing: Duration,
    /// At most one `read` of a connection passes in this time.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub limit_read: Duration,
    /// Edits of one message.
    #[arg(long, value_name = "COUNT", default_value = "64")]
    pub limit_edits: u32,
    /// Frames in a row that may be refused before the connection is closed.
    #[arg(long, value_name = "COUNT", default_value = "20")]
    pub limit_refused_in_a_row: u8,
    /// Messages in one page.
    #[arg(long, value_name = "COUNT", default_value = "100")]
    pub limit_page_messages: usize,
    /// Bytes of stored entries in one page.
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    pub limit_page_bytes: usize,
    /// Messages that a client without a position gets.
    #[arg(long, value_name = "COUNT", default_value = "50")]
    pub limit_recent_messages: usize,
    /// Messages that the log of a room keeps.
    #[arg(long, value_name = "COUNT", default_value = "10000")]
    pub limit_log_entries: u64,
    /// The age at which messages leave the log of a room.
    #[arg(long, value_name = "DURATION", default_value = "30days", value_parser = humantime::parse_duration)]
    pub limit_log_age: Duration,
}

impl LimitSettings {
    /// Those that the hub knows too. The setting of a limit `a_name` is `limit-a-name`.
    pub(super) fn hub(&self) -> Limits {
        Limits {
            text_bytes: self.limit_text_bytes,
            frame_bytes: self.limit_frame_bytes,
            json_depth: self.limit_json_depth,
            rooms_per_connection: self.limit_rooms_per_connection,
            rooms: self.limit_rooms,
            messages_per_second: self.limit_messages_per_second,
            burst: self.limit_burst,
            hello: self.limit_hello,
            ping: self.limit_ping,
            typing: self.limit_typing,
            read: self.limit_read,
            edits: self.limit_edits,
            refused_in_a_row: self.limit_refused_in_a_row,
            page_messages: self.limit_page_messages,
            page_bytes: self.limit_page_bytes,
            recent_messages: self.limit_recent_messages,
            log_entries: self.limit_log_entries,
            log_age: self.limit_log_age,
        }
    }
}

/// What is logged if nothing else is asked for.
pub const DEFAULT_LOG: &str = "warn,clustertalk_host=info";

/// How logs are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Where the admin listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admin {
    At(SocketAddr),
    Off,
}

impl FromStr for Admin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::At).map_err(|error| {
                format!("{error}; give an address with a port, such as 127.0.0.1:13000, or `off`")
            }),
        }
    }
}

/// The URL of a Redis. Shown, it has no password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// With the password, if it has one.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for RedisUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut shown) = url::Url::parse(&self.0) else {
            return formatter.write_str("(not a URL)");
        };
        if shown.password().is_some() {
            let _ = shown.set_password(Some("***"));
        }
        // That of a socket's path stands in the query.
        shown.set_query(None);
        write!(formatter, "{shown}")
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

fn filter(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text).map(|_| text.to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("give a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, expected) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://:secret@host:1", "redis://:***@host:1"),
            ("rediss://ada:secret@host/2", "rediss://ada:***@host/2"),
            (
                "unix:///run/redis.sock?pass=secret",
                "unix:///run/redis.sock",
            ),
            ("secret", "(not a URL)"),
        ] {
            let url = RedisUrl::new(url);
            assert_eq!(url.to_string(), expected);
            assert_eq!(format!("{url:?}"), expected);
        }
    }
}
