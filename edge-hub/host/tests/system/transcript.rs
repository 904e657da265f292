//! Documents whose transcripts are run as they stand.

use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt, path::Path};

use clustertalk_host::config::search_path;
use tempfile::TempDir;
use tokio::process::Command;

use super::harness::{Edge, RedisServer, within};

/// The lines of all fenced blocks of a kind, in order.
pub fn blocks<'a>(document: &'a str, kind: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(fence) => inside = fence == kind,
            None if inside => lines.push(line),
            None => {}
        }
    }
    assert!(!lines.is_empty(), "no block `{kind}`");
    lines
}

/// Runs the `console` blocks of a document: each command must print what stands below it.
/// Answers with the commands.
pub async fn run<'a>(document: &'a str, programs: &Programs, values: &mut Values) -> Vec<&'a str> {
    let mut commands = Vec::new();
    let mut lines = blocks(document, "console").into_iter().peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").expect("a command");
        commands.push(command);
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            expected.push(line);
        }
        let printed = programs.shell(&values.fill(command)).await;
        let printed: Vec<&str> = printed.lines().collect();
        let same = printed.len() == expected.len()
            && printed
                .iter()
                .zip(&expected)
                .all(|(printed, expected)| values.fit(expected, printed));
        assert!(
            same,
            "{command}\nprints   {printed:#?}\nand not  {expected:#?}"
        );
    }
    commands
}

/// What a document calls by its name, with the addresses of a test.
pub struct Programs {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Programs {
    pub fn new(redis: &RedisServer, edge: &Edge) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let find = |name: &str| {
            search_path()
                .into_iter()
                .map(|directory| directory.join(name))
                .find(|path| path.is_file())
                .unwrap_or_else(|| {
                    panic!("{name} is not installed; `cargo xtask build` says how to get it")
                })
        };
        let (redis_cli, redis_server) = (find("redis-cli"), find("redis-server"));
        let (redis_cli, redis_server) = (redis_cli.display(), redis_server.display());
        let clustertalk = env!("CARGO_BIN_EXE_clustertalk");
        for (name, script) in [
            // What a person sees on a terminal, where it is none. A port of its own wins.
            (
                "redis-cli",
                format!("exec {redis_cli} -p {} --no-raw \"$@\"", redis.port),
            ),
            ("redis-server", format!("exec {redis_server} \"$@\"")),
            (
                "clustertalk",
                format!(
                    "case \"$1\" in\n\
                     send|tail|history|rooms|stats|moderation) exec {clustertalk} \"$@\" --url {};;\n\
                     verify|user) exec {clustertalk} \"$@\" --redis {};;\n\
                     esac\n\
                     case \"$1 $2\" in \"policy replay\") exec {clustertalk} \"$@\" --redis {};; esac\n\
                     exec {clustertalk} \"$@\"",
                    edge.url(),
                    redis.url(),
                    redis.url(),
                ),
            ),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("a program");
        }
        Self {
            folder,
            variables: Vec::new(),
        }
    }

    /// With these variables in their environment.
    pub fn with(mut self, variables: &[(&str, &str)]) -> Self {
        let owned = variables
            .iter()
            .map(|&(name, value)| (name.into(), value.into()));
        self.variables.extend(owned);
        self
    }

    /// With a file in the folder in which lines are run.
    pub fn with_file(self, name: &str, content: &[u8]) -> Self {
        fs::write(self.folder.path().join(name), content).expect("a file");
        self
    }

    /// What a line prints, in a folder of its own.
    pub async fn shell(&self, line: &str) -> String {
        let folder: &Path = self.folder.path();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{{ {line}; }} 2>&1")])
            .current_dir(folder)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PATH", format!("{}:{path}", folder.display()));
        let output = within(line, command.output()).await.expect("a shell");
        String::from_utf8(output.stdout).expect("text")
    }
}

/// What placeholders with a suffix stood for.
#[derive(Default)]
pub struct Values(HashMap<String, String>);

impl Values {
    /// Puts known values into a command.
    pub fn fill(&self, command: &str) -> String {
        self.0
            .iter()
            .fold(command.to_owned(), |line, (name, value)| {
                line.replace(&format!("<{name}>"), value)
            })
    }

    /// Whether a line is what was expected of it. New values are kept if it is.
    pub fn fit(&mut self, expected: &str, line: &str) -> bool {
        let mut found = self.0.clone();
        let mut rest = line;
        let mut parts = expected.split('<');
        let Some(after) = rest.strip_prefix(parts.next().unwrap_or_default()) else {
            return false;
        };
        rest = after;
        for part in parts {
            let (name, literal) = part.split_once('>').expect("a placeholder ends with `>`");
            let Some(length) = length(name, rest) else {
                return false;
            };
            let (value, after) = rest.split_at(length);
            let Some(after) = after.strip_prefix(literal) else {
                return false;
            };
            rest = after;
            if name.contains('-') {
                let known = found.entry(name.to_owned()).or_insert(value.to_owned());
                if known != value {
                    return false;
                }
            }
        }
        let fits = rest.is_empty();
        if fits {
            self.0 = found;
        }
        fits
    }
}

/// How much of `text` a placeholder stands for.
fn length(name: &str, text: &str) -> Option<usize> {
    let run = |text: &str, of: fn(&u8) -> bool| text.bytes().take_while(of).count();
    let digits =
        |text: &str, count: usize| (run(text, u8::is_ascii_hexdigit) == count).then_some(count);
    match name.split('-').next()? {
        "tag" | "edge" => digits(text, 16),
        "salt" => digits(text, 32),
        "hash" => digits(text, 64),
        "digest" => Some(7 + digits(text.strip_prefix("sha256:")?, 64)?),
        "time" => Some(13).filter(|&length| run(text, u8::is_ascii_digit) == length),
        "moment" => Some("2026-11-26T08:00:00Z".len()).filter(|_| text.contains('Z')),
        "connection" => Some(run(text, |byte| byte.is_ascii_hexdigit() || *byte == b'-')),
        other => panic!("unknown placeholder <{other}>"),
    }
}
