//! The files that go with the weights: what they were made of, and how good they are.

use std::collections::BTreeMap;
use std::fmt::Write;

use clustertalk_moderation_wasm::model::{self, Head, Model};
use clustertalk_moderation_wasm::verdict::Action;

use crate::calibrate::{FLAGGED, MASKED};
use crate::corpus::Corpus;
use crate::evaluate::{self, By, Judged};
use crate::metrics;
use crate::sources::{SOURCES, Truth};

/// Lines of one kind, under the name of a column.
type Column<'a> = (&'a str, &'a [Judged]);

pub fn card(
    corpus: &Corpus,
    model: &Model,
    known: &[Judged],
    unseen: &[(&str, Vec<Judged>)],
) -> String {
    let mut columns: Vec<Column> = vec![("lines not learned, of learned sources", known)];
    columns.extend(
        unseen
            .iter()
            .map(|(name, judged)| (*name, judged.as_slice())),
    );
    let last = unseen
        .last()
        .map_or(&[][..], |(_, judged)| judged.as_slice());
    [
        introduction(),
        data(corpus),
        "## Figures\nThe first column is of lines that were held back from sources that were learned. The others are of models that \
         were trained without the sources they are measured on, which is how it is with a chat of yours: they decide.\n\n".to_owned(),
        figures(&columns),
        own_templates(last),
        disguises(model, known),
        thresholds(known),
        by_language_and_source(known),
        FAILURES.to_owned(),
    ]
    .concat()
}

fn introduction() -> String {
    format!(
        "# Model card of `{}`\n\
         Made by `cargo xtask train`; do not edit.\n\n\
         Five logistic regressions (toxic, hate, spam, sexual, threat) over hashed words, pairs of words and runs of letters \
         in normalised text, and {} cues such as links, money and capitals: {} bytes, of which a message reads a few kilobytes. \
         It joins the rules: the higher score decides, and the model alone never blocks.\n\n\
         It is for flagging and masking chat messages where people can look at what was done. It is not for judging people, \
         and no proof of anything.\n\n",
        model::NAME,
        clustertalk_moderation_wasm::features::cues::Cue::COUNT,
        model::BYTES,
    )
}

fn data(corpus: &Corpus) -> String {
    let mut text = "## Data\nSources under a share-alike licence are left out, since nobody has settled whether weights are adapted from data: \
         Korean and Portuguese have our own lines and word lists only. Texts of `tests` are never learned.\n\n\
         | source | licence | lines learned |\n|---|---|--:|\n"
        .to_owned();
    for source in SOURCES {
        let count = match source.share_alike {
            true => "left out".to_owned(),
            false => corpus.count(source.name).to_string(),
        };
        let _ = writeln!(text, "| {} | {} | {count} |", source.name, source.licence);
    }
    for (name, what) in [
        ("template", "our own templates (`train/templates`)"),
        ("synthetic", "our own lines that come with the data"),
        (
            "lexicon",
            "word lists: LDNOOBW (CC-BY-4.0), surge-ai/profanity (MIT)",
        ),
    ] {
        let _ = writeln!(text, "| {what} | | {} |", corpus.count_of_kind(name));
    }
    text + "\n"
}

