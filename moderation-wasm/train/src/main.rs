//! Trains the model of the moderation component, and measures it.

mod calibrate;
mod card;
mod corpus;
mod data;
mod disguise;
mod evaluate;
mod examples;
mod learn;
mod lexicons;
mod lines;
mod metrics;
mod random;
mod sources;
mod speed;
mod table;
mod templates;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clustertalk_moderation_wasm::model::{self, Model};
use lexopt::prelude::*;

use corpus::{Corpus, FOLDS, Split};
use disguise::Disguise;
use examples::Examples;
use learn::Settings;
use random::Random;

const HELP: &str = "\
Usage: clustertalk-moderation-train --data DIR [--out DIR | --check | --report | --lines FILE]

Trains the model of the moderation component from labelled lines, and measures it. The same data
give the same files, byte for byte.

  --data DIR   the folder with train.tsv.xz, valid.tsv.xz, synthetic.tsv.xz and lexicons/
  --out DIR    where to write weights.bin, CARD.md, ATTRIBUTION.md [default: moderation-wasm/model]
  --check      writes nothing, and fails if a file is not what would be written
  --report     writes nothing, and prints the figures of the weights as they are built in
  --lines FILE writes the lines that the figures are of, and what was made of each, as JSON lines:
               to compare with other moderators
";

/// Whatever is drawn at random is drawn by it: the templates, the disguises, the order of lines.
const SEED: u64 = 20_261_126;

/// Percent of the lines that are learned in disguise too. Abuse hides more often than talk does.
const DISGUISED_ABUSE: u32 = 25;
const DISGUISED_TALK: u32 = 4;

/// Percent of the clean lines of which a few words are learned by themselves too: otherwise short
/// texts are mostly insults, and any short text is like one.
const FRAGMENTS: u32 = 15;

enum Task {
    Write(PathBuf),
    Check,
    Report,
    Lines(PathBuf),
}

fn main() -> Result<()> {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let committed = component.join("model");
    let mut data: Option<PathBuf> = None;
    let mut task = Task::Write(committed.clone());
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => data = Some(parser.value()?.into()),
            Long("out") => task = Task::Write(parser.value()?.into()),
            Long("check") => task = Task::Check,
            Long("report") => task = Task::Report,
            Long("lines") => task = Task::Lines(parser.value()?.into()),
            Long("help") | Short('h') => {
                print!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let data = data.context("give the folder of the labelled lines: --data DIR")?;
    let corpus = Corpus::read(&data, &component, SEED)?;

    if let Task::Report = task {
        let test = corpus.whole().test;
        print!("{}", speed::measure(&test));
        let model = Model::built_in();
        let judged = evaluate::judge_all(&model, test);
        print!("{}", card::figures(&[("lines not learned", &judged)]));
        print!("{}", card::by_language_and_source(&judged));
        return Ok(());
    }

    let (weights, judged) = train(corpus.whole(), "all sources", |split| split.test)?;
    let mut unseen = Vec::new();
    for fold in FOLDS {
        let (_, judged) = train(corpus.fold(fold), fold.name, |split| split.unseen)?;
        unseen.push((fold.name, judged));
    }
    if let Task::Lines(path) = task {
        return lines::write(&path, &judged, &unseen)
            .with_context(|| format!("cannot write {}", path.display()));
    }
    let files = [
        (
            "CARD.md",
            card::card(&corpus, &Model::new(&weights), &judged, &unseen).into_bytes(),
        ),
        ("ATTRIBUTION.md", card::attribution().into_bytes()),
        ("weights.bin", weights.to_vec()),
    ];
    match task {
        Task::Write(folder) => {
            for (name, bytes) in files {
                let path = folder.join(name);
                std::fs::write(&path, bytes)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        _ => {
            let stale = |(name, bytes): &&(&str, Vec<u8>)| {
                !std::fs::read(committed.join(name)).is_ok_and(|old| old == *bytes)
            };
            let stale: Vec<&str> = files.iter().filter(stale).map(|file| file.0).collect();
            if !stale.is_empty() {
                bail!(
                    "not what training gives: {}; run it without --check",
                    stale.join(", ")
                );
            }
        }
    }
    Ok(())
}

type Weights = [u8; model::BYTES];

/// The weights, and what they make of some of the lines.
fn train(
    split: Split,
    name: &str,
    measured: impl FnOnce(Split) -> Vec<data::Line>,
) -> Result<(Box<Weights>, Vec<evaluate::Judged>)> {
    eprintln!("Training: {name}");
    let mut random = Random::new(SEED);
    let mut examples = Examples::default();
    for line in &split.train {
        examples.push(&line.text, line);
        let percent = match line.labels.as_str() {
            "clean" => DISGUISED_TALK,
            _ => DISGUISED_ABUSE,
        };
        if line.language == "en" && random.chance(percent) {
            let disguise = *random.pick(&Disguise::ALL);
            examples.push(&disguise.apply(&line.text, 50, &mut random), line);
        }
        if line.labels == "clean" && random.chance(FRAGMENTS) {
            examples.push(&fragment(&line.text, &mut random), line);
        }
    }
    let mut table = table::learn(&examples, &Settings::first(SEED), &Settings::second(SEED));
    drop(examples);

    let bytes = |table: &table::Table| -> Result<Box<Weights>> {
        let bytes: Box<[u8]> = table.bytes().into();
        bytes
            .try_into()
            .map_err(|_| anyhow::anyhow!("the weights have another size"))
    };
    let uncalibrated = bytes(&table)?;
    let judged = evaluate::judge_all(&Model::new(&uncalibrated), split.calibrate.clone());
    calibrate::calibrate(&mut table.header, &judged);
    let weights = bytes(&table)?;
    let judged = evaluate::judge_all(&Model::new(&weights), measured(split));
    Ok((weights, judged))
}

/// One to three words in a row.
fn fragment(text: &str, random: &mut Random) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = (1 + random.below(3)).min(words.len());
    let first = random.below(words.len() - count + 1);
    words[first..first + count].join(" ")
}
