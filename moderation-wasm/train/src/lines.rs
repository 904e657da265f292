//! The lines that were measured, for comparison with other moderators.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

use clustertalk_moderation_wasm::model::Head;
use serde::Serialize;

use crate::evaluate::{self, By, Judged};
use crate::sources::Truth;

#[derive(Serialize)]
struct Line<'a> {
    /// What was left out of the training: the name of a fold, or nothing.
    fold: &'a str,
    source: &'a str,
    language: &'a str,
    labels: &'a str,
    text: &'a str,
    /// Whether it is abuse; nothing where its source did not look.
    abuse: Option<bool>,
    /// Of everyday chat that nobody complained about.
    chat: bool,
    /// From a template.
    own: bool,
    /// The abuse head's logit, by the model alone.
    model: f32,
    /// Of the model and the rules, the highest score of abuse.
    both: f32,
    action: &'a str,
}

pub fn write(path: &Path, known: &[Judged], unseen: &[(&str, Vec<Judged>)]) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let folds = [("", known)].into_iter();
    let folds = folds.chain(unseen.iter().map(|(name, judged)| (*name, &judged[..])));
    for (fold, judged) in folds {
        for one in judged {
            let line = Line {
                fold,
                source: &one.line.source,
                language: &one.line.language,
                labels: &one.line.labels,
                text: &one.line.text,
                abuse: match one.truth(Head::Toxic) {
                    Truth::Yes => Some(true),
                    Truth::No => Some(false),
                    Truth::Open => None,
                },
                chat: one.is_chat(),
                own: !one.is_real(),
                model: one.logits[Head::Toxic as usize],
                both: evaluate::score(one, Head::Toxic, By::Both),
                action: one.action.name(),
            };
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
    }
    file.flush()
}
