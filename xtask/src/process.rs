//! Running other programs, and telling the user what is going on.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{IsTerminal, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How often a long step says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
const LINES_SHOWN_ON_FAILURE: usize = 30;

/// One line in cargo's own style: a verb, then what.
pub fn say(verb: &str, what: &str) {
    eprintln!("{} {what}", coloured("1;32", &format!("{verb:>12}")));
}

/// Something the reader should know, that stops nothing.
pub fn warn(what: &str) {
    eprintln!("{} {what}", coloured("1;33", "warning:"));
}

pub fn fail(what: &str) {
    eprintln!("{} {what}", coloured("1;31", "error:"));
}

fn coloured(code: &str, text: &str) -> String {
    if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Runs with our own input and output.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// The standard output of a short command that must succeed.
pub fn output(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().with_context(|| cannot_run(command))?;
    if !status.success() {
        let stderr = String::from_utf8_lossy(&stderr);
        bail!("`{}` failed ({status}): {}", line(command), stderr.trim());
    }
    Ok(String::from_utf8(stdout)?.trim().to_owned())
}

/// A long step whose output is only of interest when it fails: goes to `log`, with a line of
/// progress now and then.
pub struct LongStep<'a> {
    pub verb: &'a str,
    pub what: &'a str,
    pub log: PathBuf,
    pub time_limit: Option<Duration>,
}

impl LongStep<'_> {
    pub fn run(&self, command: &mut Command) -> Result<()> {
        say(self.verb, self.what);
        let log = File::create(&self.log)?;
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| cannot_run(command))?;
        let mut next_sign = SIGN_OF_LIFE;
        loop {
            if let Some(status) = child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                self.show_log();
                bail!(
                    "`{}` failed ({status}); its output is in {}",
                    line(command),
                    self.log.display()
                );
            }
            let elapsed = start.elapsed();
            if self.time_limit.is_some_and(|limit| elapsed >= limit) {
                child.kill()?;
                child.wait()?;
                bail!(
                    "`{}` did not end within {} s",
                    line(command),
                    elapsed.as_secs()
                );
            }
            if elapsed >= next_sign {
                next_sign += SIGN_OF_LIFE;
                let last = last_lines(&self.log, 1).pop().unwrap_or_default();
                say("…", &format!("{} s: {}", elapsed.as_secs(), last.trim()));
            }
            std::thread::sleep(POLL);
        }
    }

    fn show_log(&self) {
        let mut stderr = std::io::stderr().lock();
        for text in last_lines(&self.log, LINES_SHOWN_ON_FAILURE) {
            // Nothing better to do than to go on when the terminal is gone.
            let _ = writeln!(stderr, "    {text}");
        }
    }
}

/// The full path of a program, or nothing if no folder of `PATH` has it.
pub fn find_program(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// As one would type it.
pub fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

fn cannot_run(command: &Command) -> String {
    format!("cannot run `{}`", line(command))
}

fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<_> = text.lines().rev().take(count).map(str::to_owned).collect();
    lines.reverse();
    lines
}
