//! `clustertalk policy replay`: what a policy would have done with what was said in a room.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
};

use anyhow::{Result, bail};
use clustertalk_core::log::{self, Change, Content, Entry};
use serde_json::json;

use super::{candidate::Candidate, message, name};
use crate::{
    command::{
        database::{self, Stretches},
        output::{DIM, NAME, plain, print_json},
    },
    config::Replay,
    policy::Moderation,
    sandbox::moderator::Verdict,
};

pub async fn run(replay: Replay, variables: &BTreeMap<String, String>) -> Result<()> {
    let candidate = Candidate::new(&replay.tried(), variables)?;
    let moderation = candidate.moderation().await?;
    let store = database::open(&replay.database).await?;
    let mut stretches = Stretches::new(&store, &replay.room);
    let mut tally = Tally::default();
    let progress = std::io::stderr().is_terminal();
    while let Some(stretch) = stretches.next().await? {
        for item in &stretch.items {
            let Ok(entry) = Entry::parse(&item.json) else {
                continue;
            };
            if let Some(said) = Said::of(&entry) {
                tally.add(&replay, &moderation, said).await?;
            }
        }
        if progress && stretch.next.is_some() {
            eprint!("\r\u{1b}[K{} messages judged", tally.judged);
        }
    }
    if progress {
        eprint!("\r\u{1b}[K");
    }
    tally.finish(&replay)
}

/// A text that was said.
struct Said<'e> {
    seq: u64,
    user: &'e str,
    text: &'e str,
    /// What was done with it then.
    action: log::Action,
}

impl<'e> Said<'e> {
    fn of(entry: &'e Entry) -> Option<Self> {
        let (user, text, moderation) = match &entry.content {
            Content::Message(message) => (
                &message.body.user,
                &message.body.text,
                Some(&message.moderation),
            ),
            Content::Changed(changed) => match &changed.change {
                Change::Edit { text } => (&changed.user, text, changed.moderation.as_ref()),
                Change::Delete | Change::React { .. } => return None,
            },
            Content::Skipped | Content::Damaged => return None,
        };
        Some(Self {
            seq: entry.link.seq,
            user: user.id.as_str(),
            text,
            action: moderation.map_or(log::Action::Allow, |moderation| moderation.action),
        })
    }
}

#[derive(Default)]
struct Tally {
    judged: usize,
    /// Their texts are not stored.
    masked: usize,
    /// What was done and what would be done, and how often.
    changed: BTreeMap<(&'static str, &'static str), usize>,
}

impl Tally {
    async fn add(
        &mut self,
        replay: &Replay,
        moderation: &Moderation,
        said: Said<'_>,
    ) -> Result<()> {
        if said.action == log::Action::Mask {
            self.masked += 1;
            return Ok(());
        }
        let asked = message(replay.room.as_str(), said.text.to_owned());
        let verdict = match moderation.review(asked).await {
            Ok(verdict) => verdict,
            Err(error) => bail!("the moderation failed at {}: {error}", said.seq),
        };
        self.judged += 1;
        let (before, after) = (said.action.as_str(), name(verdict.action));
        if before != after {
            *self.changed.entry((before, after)).or_default() += 1;
            print_change(replay, &said, after, &verdict)?;
        }
        Ok(())
    }

    fn finish(&self, replay: &Replay) -> Result<()> {
        let changed: usize = self.changed.values().sum();
        let each = self.changed.iter();
        if replay.json {
            let each: Vec<_> = each
                .map(|((before, after), count)| json!({ "before": before, "after": after, "count": count }))
                .collect();
            return print_json(&json!({
                "room": replay.room, "judged": self.judged, "changed": each, "masked_without_text": self.masked,
            }));
        }
        let mut out = anstream::stdout().lock();
        let each: Vec<String> = each
            .map(|((before, after), count)| format!("{count} from {before} to {after}"))
            .collect();
        let details = match each.is_empty() {
            true => String::new(),
            false => format!(": {}", each.join(", ")),
        };
        writeln!(
            out,
            "{} messages of #{} judged, {changed} would be different{details}",
            self.judged, replay.room
        )?;
        if self.masked > 0 {
            writeln!(
                out,
                "{} masked messages could not be judged: the text of a masked message is not stored",
                self.masked
            )?;
        }
        Ok(out.flush()?)
    }
}

fn print_change(replay: &Replay, said: &Said<'_>, after: &str, verdict: &Verdict) -> Result<()> {
    let before = said.action.as_str();
    let label = verdict.scores.first().map(|score| score.label.as_str());
    let label = label.filter(|_| after != "allow");
    if replay.json {
        return print_json(&json!({
            "seq": said.seq, "user": said.user, "before": before, "after": after, "label": label,
            "rule": verdict.rule, "text": said.text,
        }));
    }
    let by = match (label, &verdict.rule) {
        (Some(label), Some(rule)) => format!(" ({label}, {})", plain(rule)),
        (Some(label), None) => format!(" ({label})"),
        _ => String::new(),
    };
    let mut out = anstream::stdout().lock();
    writeln!(
        out,
        "{DIM}{:>6}{DIM:#}  {before} → {after}{by}  {NAME}{}{NAME:#}: {}",
        said.seq,
        plain(said.user),
        plain(said.text)
    )?;
    Ok(())
}
