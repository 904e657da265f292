//! Which lines are learned, by which the scores are calibrated, and by which they are measured.

use std::path::Path;

use anyhow::{Context, Result};

use crate::data::{self, Line, Reserved};
use crate::{lexicons, sources, templates};

/// All lines that may be used.
pub struct Corpus {
    train: Vec<Line>,
    valid: Vec<Line>,
}

/// Lines for one training.
pub struct Split {
    pub train: Vec<Line>,
    pub calibrate: Vec<Line>,
    pub test: Vec<Line>,
    /// Everything of the sources that were left out.
    pub unseen: Vec<Line>,
}

/// A training that leaves out some sources, to see how it does on them: users are no source.
pub struct Fold {
    pub name: &'static str,
    pub without: &'static [&'static str],
}

/// Each leaves out sources with abuse, and one of the sources of everyday chat.
pub const FOLDS: &[Fold] = &[
    Fold {
        name: "tweets, talk to bots, Wikipedia; chat of Reddit",
        without: &[
            "davidson",
            "wiki-cat",
            "wiki-jigsaw",
            "convabuse",
            "goemotions",
        ],
    },
    Fold {
        name: "comments; chat of IRC",
        without: &["paradetox", "irc-ubuntu"],
    },
    Fold {
        name: "news comments, emoji, German tweets, all spam, threats and advances but our own; chat of SMS",
        without: &[
            "toxic-spans",
            "hatemoji-build",
            "germeval2018",
            "sms-spam",
            "discord-scams",
            "synthetic-spam",
            "synthetic-threat",
            "synthetic-sexual",
            "synthetic-benign",
        ],
    },
];

impl Corpus {
    /// `data` is the folder of the labelled lines, `component` that of the moderation component.
    pub fn read(data: &Path, component: &Path, seed: u64) -> Result<Corpus> {
        let reserved = Reserved::read(&component.join("tests"))?;
        let domains = component.join("rules/phishing-domains.txt");
        let domains = std::fs::read_to_string(&domains)
            .with_context(|| format!("cannot read {}", domains.display()))?;
        let domains: Vec<&str> = domains
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();

        let mut train = data::read(data, "train")?;
        let mut valid = data::read(data, "valid")?;
        let (more, held): (Vec<Line>, Vec<Line>) = data::read(data, "synthetic")?
            .into_iter()
            .partition(|line| line.lot() % 10 < 8);
        train.extend(more);
        valid.extend(held);
        // A tenth of our own lines calibrates and measures: without them spam and threats have few.
        let (held, more): (Vec<Line>, Vec<Line>) = templates::make(
            &component.join("train/templates"),
            &domains,
            &reserved,
            seed,
        )?
        .into_iter()
        .partition(|line| line.lot() % 20 < 2);
        train.extend(more);
        valid.extend(held);
        train.extend(lexicons::read(&data.join("lexicons"))?);

        let may_be_used = |line: &Line| !sources::find(&line.source).share_alike;
        train.retain(|line| may_be_used(line) && !reserved.has(&line.text));
        valid.retain(may_be_used);
        Ok(Corpus { train, valid })
    }

    /// The lines for the model itself.
    pub fn whole(&self) -> Split {
        self.split(&|_| false)
    }

    /// The lines for a fold. A fifth of our own templates is left out too, by template.
    pub fn fold(&self, fold: &Fold) -> Split {
        self.split(&|line| {
            fold.without.contains(&line.source.as_str())
                || line.template.is_some_and(|number| number % 5 == 0)
        })
    }

    fn split(&self, left_out: &dyn Fn(&Line) -> bool) -> Split {
        let divide = |lines: &[Line]| -> (Vec<Line>, Vec<Line>) {
            lines.iter().cloned().partition(|line| left_out(line))
        };
        let (mut unseen, train) = divide(&self.train);
        let (more, valid) = divide(&self.valid);
        unseen.extend(more);
        let (calibrate, test) = valid.into_iter().partition(|line| line.lot() % 2 == 0);
        Split {
            train,
            calibrate,
            test,
            unseen,
        }
    }

    /// How many lines of a source are learned.
    pub fn count(&self, source: &str) -> usize {
        self.train
            .iter()
            .filter(|line| line.source == source)
            .count()
    }

    /// How many lines of a source, or of all whose name begins so, are learned.
    pub fn count_of_kind(&self, prefix: &str) -> usize {
        self.train
            .iter()
            .filter(|line| line.source.starts_with(prefix))
            .count()
    }
}
