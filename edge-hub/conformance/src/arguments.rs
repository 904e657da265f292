//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::Parser;

use crate::skips::Platform;

/// Hold an edge of ClusterTalk to PROTOCOL.md: every case quotes the sentence that it holds.
///
/// Cases make users and rooms of their own, so it may run against a deployment that others use; the
/// rooms are deleted at the end. It opens some dozens of connections and takes about a minute.
///
/// Exit status: 0 if all cases passed or were skipped with a reason, 1 if one failed, 2 if the edge
/// could not be tried at all.
#[derive(Parser)]
#[command(name = "clustertalk-conformance", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The edge, such as http://127.0.0.1:3000 or https://chat.example.org.
    #[arg(required_unless_present = "list")]
    pub url: Option<String>,
    /// Another edge of the same deployment: what crosses edges is tried, too.
    #[arg(long, value_name = "URL")]
    pub second: Option<String>,
    /// Where the edge runs: cases that this platform is known not to hold are skipped.
    #[arg(long, value_enum, default_value = "native")]
    pub platform: Platform,
    /// A further list of cases to skip, in the form of edge-hub/conformance/skips/*.toml.
    #[arg(long, value_name = "FILE")]
    pub skip: Vec<PathBuf>,
    /// Run only cases whose name contains this. May be repeated: any of them.
    #[arg(long, value_name = "PART")]
    pub only: Vec<String>,
    /// Print the names of all cases with what they hold, and do nothing else.
    #[arg(long)]
    pub list: bool,
    /// Secret of an issuer that the edge is configured with, for HS256. Users then have tokens.
    #[arg(
        long,
        env = "CLUSTERTALK_TOKEN_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub token_secret: Option<String>,
    /// That issuer.
    #[arg(long, default_value = "conformance", value_name = "ISSUER")]
    pub token_issuer: String,
    /// The audience that the edge expects from it.
    #[arg(long, default_value = "clustertalk", value_name = "AUDIENCE")]
    pub token_audience: String,
    /// Key of a server (`ctk_…`) that the edge is configured with.
    #[arg(
        long,
        env = "CLUSTERTALK_SERVER_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub server_key: Option<String>,
    /// Seconds that one answer is waited for.
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Cases that run side by side.
    #[arg(long, default_value_t = 8, value_name = "COUNT", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub parallel: u8,
    /// How often each latency is measured, 50 times if nothing else is said; 0 leaves that out. Done
    /// only if no case failed, and with `--only` if it is asked for.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub latency: Option<u16>,
    /// Write the result as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  clustertalk-conformance http://127.0.0.1:3000
  clustertalk-conformance http://127.0.0.1:3000 --second http://127.0.0.1:3001 --junit result.xml
  clustertalk-conformance http://127.0.0.1:3000 --only resume/ --only delivery/
  CLUSTERTALK_TOKEN_SECRET=… clustertalk-conformance https://chat.example.org --token-issuer shop";

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=600) => Ok(Duration::from_secs(seconds)),
        _ => Err("a number from 1 to 600 is needed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        let parse = |line: &str| Arguments::try_parse_from(line.split(' '));
        assert!(parse("c http://x --timeout 0").is_err());
        assert!(parse("c").is_err(), "a URL is needed");
        assert!(parse("c --list").is_ok());
    }
}
