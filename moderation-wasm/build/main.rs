//! Compiles `rules/` into Rust tables, and refuses what would not work, by file and line.
//!
//! Done here and not at run time so that the component carries no TOML parser and no rule can
//! be wrong once it is built.

// Each is used in part here, wholly by the crate.
#[allow(dead_code)]
#[path = "../src/normalise/fold.rs"]
mod fold;
#[path = "../src/hash.rs"]
mod hash;
#[allow(dead_code)]
#[path = "../src/rules/phrase.rs"]
mod phrase;
#[allow(dead_code)]
#[path = "../src/rules/tables.rs"]
mod tables;
#[allow(dead_code)]
#[path = "../src/verdict.rs"]
mod verdict;
#[allow(dead_code)]
#[path = "../src/normalise/words.rs"]
mod words;

mod characters;
mod domains;
mod rules;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=rules");
    println!("cargo::rerun-if-changed=build");
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("run me by cargo")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("run me by cargo")?);
    let data = root.join("rules");

    let rules = rules::compile(&rule_files(&data)?)?;
    write(&out.join("vocabulary.rs"), &rules.vocabulary)?;
    write(&out.join("rules.rs"), &rules.tables)?;

    let characters = characters::compile(&Source::read(&data.join("characters.toml"))?)?;
    write(&out.join("characters.rs"), &characters)?;

    let top_level = Source::read(&data.join("top-level-domains.txt"))?;
    let phishing = Source::read(&data.join("phishing-domains.txt"))?;
    write(
        &out.join("domains.rs"),
        &domains::compile(&top_level, &phishing)?,
    )
}

/// A file of `rules/`, with the name that errors give it.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Result<Source, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(path).map_err(|error| read_error(path, &error))?;
        Ok(Source {
            name: format!("rules/{name}"),
            text,
        })
    }

    /// A message that points at the line of a byte.
    fn error(&self, byte: usize, message: &str) -> String {
        let before = &self.text[..byte.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        format!("{}:{line}: {message}", self.name)
    }

    fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        toml::from_str(&self.text).map_err(|error| {
            let byte = error.span().map_or(0, |span| span.start);
            self.error(byte, error.message())
        })
    }
}

/// Every TOML file but the one of characters, in the order of their names.
fn rule_files(data: &Path) -> Result<Vec<Source>, String> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(data).map_err(|error| read_error(data, &error))? {
        let path = entry.map_err(|error| read_error(data, &error))?.path();
        let is_toml = path
            .extension()
            .is_some_and(|extension| extension == "toml");
        if is_toml
            && path
                .file_name()
                .is_some_and(|name| name != "characters.toml")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| Source::read(path)).collect()
}

fn read_error(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
