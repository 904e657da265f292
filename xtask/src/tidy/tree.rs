//! The files and folders of the repository.

use std::{fs, process::Command};

use anyhow::{Context, Result};

use super::{Problem, rust_source::RustSource};
use crate::{process, project::Project};

/// A file that people write and read.
pub struct SourceFile {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub fn rust(&self) -> RustSource {
        RustSource::new(if self.is_rust() { &self.text } else { "" })
    }
}

const EXTENSIONS: &[&str] = &[
    "css", "js", "kt", "lua", "mjs", "py", "rs", "sh", "swift", "ts", "tsx", "wit",
];

/// What git knows or would add; generated files excepted, which say so in their first lines.
pub fn source_files(project: &Project) -> Result<Vec<SourceFile>> {
    let mut list = Command::new("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(&project.root);
    let mut files = Vec::new();
    for path in process::output(&mut list)?.split('\0') {
        let extension = path.rsplit('.').next().unwrap_or_default();
        if !EXTENSIONS.contains(&extension) {
            continue;
        }
        // Deleted, and git was not told yet.
        let Ok(text) = fs::read_to_string(project.root.join(path)) else {
            continue;
        };
        if !text.lines().take(5).any(|line| line.contains("@generated")) {
            files.push(SourceFile {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

pub fn read(project: &Project, path: &str) -> Result<String> {
    fs::read_to_string(project.root.join(path)).with_context(|| format!("cannot read {path}"))
}

/// The top level is settled; a new subject goes into one of these.
pub fn top_level(project: &Project) -> Result<Vec<Problem>> {
    const FOLDERS: &[&str] = &[
        ".cargo",
        ".ci",
        ".github",
        "analytics-wasm",
        "clients",
        "components",
        "deploy",
        "docs",
        "edge-hub",
        "moderation-wasm",
        "xtask",
    ];
    // Git's, and what `.gitignore` lists.
    const NOT_OURS: &[&str] = &[".git", ".clustertalk", "target"];
    let mut problems = Vec::new();
    for entry in fs::read_dir(&project.root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_known = FOLDERS.contains(&name.as_str()) || NOT_OURS.contains(&name.as_str());
        if entry.file_type()?.is_dir() && !is_known {
            problems.push(Problem::new(
                name,
                "is not a folder of the layout (see ARCHITECTURE.md)",
            ));
        }
    }
    Ok(problems)
}

/// True if `word` stands in `text` and is not a part of a longer name.
pub fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_is_not_a_part_of_a_longer_one() {
        assert!(has_word("| http, http-body | host |", "http"));
        assert!(!has_word("| http-body, serde_json | host |", "http"));
        assert!(!has_word("| http-body, serde_json | host |", "serde"));
        assert!(has_word("closes with 4001.", "4001"));
    }
}
