//! How many tests passed, read from what the test runners print, and the table at the end.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::process;

/// Tests that passed and failed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
}

impl Counts {
    pub const ONE_PASSED: Self = Self {
        passed: 1,
        failed: 0,
    };

    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// One line of the table.
pub struct Row {
    pub name: &'static str,
    pub counts: Counts,
    time: Duration,
}

impl Row {
    /// A group that could not run at all counts as one failure.
    pub fn new(name: &'static str, time: Duration, result: Result<Counts>) -> Self {
        let counts = result.unwrap_or_else(|error| {
            process::fail(&format!("{name}: {error:#}"));
            Counts {
                passed: 0,
                failed: 1,
            }
        });
        Self { name, counts, time }
    }

    pub fn summary(&self) -> String {
        let Counts { passed, failed } = self.counts;
        format!(
            "{:<12} {:>7.1} s {passed:>6} passed {failed:>4} failed",
            self.name,
            self.time.as_secs_f64()
        )
    }
}

pub fn print(rows: &[Row]) {
    let mut total = Counts::default();
    println!();
    for row in rows {
        total.add(row.counts);
        println!("  {}", row.summary());
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
}

/// Runs a test program, passing its output on, and adds up what its runners report.
pub fn count(command: &mut Command) -> Result<Counts> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{}`", process::line(command)))?;
    let output = child.stdout.take().context("its output was asked for")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.write_all(b"\n")?;
        counts.add(counts_in(&String::from_utf8_lossy(&line)));
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        process::fail(&format!("`{}` failed ({status})", process::line(command)));
        counts.failed = 1;
    }
    // A check without tests of its own, such as eslint.
    if status.success() && counts == Counts::default() {
        counts = Counts::ONE_PASSED;
    }
    Ok(counts)
}

/// What one line of output reports: the last line of a Rust test binary, of vitest, or of node's
/// own runner.
fn counts_in(line: &str) -> Counts {
    let line = line.trim();
    let words: Vec<_> = line
        .split(|c: char| c.is_whitespace() || c == ';')
        .filter(|word| !word.is_empty())
        .collect();
    // "12 passed": the number stands before the word.
    let before = |name: &str| {
        words
            .windows(2)
            .find_map(|pair| (pair[1] == name).then(|| pair[0].parse().ok())?)
            .unwrap_or(0)
    };
    match words.as_slice() {
        ["test", "result:", ..] | ["Tests", ..] => Counts {
            passed: before("passed"),
            failed: before("failed"),
        },
        ["#" | "ℹ", "pass", number] => Counts {
            passed: number.parse().unwrap_or(0),
            failed: 0,
        },
        ["#" | "ℹ", "fail", number] => Counts {
            passed: 0,
            failed: number.parse().unwrap_or(0),
        },
        _ => Counts::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runner_is_understood() {
        let cases = [
            (
                "test result: ok. 6 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                6,
                0,
            ),
            (
                "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured",
                5,
                2,
            ),
            ("      Tests  12 passed (12)", 12, 0),
            ("      Tests  1 failed | 11 passed (12)", 11, 1),
            (" Test Files  3 passed (3)", 0, 0),
            ("# pass 3", 3, 0),
            ("ℹ fail 1", 0, 1),
            ("test slow_reader_is_closed_alone ... ok", 0, 0),
        ];
        for (line, passed, failed) in cases {
            assert_eq!(counts_in(line), Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn program_that_fails_without_a_count_is_one_failure() {
        let counts = count(Command::new("sh").args(["-c", "echo oh; exit 3"])).expect("sh runs");
        assert_eq!(
            counts,
            Counts {
                passed: 0,
                failed: 1
            }
        );
        let counts = count(&mut Command::new("true")).expect("true runs");
        assert_eq!(counts, Counts::ONE_PASSED);
    }
}
