//! Word lists as lines: each term by itself.

use std::path::Path;

use anyhow::{Context, Result};

use crate::data::Line;

/// The languages of LDNOOBW that are used, each a file.
const LANGUAGES: &[&str] = &[
    "ar", "cs", "da", "de", "en", "es", "fa", "fi", "fil", "fr", "hi", "hu", "it", "ja", "ko",
    "nl", "no", "pl", "pt", "ru", "sv", "th", "tr", "zh",
];

/// Milder terms of the English list are everyday words as often as not.
const LOWEST_SEVERITY: f32 = 1.6;

pub fn read(folder: &Path) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for language in LANGUAGES {
        let path = folder.join(format!("ldnoobw/{language}.txt"));
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        // The English list is of sexual words and slurs: the other list tells them apart.
        if *language == "en" {
            continue;
        }
        for term in text.lines().map(str::trim).filter(|term| !term.is_empty()) {
            lines.push(line(term, "toxic", language, lines.len()));
        }
    }
    let path = folder.join("surge_profanity_en.csv");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    for row in text.lines().skip(1) {
        let columns: Vec<&str> = row.split(',').collect();
        let [term, canonical, .., severity, _] = columns[..] else {
            continue;
        };
        let Some(&category) = columns.get(4) else {
            continue;
        };
        let severity: f32 = severity.parse().unwrap_or_default();
        let labels = match category {
            "sexual anatomy / sexual acts" if !is_swearing(canonical) => "sexual",
            "racial / ethnic slurs" | "sexual orientation / gender" if severity >= 2.0 => {
                "toxic,hate"
            }
            _ if severity >= LOWEST_SEVERITY => "toxic",
            _ => continue,
        };
        lines.push(line(term, labels, "en", lines.len()));
    }
    Ok(lines)
}

/// Words that are said in anger more often than of the thing.
fn is_swearing(canonical: &str) -> bool {
    [
        "ass", "bastard", "bitch", "cunt", "damn", "fuck", "shit", "wanker", "twat", "prick",
        "dick",
    ]
    .contains(&canonical)
}

fn line(term: &str, labels: &str, language: &str, index: usize) -> Line {
    Line {
        id: format!("lexicon-{index}"),
        text: term.to_owned(),
        labels: labels.to_owned(),
        language: language.to_owned(),
        source: "lexicon".to_owned(),
        weak: String::new(),
        template: None,
    }
}
