//! `cargo xtask cloudflare dev`: the Worker in the platform's own runtime on this machine.

use std::{
    ffi::OsString,
    fs,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use lexopt::prelude::*;

use super::{build, wrangler};
use crate::{
    process::{self, find_program},
    project::Project,
    setup::{self, Need},
};

const PORT: u16 = 8787;
/// How long a Redis may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(project: &Project, arguments: Vec<OsString>) -> Result<()> {
    let mut port = PORT;
    let mut redis = std::env::var("REDIS_URL")
        .ok()
        .filter(|url| !url.is_empty());
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("port") => port = parser.value()?.parse()?,
            Long("redis") => redis = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    build(project)?;
    let _private;
    let redis = match redis {
        Some(url) => url,
        None => {
            setup::ensure(project, &[Need::Redis])?;
            let server = PrivateRedis::start(project)?;
            process::say("Running", &format!("a Redis of its own on {}", server.url));
            let url = server.url.clone();
            _private = server;
            url
        }
    };
    process::say("Running", &format!("the Worker on http://127.0.0.1:{port}"));
    process::run(
        wrangler(project)?
            .args(["dev", "--local", "--ip", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--inspector-port", "0"])
            .arg("--show-interactive-dev-session=false")
            .args(["--var", &format!("REDIS_URL:{redis}")])
            // Whoever runs this is alone with it.
            .args(["--var", "ANONYMOUS:true"])
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    )
}

/// A `redis-server` of our own, which ends with us.
struct PrivateRedis {
    server: Child,
    url: String,
}

impl PrivateRedis {
    fn start(project: &Project) -> Result<Self> {
        let program = ["redis-server", "valkey-server"]
            .into_iter()
            .find_map(find_program)
            .context("neither redis-server nor valkey-server is installed")?;
        let data = project.path("target/cloudflare/redis");
        fs::create_dir_all(&data)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--dir"])
            .arg(&data)
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start Redis")?;
        let redis = Self {
            server,
            url: format!("redis://127.0.0.1:{port}"),
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if begun.elapsed() > PATIENCE {
                bail!("Redis did not begin on port {port}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(redis)
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        // So that it writes what it has.
        let id = self.server.id().to_string();
        let _ = process::output(Command::new("kill").args(["-TERM", &id]));
        let _ = self.server.wait();
    }
}
