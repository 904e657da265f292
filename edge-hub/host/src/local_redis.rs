//! The Redis that comes with `clustertalk up`: a private `redis-server` or `valkey-server` on a
//! loopback port, with its data in the data folder. It lives exactly as long as the host.

use std::{
    convert::Infallible,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];
/// The log may be long; reading it back takes time.
const STARTING: Duration = Duration::from_secs(60);
/// It has little to write: each command was written as it came.
const STOPPING: Duration = Duration::from_secs(10);
/// The pause before one that ended by itself is started again.
const RESTARTING: Duration = Duration::from_millis(500);
/// A host that was killed leaves its Redis a moment to end.
const LOCKING: Duration = Duration::from_secs(5);

/// A Redis of this host's own.
pub struct LocalRedis {
    child: Child,
    server: PathBuf,
    folder: PathBuf,
    port: u16,
    url: String,
    /// Held by the child too: as long as either lives, nobody else uses the data.
    lock: File,
}

impl LocalRedis {
    /// Starts it with its data under `data`, and waits until it answers.
    ///
    /// # Errors
    /// If there is no server to start, or another edge uses the folder; the message says what to do.
    pub async fn start(data: &Path) -> Result<Self> {
        let folder = data.join("redis");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let (lock, last_port) = lock(&folder).await?;
        let server = find_server()?;
        let mut tried = last_port.into_iter().collect::<Vec<_>>();
        loop {
            let port = match tried.pop().filter(|&port| is_free(port)) {
                Some(port) => port,
                None => free_port()?,
            };
            let url = format!("redis://127.0.0.1:{port}");
            write_url(&lock, &url)?;
            let mut child = spawn(&server, &folder, port, &lock)?;
            match ready(&mut child, &url, &folder).await? {
                Ready::Yes => {
                    return Ok(Self {
                        child,
                        server,
                        folder,
                        port,
                        url,
                        lock,
                    });
                }
                // Somebody else took the port in between.
                Ready::PortTaken => {}
            }
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Starts it again whenever it ends by itself: the edge keeps its sockets meanwhile.
    pub async fn supervise(&mut self) -> Infallible {
        loop {
            let status = self.child.wait().await;
            let log = self.folder.join("redis.log");
            tracing::error!(?status, log = %log.display(), "the private Redis ended; starting it again");
            sleep(RESTARTING).await;
            match spawn(&self.server, &self.folder, self.port, &self.lock) {
                Ok(child) => self.child = child,
                Err(error) => tracing::error!(%error, "the private Redis cannot be started"),
            }
        }
    }

    /// Ends it in order.
    pub async fn stop(mut self) {
        let Some(id) = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
        else {
            return;
        };
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        if timeout(STOPPING, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// The server that would be started.
///
/// # Errors
/// None is installed; the message says how to get one.
pub fn find_server() -> Result<PathBuf> {
    let directories = crate::config::search_path();
    let found = SERVERS.iter().find_map(|name| {
        directories
            .iter()
            .map(|directory| directory.join(name))
            .find(|path| path.is_file())
    });
    found.context(
        "no redis-server or valkey-server is installed; install one (Debian: `apt-get install redis-server`, \
         macOS: `brew install redis`), or give the URL of a running one by `--redis redis://HOST:PORT`",
    )
}

/// The URL of the private Redis that an edge has on this data folder now.
pub fn running(data: &Path) -> Option<String> {
    let mut file = File::open(data.join("redis").join("in-use")).ok()?;
    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let mut url = String::new();
    file.read_to_string(&mut url).ok()?;
    Some(url.trim().to_owned())
}

async fn lock(folder: &Path) -> Result<(File, Option<u16>)> {
    let path = folder.join("in-use");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)?;
    let read = |file: &mut File| -> io::Result<String> {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    };
    let deadline = Instant::now() + LOCKING;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                sleep(Duration::from_millis(50)).await
            }
            Err(TryLockError::WouldBlock) => {
                let url = read(&mut file)?;
                bail!(
                    "another edge uses the data folder {}; to run a second edge on its Redis, start it with \
                     `--redis {} --data OTHER_FOLDER`",
                    folder.parent().unwrap_or(folder).display(),
                    url.trim(),
                );
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    let last = read(&mut file)?;
    let port = last
        .trim()
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    Ok((file, port))
}

fn write_url(mut file: &File, url: &str) -> Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{url}")?;
    Ok(())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn spawn(server: &Path, folder: &Path, port: u16, lock: &File) -> Result<Child> {
    let log = folder.join("redis.log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    // Without close-on-exec the lock goes to the child.
    let inherited = lock.try_clone()?;
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty())?;
    let port = port.to_string();
    let mut command = Command::new(server);
    command
        .args(["--port", &port, "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        // Each command is on the disk before it is answered: what was acknowledged survives a crash.
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
        ])
        .args(["--maxmemory-policy", "noeviction", "--daemonize", "no"])
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // Ctrl-C goes to the whole foreground group; the host ends first, then its Redis.
        .process_group(0)
        .kill_on_drop(true);
    #[cfg(target_os = "linux")]
    // SAFETY: the closure makes one system call, which is safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            // A host that is killed outright must not leave its Redis behind.
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
            Ok(())
        });
    }
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", server.display()))?;
    drop(inherited);
    Ok(child)
}

enum Ready {
    Yes,
    PortTaken,
}

async fn ready(child: &mut Child, url: &str, folder: &Path) -> Result<Ready> {
    let client = redis::Client::open(url)?;
    let deadline = Instant::now() + STARTING;
    loop {
        if let Some(status) = child.try_wait()? {
            let log = fs::read_to_string(folder.join("redis.log")).unwrap_or_default();
            if log.contains("Address already in use") {
                return Ok(Ready::PortTaken);
            }
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            bail!(
                "Redis ended at once ({status}); it said: {}",
                last.into_iter().rev().collect::<Vec<_>>().join(" | ")
            );
        }
        // It accepts connections before it has loaded its data, and answers LOADING meanwhile.
        if let Ok(mut connection) = client.get_multiplexed_async_connection().await
            && redis::cmd("PING")
                .query_async::<String>(&mut connection)
                .await
                .is_ok()
        {
            return Ok(Ready::Yes);
        }
        if Instant::now() > deadline {
            bail!(
                "Redis did not answer within {} s; see {}",
                STARTING.as_secs(),
                folder.join("redis.log").display()
            );
        }
        sleep(Duration::from_millis(10)).await;
    }
}
