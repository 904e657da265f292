//! Digests of the Lua scripts: EVALSHA wants them with every call, and a hub instance lives for
//! one event only, so they are computed here, where those that write entries get their common beginning. And the description of the HTTP API as it is served,
//! without the white space that people read it by.

use sha1::{Digest, Sha1};
use std::{env, fs, path::Path};

fn main() {
    digest_scripts();
    let path = "../protocol/openapi.json";
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    let out = Path::new(&out).join("openapi.json");
    fs::write(&out, minified(&text)).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// The scripts that begin with `entries.lua`.
const WRITE_ENTRIES: [&str; 4] = ["append", "erase", "moderation", "room"];

fn digest_scripts() {
    let read = |name: &str| {
        let path = format!("src/redis/{name}.lua");
        println!("cargo::rerun-if-changed={path}");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    let entries = read("entries");
    for name in [
        "append",
        "erase",
        "inspect",
        "read",
        "mark",
        "moderation",
        "presence",
        "heartbeat",
        "overall",
        "room",
        "rooms",
        "webhooks",
        "rate",
    ] {
        let mut source = read(name);
        if WRITE_ENTRIES.contains(&name) {
            source = format!("{entries}\n{source}");
        }
        let source = bare(&source);
        let path = Path::new(&out).join(format!("{name}.lua"));
        fs::write(&path, &source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let digest = Sha1::digest(source);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("cargo::rustc-env=SHA1_OF_{}={digest}", name.to_uppercase());
    }
}

/// A script without its comments and indentation, which every hub would carry. Its lines keep their
/// numbers, by which Redis tells of errors.
fn bare(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    lines
        .map(|line| if line.starts_with("--") { "" } else { line })
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// JSON without white space between its tokens.
fn minified(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|&char| {
            let kept = in_string || !char.is_ascii_whitespace();
            match char {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                _ => {}
            }
            kept
        })
        .collect()
}
