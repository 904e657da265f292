//! Files in TOML that people write: errors that say where, why, and what to do.

use std::{fmt, ops::Range, path::Path, path::PathBuf};

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Counted from 1; none when the file could not be read at all.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
        }
        write!(formatter, ": {}; {}", self.reason, self.advice)
    }
}

/// Turns places in the text into lines.
pub(crate) struct Locator<'a> {
    pub path: &'a Path,
    pub text: &'a str,
}

impl Locator<'_> {
    pub fn refuse(
        &self,
        span: Range<usize>,
        reason: impl Into<String>,
        advice: impl Into<String>,
    ) -> FileError {
        FileError {
            path: self.path.to_owned(),
            line: Some(self.line(span.start)),
            reason: reason.into(),
            advice: advice.into(),
        }
    }

    pub fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }
}

/// Advice for a name that is not among `known`: the nearest one, or all of them.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min();
    match nearest {
        Some((distance, candidate)) if distance * 3 <= name.len().max(candidate.len()) => {
            format!("did you mean `{candidate}`?")
        }
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "remove it".to_owned(),
    }
}
