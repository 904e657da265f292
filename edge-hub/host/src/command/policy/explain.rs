//! `clustertalk policy explain`: what the moderation makes of a text, and why.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{candidate::Candidate, message, name};
use crate::{
    command::output::{BAD, Cell, DIM, GOOD, HEAD, plain, print_json, table},
    config::Explain,
    policy::{Explanation, Feature, Thresholds},
    sandbox::moderator::Action,
};

pub async fn run(explain: Explain, variables: &BTreeMap<String, String>) -> Result<()> {
    let text = match explain.text.as_str() {
        "-" => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read")?;
            text.trim_end_matches('\n').to_owned()
        }
        text => text.to_owned(),
    };
    let candidate = Candidate::new(&explain.tried, variables)?;
    let explainer = candidate.explainer().await.context(
        "this moderation does not say why; `clustertalk policy score --jsonl` says what it makes of texts",
    )?;
    let room = explain.room.as_str();
    let explanation = match explainer.explain(message(room, text)).await {
        Ok(explanation) => explanation,
        Err(error) => bail!("the moderation failed: {error}"),
    };
    match explain.json {
        true => print_json(&as_json(&explanation, &explainer.digest().to_string())),
        false => print(&explanation, &explainer.digest().to_string()),
    }
}

fn print(explanation: &Explanation, digest: &str) -> Result<()> {
    let Explanation {
        verdict,
        policy,
        normalised,
        findings,
        features,
        thresholds,
    } = explanation;
    let mut out = anstream::stdout().lock();
    let style = match verdict.action {
        Action::Allow => GOOD,
        _ => BAD,
    };
    let why = match (&verdict.rule, &verdict.model, verdict.scores.first()) {
        (Some(rule), _, Some(score)) => format!("{} by the rule {}", score.label, plain(rule)),
        (None, Some(model), Some(score)) => {
            format!(
                "{} {:.2} by the model {}",
                score.label,
                score.value,
                plain(model)
            )
        }
        _ => "nothing is enough for more".to_owned(),
    };
    writeln!(out, "{style}{}{style:#}  {why}", name(verdict.action))?;
    if let Some(replacement) = &verdict.replacement {
        writeln!(out, "shown       {}", plain(replacement))?;
    }
    let policy = match policy.as_str() {
        "" => "none".to_owned(),
        policy => format!("`{}`", plain(policy)),
    };
    writeln!(out, "policy      {policy}  {DIM}{digest}{DIM:#}")?;
    writeln!(out, "normalised  {}", plain(normalised))?;
    let rows: Vec<Vec<Cell>> = findings
        .iter()
        .map(|finding| {
            vec![
                Cell::text(&finding.label),
                Cell::text(&format!("{:.2}", finding.score)),
                Cell::text(name(finding.action)),
                Cell::text(finding.rule.as_deref().unwrap_or("the model")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out)?;
        out.write_all(table(&["found", "score", "alone", "by"], &rows).as_bytes())?;
    }
    let rows: Vec<Vec<Cell>> = thresholds
        .iter()
        .map(
            |Thresholds {
                 label,
                 flag,
                 mask,
                 block,
             }| {
                let score = |score: &f32| match score.is_finite() {
                    true => Cell::text(&format!("{score:.2}")),
                    false => Cell::text("never"),
                };
                vec![Cell::text(label), score(flag), score(mask), score(block)]
            },
        )
        .collect();
    if !rows.is_empty() {
        writeln!(out)?;
        let head = ["from which score", "flag", "mask", "block"];
        out.write_all(table(&head, &rows).as_bytes())?;
    }
    if !features.is_empty() {
        writeln!(out, "\n{HEAD}what weighed most for the model{HEAD:#}")?;
    }
    for of_label in features.chunk_by(|a, b| a.label == b.label) {
        let label = plain(&of_label[0].label);
        let weights: Vec<String> = of_label.iter().map(weight).collect();
        writeln!(out, "{label:<10}  {}", weights.join(", "))?;
    }
    Ok(out.flush()?)
}

fn weight(feature: &Feature) -> String {
    format!("{} {:+.2}", plain(&feature.what), feature.weight)
}

fn as_json(explanation: &Explanation, digest: &str) -> serde_json::Value {
    let Explanation {
        verdict,
        policy,
        normalised,
        findings,
        features,
        thresholds,
    } = explanation;
    // What is not finite is never reached: null.
    let score = |score: f32| (f64::from(score) * 1000.0).round() / 1000.0;
    let score = |value: f32| value.is_finite().then(|| score(value));
    json!({
        "action": name(verdict.action),
        "rule": verdict.rule,
        "model": verdict.model,
        "replacement": verdict.replacement,
        "policy": policy,
        "digest": digest,
        "normalised": normalised,
        "findings": findings.iter().map(|finding| json!({
            "label": finding.label, "score": score(finding.score), "action": name(finding.action), "rule": finding.rule,
        })).collect::<Vec<_>>(),
        "thresholds": thresholds.iter().map(|of| json!({
            "label": of.label, "flag": score(of.flag), "mask": score(of.mask), "block": score(of.block),
        })).collect::<Vec<_>>(),
        "features": features.iter().map(|feature| json!({
            "label": feature.label, "what": feature.what, "weight": score(feature.weight),
        })).collect::<Vec<_>>(),
    })
}