/// The measures by which the model is compared, a column for each kind of lines.
pub fn figures(columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.0).collect();
    let mut text = format!(
        "| | {} |\n|---|{}\n",
        names.join(" | "),
        "--:|".repeat(columns.len())
    );
    let mut row = |name: &str, value: &dyn Fn(&[Judged]) -> Option<String>| {
        let values = columns
            .iter()
            .map(|(_, judged)| value(judged).unwrap_or_default());
        let values: Vec<String> = values.collect();
        if values.iter().any(|value| !value.is_empty()) {
            let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
        }
    };
    let three = |value: f64| format!("{value:.3}");
    let percent = |value: f64| format!("{:.2} %", value * 100.0);
    row("English abuse: AUC, model", &|judged| {
        metrics::auc(&evaluate::english_abuse(judged, By::Model)).map(three)
    });
    row("English abuse: AUC, with rules", &|judged| {
        metrics::auc(&evaluate::english_abuse(judged, By::Both)).map(three)
    });
    row("English abuse: best F1", &|judged| {
        let scored = evaluate::english_abuse(judged, By::Model);
        metrics::auc(&scored).map(|_| three(metrics::best_f1(&scored)))
    });
    row("other languages: abuse AUC, mean", &|judged| {
        let languages = languages(judged);
        let values: Vec<f64> = languages
            .iter()
            .filter(|language| **language != "en")
            .filter_map(|language| {
                metrics::auc(&evaluate::scored(judged, Head::Toxic, By::Model, |one| {
                    one.is_real() && one.line.language == *language
                }))
            })
            .collect();
        (!values.is_empty()).then(|| three(values.iter().sum::<f64>() / values.len() as f64))
    });
    row("other languages: abuse AUC, all together", &|judged| {
        let scored = evaluate::scored(judged, Head::Toxic, By::Model, |one| {
            one.is_real() && one.line.language != "en"
        });
        metrics::auc(&scored).map(three)
    });
    for head in Head::ALL {
        for (by, kind) in [(By::Model, "model"), (By::Both, "with rules")] {
            let name = if head == Head::Toxic {
                "abuse"
            } else {
                head.name()
            };
            let beside = |judged: &[Judged]| evaluate::beside_chat(judged, head, by);
            row(
                &format!("{name} beside chat: AUC, {kind} (lines)"),
                &|judged| beside(judged).map(|found| format!("{:.3} ({})", found.auc, found.lines)),
            );
            row(
                &format!("{name}: found where 1 % of chat is flagged, {kind}"),
                &|judged| beside(judged).map(|found| three(found.recall)),
            );
            row(
                &format!("{name}: chat flagged where 90 % is found, {kind}"),
                &|judged| beside(judged).map(|found| percent(found.flagged)),
            );
        }
    }
    for (action, name) in [
        (Action::Flag, "flagged or masked"),
        (Action::Mask, "masked"),
    ] {
        row(
            &format!("everyday chat {name}, model and rules"),
            &|judged| {
                evaluate::acted(judged, action, Judged::is_chat).map(|(share, _)| percent(share))
            },
        );
    }
    text + "\n"
}

fn languages(judged: &[Judged]) -> Vec<&str> {
    let mut languages: Vec<&str> = judged
        .iter()
        .map(|one| one.line.language.as_str())
        .collect();
    languages.sort_unstable();
    languages.dedup();
    languages
}

fn own_templates(judged: &[Judged]) -> String {
    let mut text = "## Harmless and harmful lines of our own\nOf templates that were left out of the training of the last column.\n\n\
         | templates | labels | lines | flagged or masked | masked |\n|---|---|--:|--:|--:|\n"
        .to_owned();
    let mut groups: Vec<(&str, &str)> = judged
        .iter()
        .filter(|one| one.line.template.is_some())
        .map(|one| (one.line.source.as_str(), one.line.labels.as_str()))
        .collect();
    groups.sort_unstable();
    groups.dedup();
    for (source, labels) in groups {
        let keep = |one: &Judged| one.line.source == source && one.line.labels == labels;
        if let (Some((flagged, lines)), Some((masked, _))) = (
            evaluate::acted(judged, Action::Flag, keep),
            evaluate::acted(judged, Action::Mask, keep),
        ) {
            let name = source.trim_start_matches("template-");
            let _ = writeln!(
                text,
                "| {name} | {labels} | {lines} | {:.1} % | {:.1} % |",
                flagged * 100.0,
                masked * 100.0
            );
        }
    }
    text + "\n"
}

fn disguises(model: &Model, judged: &[Judged]) -> String {
    let mut text = "## Disguises\nOf English abuse that is flagged as it is, the share that is still flagged in disguise.\n\n\
         | disguise | half of the words | every word |\n|---|--:|--:|\n"
        .to_owned();
    for (disguise, half, all) in evaluate::disguised(model, judged) {
        let _ = writeln!(text, "| {} | {half:.3} | {all:.3} |", disguise.name());
    }
    text + "\n"
}

fn thresholds(judged: &[Judged]) -> String {
    let mut text = "## Calibration and thresholds\nPlatt's calibration on half of the validation lines, measured on the other half: \
         the expected difference between a probability and the share of lines for which it holds, over ten bins. \
         The thresholds let this share of everyday chat pass; a score of 0.5 is that of flagging, 0.75 that of masking.\n\n\
         | head | AUC | calibration error | chat flagged | chat masked |\n|---|--:|--:|--:|--:|\n"
        .to_owned();
    for head in Head::ALL {
        let probabilities: Vec<metrics::Scored> = judged
            .iter()
            .filter(|one| one.truth(head) != Truth::Open)
            .map(|one| {
                (
                    one.probabilities[head as usize],
                    one.truth(head) == Truth::Yes,
                )
            })
            .collect();
        let _ = writeln!(
            text,
            "| {} | {:.3} | {:.4} | {:.2} % | {:.2} % |",
            head.name(),
            metrics::auc(&probabilities).unwrap_or_default(),
            metrics::calibration_error(&probabilities),
            FLAGGED[head as usize] * 100.0,
            MASKED[head as usize] * 100.0,
        );
    }
    text + "\n"
}

