//! Which paths a Rust source names: enough of the syntax to see through comments, strings and
//! grouped imports, without a parser.

/// Source without comments and string literals.
pub struct RustSource(String);

impl RustSource {
    pub fn new(text: &str) -> Self {
        Self(without_comments_and_strings(text))
    }

    /// Every path that begins with `root::`, without it, groups taken apart: `std::{a, b::{c, d}}`
    /// gives `a`, `b::c` and `b::d`.
    pub fn paths_under(&self, root: &str) -> Vec<String> {
        let mut paths = Vec::new();
        let start = format!("{root}::");
        let mut rest = self.0.as_str();
        let mut before = None;
        while let Some(at) = rest.find(&start) {
            let previous = rest[..at].chars().next_back().or(before);
            let after = &rest[at + start.len()..];
            // Neither the end of a longer name nor the middle of a path.
            if !previous.is_some_and(|c| is_name(c) || c == ':') {
                expand("", after, &mut paths);
            }
            before = start.chars().next_back();
            rest = after;
        }
        paths
    }
}

/// Adds the paths of one use tree, and gives what is left after it.
fn expand<'a>(prefix: &str, text: &'a str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start();
            if let Some(end) = rest.strip_prefix('}') {
                return end;
            }
            let left = expand(prefix, rest, paths).trim_start();
            rest = match left.strip_prefix(',') {
                Some(next) => next,
                None if left.len() < rest.len() && left.starts_with('}') => left,
                // Not a use tree after all: a block after an expression.
                None => return left,
            };
        }
    }
    let end = text
        .find(|c: char| !is_name(c) && c != '*')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return rest;
    }
    let path = if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}::{name}")
    };
    let rest = rest.trim_start();
    if let Some(deeper) = rest.strip_prefix("::")
        && deeper
            .trim_start()
            .starts_with(|c: char| is_name(c) || c == '{' || c == '*')
    {
        return expand(&path, deeper, paths);
    }
    paths.push(path);
    // `a as b`
    match rest.strip_prefix("as ") {
        Some(alias) => alias.trim_start().trim_start_matches(is_name),
        None => rest,
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn without_comments_and_strings(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string(rest).filter(|_| !kept.ends_with(is_name)) {
            length
        } else if c == '"' {
            string(rest)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else {
            kept.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        kept.push(' ');
        rest = &rest[skipped..];
    }
    kept
}

/// Length of the string literal that `text` begins with.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string literal that `text` begins with, if it does.
fn raw_string(text: &str) -> Option<usize> {
    let opening = text.strip_prefix('r')?;
    let hashes = opening.len() - opening.trim_start_matches('#').len();
    let body = opening[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = body
        .find(&closing)
        .map_or(body.len(), |end| end + closing.len());
    Some(text.len() - body.len() + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_taken_apart() {
        let cases: &[(&str, &[&str])] = &[
            ("use std::fmt;", &["fmt"]),
            (
                "use std::{fmt, time::{Duration, Instant}, io};",
                &["fmt", "time::Duration", "time::Instant", "io"],
            ),
            (
                "use std::{\n    env as environment,\n    net::*,\n};",
                &["env", "net::*"],
            ),
            ("use std::{env::{self, vars}};", &["env::self", "env::vars"]),
            (
                "std::mem::take(&mut std::vec::Vec::<std::rc::Rc>::new())",
                &["mem::take", "vec::Vec", "rc::Rc"],
            ),
            (
                "mystd::a; x::std::b; ::std::c; r\"std::d\"; \"\\\"std::e\"; /* std::f */ // std::g",
                &[],
            ),
            ("r#\"a \" std::h\"#; '\"'; std::i", &["i"]),
        ];
        for (text, expected) in cases {
            assert_eq!(
                RustSource::new(text).paths_under("std"),
                *expected,
                "{text}"
            );
        }
    }
}
