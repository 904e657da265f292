//! `cargo xtask dev`: the host with Vite in front of it.

use std::{
    ffi::OsString,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{
    build, process,
    project::Project,
    setup::{self, Need},
};

pub const HELP: &str = "\
Usage: cargo xtask dev [ARGUMENT]...

Like `cargo xtask up`, with Vite in front: open http://localhost:5173, and a change of
clients/web shows at once. Vite passes /ws and /api on to the edge at http://127.0.0.1:3000.
The arguments go to `clustertalk up`. Ctrl-C ends both.

After a change in Rust, `cargo xtask build hub` (or moderation, analytics) in another terminal
replaces the component in the running host, which drops no socket.
";

const POLL: Duration = Duration::from_millis(100);
/// How long both may take to end before they are killed.
const PATIENCE: Duration = Duration::from_secs(15);

pub fn run(project: &Project, arguments: Vec<OsString>) -> Result<()> {
    setup::ensure(project, &[Need::Redis])?;
    build::run(project, &[])?;

    // Ctrl-C reaches all three of us; this process waits for the other two.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut host = Command::new(project.host_binary())
        .arg("up")
        .args(arguments)
        .current_dir(&project.root)
        .spawn()
        .context("cannot start the host")?;
    // Not by npm, which would stand between a signal and Vite.
    let vite = Command::new("node")
        .arg("node_modules/vite/bin/vite.js")
        .current_dir(project.web_client())
        .stdin(Stdio::null())
        .spawn();
    let mut vite = match vite {
        Ok(vite) => vite,
        Err(error) => {
            end(&mut host)?;
            return Err(error).context("cannot start Vite");
        }
    };
    while !interrupted.load(Ordering::Relaxed) && is_running(&mut host)? && is_running(&mut vite)? {
        std::thread::sleep(POLL);
    }
    end(&mut vite)?;
    end(&mut host)
}

fn is_running(child: &mut Child) -> Result<bool> {
    Ok(child.try_wait()?.is_none())
}

/// Asks a child to end, so that it ends its own children, and waits for it.
fn end(child: &mut Child) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    if is_running(child)? {
        process::output(Command::new("kill").args(["-TERM", &child.id().to_string()]))?;
    }
    while is_running(child)? {
        if Instant::now() >= deadline {
            process::warn(&format!(
                "process {} does not end and is killed",
                child.id()
            ));
            child.kill()?;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