pub fn by_language_and_source(judged: &[Judged]) -> String {
    let mut text = "## By language and source\nOf lines not learned. Abuse is what is labelled toxic.\n\n\
         | | lines | abuse AUC | clean flagged | clean masked | labelled flagged | labelled masked |\n|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let mut groups: BTreeMap<String, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for one in judged {
        let (language, source) = (one.line.language.as_str(), one.line.source.as_str());
        // Of our own templates there is a row a file: they say nothing of how people talk.
        if one.is_real() {
            groups.insert(format!("language {language}"), (Some(language), None));
        }
        groups.insert(format!("source {source}"), (None, Some(source)));
    }
    for (name, (language, source)) in groups {
        let is_of = |one: &Judged| {
            language.is_none_or(|language| one.is_real() && one.line.language == language)
                && source.is_none_or(|source| one.line.source == source)
        };
        let auc = metrics::auc(&evaluate::scored(judged, Head::Toxic, By::Model, is_of));
        let share = |action, clean: bool| {
            let share = evaluate::acted(judged, action, |one| {
                is_of(one) && (one.line.labels == "clean") == clean
            });
            share.map_or_else(String::new, |(share, _)| format!("{:.1} %", share * 100.0))
        };
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} | {} | {} |",
            judged.iter().filter(|one| is_of(one)).count(),
            auc.map_or_else(String::new, |auc| format!("{auc:.3}")),
            share(Action::Flag, true),
            share(Action::Mask, true),
            share(Action::Flag, false),
            share(Action::Mask, false),
        );
    }
    text + "\n"
}

const FAILURES: &str = "\
## Known failures
- It sees words and pairs of them, no meaning: hate without hateful words (HatemojiBuild, GAHD, implicit hate) is little better than chance, and irony, quotation and reclaimed words are lost on it.
- \"Abuse\" is what annotators of the sources called so. Davidson calls much African American English and any \"bitch\" offensive; EDOS is of sexism only; COLDataset and MLMA are noisy; GoEmotions' clean lines hold mild swearing.
- Threats and advances were learned from templates more than from people: figures for them flatter.
- Languages without a source (Korean, Portuguese, Spanish, Italian, Japanese and all others) have word lists and a few lines of ours: their coarsest words are found, little else. There are no figures for them.
- Bad words in innocent company are flagged: \"Dostoevsky wrote The Idiot\", \"you are not stupid\". `tests/cases` lists those that are known, as `flagged_by_model`.
- The unseen sources were looked at while features and templates were chosen. Expect lower figures on chat that nobody has seen.
- Names, places and words nobody has seen can look like bad ones by their letters.
- Words whose every letter is spaced by one space run together, so that where one ends is lost.
- Of a text beyond 128 words the worst 256 words in a row count, so that length hides nothing; very long clean texts are flagged a little more often.
";

pub fn attribution() -> String {
    let mut text = "# Where the model's data come from\n\
         The weights were trained on lines of these sources, and hold none of them. The data are not part of this repository. \
         What was changed: texts were normalised, cut into words and runs of letters, and counted.\n\n\
         | source | repository | licence |\n|---|---|---|\n"
        .to_owned();
    for source in SOURCES.iter().filter(|source| !source.share_alike) {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            source.title, source.repository, source.licence
        );
    }
    text.push_str(
        "| List of Dirty, Naughty, Obscene and Otherwise Bad Words | LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words | CC-BY-4.0 |\n\
         | The Obscenity List (Surge AI) | surge-ai/profanity | MIT |\n\
         | Discord phishing links | nikolaischunk/discord-phishing-links | MIT |\n\n\
         CC-BY-4.0: creativecommons.org/licenses/by/4.0. Apache-2.0: apache.org/licenses/LICENSE-2.0. CC0-1.0: creativecommons.org/publicdomain/zero/1.0.\n",
    );
    text
}
