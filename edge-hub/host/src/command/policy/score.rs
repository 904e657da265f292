//! `clustertalk policy score`: many texts through the real component, in their order.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufWriter, Read, Write},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{runtime::Handle, task};

use super::{candidate::Candidate, message, name};
use crate::{
    command::output,
    config::Score,
    policy::{Moderation, UNREVIEWED},
    sandbox::moderator::Verdict,
};

/// Bytes of a line at most; more is answered with `too_large`, and read past.
const LINE_BYTES: usize = 8 * 1024 * 1024;
/// A thread gets so many lines at once, or fewer if they have so many bytes.
const BATCH_LINES: usize = 256;
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that wait for a thread, and answers that wait to be written.
const WAITING: usize = 2;

pub async fn run(score: Score, variables: &BTreeMap<String, String>) -> Result<()> {
    let candidate = Candidate::new(&score.tried, variables)?;
    let moderation = Arc::new(candidate.moderation().await?);
    let handle = Handle::current();
    let wrong = task::spawn_blocking(move || judge_all(&handle, &moderation)).await??;
    match wrong {
        0 => Ok(()),
        1 => bail!("1 line was not judged; it is answered with an `error`"),
        wrong => bail!("{wrong} lines were not judged; they are answered with an `error`"),
    }
}

/// Lines as they came, with the number of the first.
struct Batch {
    first: usize,
    lines: Vec<Line>,
}

enum Line {
    Whole(Vec<u8>),
    TooLarge,
}

struct Answers {
    text: Vec<u8>,
    wrong: usize,
}

/// Judges standard input; gives how many lines could not be. Each thread has every n-th batch, and
/// their answers are taken in turn, so that the order is kept and little waits.
fn judge_all(handle: &Handle, moderation: &Moderation) -> Result<usize> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let (tasks, answers): (Vec<SyncSender<Batch>>, Vec<Receiver<Answers>>) = (0..threads)
            .map(|_| {
                let (batches, inbox) = sync_channel::<Batch>(WAITING);
                let (outbox, answers) = sync_channel(WAITING);
                scope.spawn(move || {
                    for batch in inbox {
                        if outbox.send(answer(handle, moderation, batch)).is_err() {
                            break;
                        }
                    }
                });
                (batches, answers)
            })
            .unzip();
        let writer = scope.spawn(move || write_in_turn(&answers));
        let read = read_in_turn(io::stdin().lock(), &tasks);
        drop(tasks);
        let wrong = writer.join().expect("the writer does not panic")?;
        read.context("standard input cannot be read")?;
        Ok(wrong)
    })
}

fn read_in_turn(mut input: impl BufRead, tasks: &[SyncSender<Batch>]) -> io::Result<()> {
    let mut number = 1;
    for task in tasks.iter().cycle() {
        let mut batch = Batch {
            first: number,
            lines: Vec::new(),
        };
        let mut bytes = 0;
        while batch.lines.len() < BATCH_LINES && bytes < BATCH_BYTES {
            let Some(line) = read_line(&mut input)? else {
                break;
            };
            if let Line::Whole(line) = &line {
                bytes += line.len();
            }
            batch.lines.push(line);
        }
        number += batch.lines.len();
        // Nobody takes it where nobody reads the answers.
        if batch.lines.is_empty() || task.send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

/// The next line without its end; `None` at the end of the input.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let most = LINE_BYTES as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_BYTES {
        input.skip_until(b'\n')?;
        return Ok(Some(Line::TooLarge));
    }
    Ok(Some(Line::Whole(line)))
}

fn write_in_turn(answers: &[Receiver<Answers>]) -> Result<usize> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut wrong = 0;
    for receiver in answers.iter().cycle() {
        let Ok(answers) = receiver.recv() else { break };
        output.write_all(&answers.text)?;
        output.flush()?;
        wrong += answers.wrong;
    }
    Ok(wrong)
}

#[derive(Deserialize)]
struct Asked {
    id: Value,
    text: String,
}

fn answer(handle: &Handle, moderation: &Moderation, batch: Batch) -> Answers {
    let mut answers = Answers {
        text: Vec::new(),
        wrong: 0,
    };
    for (index, line) in batch.lines.into_iter().enumerate() {
        if matches!(&line, Line::Whole(line) if line.trim_ascii().is_empty()) {
            continue;
        }
        let answer = judge(handle, moderation, line).unwrap_or_else(|refusal| {
            answers.wrong += 1;
            let Refusal { id, code, message } = refusal;
            let error = json!({ "code": code, "message": message });
            json!({ "id": id, "line": batch.first + index, "error": error })
        });
        answers.text.extend(output::json(&answer).as_bytes());
        answers.text.push(b'\n');
    }
    answers
}

struct Refusal {
    id: Value,
    code: &'static str,
    message: String,
}

fn judge(handle: &Handle, moderation: &Moderation, line: Line) -> Result<Value, Refusal> {
    let refuse = |id, code, message| Err(Refusal { id, code, message });
    let Line::Whole(line) = line else {
        let message = format!("the line has more than {LINE_BYTES} bytes");
        return refuse(Value::Null, "too_large", message);
    };
    let Asked { id, text } = match serde_json::from_slice(&line) {
        Ok(asked) => asked,
        Err(error) => return refuse(Value::Null, "bad_json", error.to_string()),
    };
    match handle.block_on(moderation.review(message("general", text))) {
        Ok(verdict) if verdict.scores.iter().any(|score| score.label == UNREVIEWED) => {
            let message = "the component failed; the reason stands in the log".to_owned();
            refuse(id, "internal", message)
        }
        Ok(verdict) => Ok(judged(&id, &verdict)),
        Err(error) => refuse(id, "unavailable", error),
    }
}

fn judged(id: &Value, verdict: &Verdict) -> Value {
    let scores: Map<String, Value> = verdict
        .scores
        .iter()
        .map(|score| (score.label.clone(), json!(score.value)))
        .collect();
    json!({ "id": id, "scores": scores, "action": name(verdict.action) })
}
