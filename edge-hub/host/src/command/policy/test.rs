//! `clustertalk policy test`: whether a policy does with messages what its file says.

use std::{collections::BTreeMap, io::Write};

use anyhow::{Result, bail};

use super::{candidate::Candidate, message, name, read};
use crate::{
    command::output::{BAD, GOOD, plain},
    config::TestPolicy,
    sandbox::moderator::{Action, Verdict},
};

pub async fn run(test: TestPolicy, variables: &BTreeMap<String, String>) -> Result<()> {
    let policy = read(&test.file)?;
    if policy.tests.is_empty() {
        bail!(
            "{} has no tests: `[[test]]` with a `text` and the `action` that it is to lead to",
            test.file.display()
        );
    }
    let candidate = Candidate::with(&test.moderator, &policy, variables)?;
    let moderation = candidate.moderation().await?;
    let mut out = anstream::stdout().lock();
    let mut failed = 0;
    for (line, test) in &policy.tests {
        let room = test.room.as_deref().unwrap_or("general");
        let text = test.text.get_ref();
        let verdict = match moderation.review(message(room, text.clone())).await {
            Ok(verdict) => verdict,
            Err(error) => bail!("the moderation failed: {error}"),
        };
        let wrong = differences(test, &verdict);
        if !wrong.is_empty() {
            failed += 1;
            let text = plain(text);
            writeln!(
                out,
                "{BAD}FAILED{BAD:#}  line {line}: {text}\n        {}",
                wrong.join(", ")
            )?;
        }
    }
    let all = policy.tests.len();
    if failed > 0 {
        out.flush()?;
        bail!(
            "{failed} of {all} tests failed; `clustertalk policy explain --policy FILE TEXT` says why"
        );
    }
    writeln!(
        out,
        "{GOOD}ok{GOOD:#}  {all} tests of policy `{}`",
        plain(&policy.name)
    )?;
    Ok(out.flush()?)
}

/// What is not as it is to be.
fn differences(test: &clustertalk_policy::Test, verdict: &Verdict) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, expected: Option<&str>, found: Option<&str>| {
        if expected.is_some() && expected != found {
            let (expected, found) = (expected.unwrap_or_default(), found.unwrap_or("none"));
            wrong.push(format!(
                "{what} {} and not {}",
                plain(found),
                plain(expected)
            ));
        }
    };
    let decided = verdict.action != Action::Allow;
    let label = verdict.scores.first().filter(|_| decided);
    compare(
        "action",
        Some(test.action.name()),
        Some(name(verdict.action)),
    );
    compare(
        "label",
        test.label.as_deref(),
        label.map(|score| score.label.as_str()),
    );
    compare("rule", test.rule.as_deref(), verdict.rule.as_deref());
    compare(
        "replacement",
        test.replacement.as_deref(),
        verdict.replacement.as_deref(),
    );
    wrong
}
