//! Starts what a test needs: a Redis, a folder with an application, edges on it.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use clustertalk_host::config::search_path;
use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

use super::http_client::{Answer, request};

/// For what must come; nothing waits this long unless it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what announces itself in no other way.
const LOOK: Duration = Duration::from_millis(10);

pub const COMPONENTS: [&str; 3] = ["hub", "moderation", "analytics"];

/// Waits for an event; without it the test ends here with a sentence.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let come = timeout(PATIENCE, event).await;
    come.unwrap_or_else(|_| panic!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}

/// Looks until there is something, where no event tells.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {} s in vain for {what}",
            PATIENCE.as_secs()
        );
        sleep(LOOK).await;
    }
}

/// A child that ends with this process, however that ends.
fn spawn(command: &mut Command) -> Child {
    command.kill_on_drop(true);
    #[cfg(target_os = "linux")]
    // SAFETY: the closure makes one system call, which is safe between fork and exec.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
    let program = command.as_std().get_program().to_owned();
    command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()))
}

fn signal(child: &Child, signal: Signal) {
    let id = child.id().expect("a child that runs").cast_signed();
    let id = Pid::from_raw(id).expect("a process");
    kill_process(id, signal).expect("a process of ours");
}

/// A redis-server that a test may kill and start again.
pub struct RedisServer {
    child: Child,
    pub port: u16,
    folder: TempDir,
    flags: Vec<String>,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(Vec::new()).await
    }

    /// The same with more of its own flags.
    pub async fn start_with(flags: Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        loop {
            let port = free_port();
            let mut child = spawn(command(port, folder.path()).args(&flags));
            if answers(&mut child, port).await {
                return Self {
                    child,
                    port,
                    folder,
                    flags,
                };
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// SIGKILL: nothing is written down at the end.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a Redis that runs");
    }

    /// SIGSTOP: it answers nothing, and its connections stay.
    pub fn freeze(&self) {
        signal(&self.child, Signal::STOP);
    }

    /// SIGCONT: now it does what it was asked meanwhile.
    pub fn thaw(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// Starts it again on its data and its port.
    pub async fn restart(&mut self) {
        self.child = spawn(command(self.port, self.folder.path()).args(&self.flags));
        assert!(
            answers(&mut self.child, self.port).await,
            "Redis does not start again"
        );
    }

    pub async fn connection(&self) -> MultiplexedConnection {
        connection(&self.url()).await
    }
}

fn command(port: u16, folder: &Path) -> Command {
    let server = search_path()
        .into_iter()
        .map(|directory| directory.join("redis-server"))
        .find(|path| path.is_file())
        .expect("redis-server is not installed; `cargo xtask build` says how to get it");
    let mut command = Command::new(server);
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--save",
            "",
            // Whoever asks for a snapshot need not wait for others to do so too.
            "--repl-diskless-sync-delay",
            "0",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Whether the server came up; if not, the port was somebody else's.
async fn answers(child: &mut Child, port: u16) -> bool {
    eventually("an answer of Redis", async || {
        if child.try_wait().expect("a child").is_some() {
            return Some(false);
        }
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let pong = redis::cmd("PING")
            .query_async::<String>(&mut connection)
            .await;
        pong.ok().map(|_| true)
    })
    .await
}

pub async fn connection(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("a URL");
    client
        .get_multiplexed_async_connection()
        .await
        .expect("a Redis")
}

/// One command, for its answer.
pub async fn ask<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &str,
) -> T {
    let mut parts = command.split(' ');
    let mut sent = redis::cmd(parts.next().expect("a command"));
    parts.for_each(|part| {
        sent.arg(part);
    });
    sent.query_async(connection)
        .await
        .unwrap_or_else(|error| panic!("{command}: {error}"))
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A folder with the application and copies of its components, which a test may replace.
pub struct Site {
    folder: Arc<TempDir>,
}

impl Site {
    /// With the built components and the fail policy `open`.
    pub fn new() -> Self {
        Self::failing("open")
    }

    /// With another fail policy of moderation.
    pub fn failing(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in COMPONENTS {
            fs::copy(built(name), folder.path().join(format!("{name}.wasm"))).expect("a copy");
        }
        let site = Self {
            folder: Arc::new(folder),
        };
        site.write_manifest(&MANIFEST.replace("FAIL", policy));
        site
    }

    /// With the built components and these variables of the application.
    pub fn with(variables: &[(&str, &str)]) -> Self {
        let site = Self::new();
        let mut manifest = MANIFEST.replace("FAIL", "open");
        for (name, value) in variables {
            let unset = format!("{name} = {{ default = \"\" }}");
            assert!(manifest.contains(&unset), "no variable `{name}`");
            manifest = manifest.replace(&unset, &format!("{name} = {{ default = '{value}' }}"));
        }
        site.write_manifest(&manifest);
        site
    }

    /// With moderators that are asked before moderation, as `before` stands in the manifest.
    pub fn with_chain(before: &str) -> Self {
        let site = Self::new();
        let last = "fail = \"open\"\n";
        let chain = format!("{last}before = [{before}]\n");
        site.write_manifest(&MANIFEST.replace("fail = \"FAIL\"\n", &chain));
        site
    }

    pub fn write_manifest(&self, text: &str) {
        fs::write(self.path("spin.toml"), text).expect("a file");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another build into the place of a component, whole, as a build does.
    pub fn replace(&self, component: &str, bytes: &[u8]) {
        let path = self.path(&format!("{component}.wasm"));
        let temporary = path.with_extension("new");
        fs::write(&temporary, bytes).expect("a file");
        fs::rename(&temporary, &path).expect("a file");
    }

    /// `clustertalk up` on this application, on a free port; the data folder is not given yet.
    pub fn up(&self) -> Command {
        let mut command = clustertalk("up");
        command
            .args(["--listen", "127.0.0.1:0", "--manifest"])
            .arg(self.path("spin.toml"));
        command
    }

    /// An edge on a test's own Redis. Such edges share one data folder, in which there is nothing
    /// then but compiled components, so that each is compiled once.
    pub async fn edge(&self, redis: &RedisServer) -> Edge {
        self.edge_on(&redis.url()).await
    }

    /// The same by the URL of the Redis.
    pub async fn edge_on(&self, redis: &str) -> Edge {
        self.start(&mut self.up_on(redis)).await
    }

    /// The same with other settings.
    pub async fn edge_with(&self, redis: &RedisServer, flags: &[&str]) -> Edge {
        self.start(self.up_on(&redis.url()).args(flags)).await
    }

    /// What starts an edge on the Redis of this URL.
    pub fn up_on(&self, redis: &str) -> Command {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("system");
        let mut command = self.up();
        command.arg("--data").arg(data);
        command.args(["--redis", redis]);
        command
    }

    /// An edge with a private Redis in its data folder.
    pub async fn edge_alone(&self) -> Edge {
        self.start(self.up().arg("--data").arg(self.path("data")))
            .await
    }

    /// Starts an edge and waits until it says that it is up.
    pub async fn start(&self, command: &mut Command) -> Edge {
        // Kept from the tests' output unless one fails.
        let log = self.path("edges.log");
        let appended = OpenOptions::new().create(true).append(true).open(&log);
        command
            .stdout(Stdio::piped())
            .stderr(appended.expect("a file"));
        let mut child = spawn(command);
        let output = child.stdout.take().expect("it is piped");
        let mut output = BufReader::new(output).lines();
        let mut after = async |words: &str| {
            let line = within("the line of an edge that is up", output.next_line()).await;
            let line = line.expect("text").expect("an edge that starts");
            let rest = line
                .split_once(words)
                .unwrap_or_else(|| panic!("no `{words}` in `{line}`"));
            rest.1.split(' ').next().unwrap_or_default().to_owned()
        };
        let url = after("is up: ").await;
        let (_, address) = url.split_once("://").expect("a URL");
        let address = address.parse().expect("an address");
        let redis = after("Redis: ").await;
        let admin = after("Metrics: http://").await;
        let admin = admin.trim_end_matches("/metrics").parse();
        Edge {
            child,
            output,
            address,
            redis,
            admin: admin.expect("an address"),
            log,
            _folder: Arc::clone(&self.folder),
        }
    }
}

/// A component as it was built.
pub fn built(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let path = folder.join(format!("{name}.wasm"));
    assert!(
        path.is_file(),
        "target/components/{name}.wasm is missing; make it with `cargo xtask build`"
    );
    path
}

/// The program under test, in an environment that says nothing.
pub fn clustertalk(subcommand: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clustertalk"));
    command
        .arg(subcommand)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A running edge.
pub struct Edge {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
    /// Where its Redis is.
    pub redis: String,
    /// Where its operators look.
    pub admin: SocketAddr,
    log: PathBuf,
    /// It watches its components there.
    _folder: Arc<TempDir>,
}

impl Edge {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub async fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, &[], "").await
    }

    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        request(self.address, method, path, &[], &body.to_string()).await
    }

    pub async fn post(&self, room: &str, body: &Value) -> Answer {
        let path = format!("/api/v1/rooms/{room}/messages");
        request(self.address, "POST", &path, &[], &body.to_string()).await
    }

    /// `/metrics`.
    pub async fn metrics(&self) -> String {
        request(self.admin, "GET", "/metrics", &[], "").await.text
    }

    /// One figure of `/metrics`, by its name with its labels.
    pub async fn metric(&self, name: &str) -> u64 {
        let page = self.metrics().await;
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        let value = line.unwrap_or_else(|| panic!("no `{name}` in:\n{page}"));
        value.trim().parse().expect("a number")
    }

    /// One figure of a component.
    pub async fn component_metric(&self, name: &str, component: &str) -> u64 {
        let name = format!("clustertalk_component_{name}{{component=\"{component}\"}}");
        self.metric(&name).await
    }

    /// Its memory, where the system tells.
    pub fn resident_bytes(&self) -> Option<u64> {
        let path = format!("/proc/{}/status", self.child.id()?);
        let status = fs::read_to_string(path).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    pub fn signal(&self, signal: Signal) {
        self::signal(&self.child, signal);
    }

    /// SIGKILL: it can do nothing more.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("an edge that runs");
    }

    /// How it ended, and the rest of what it said.
    pub async fn ended(&mut self) -> (ExitStatus, Vec<String>) {
        let mut said = Vec::new();
        while let Some(line) = within("its end", self.output.next_line())
            .await
            .expect("text")
        {
            said.push(line);
        }
        let status = within("its end", self.child.wait()).await;
        (status.expect("a child"), said)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("edges of this test said last:\n{}", last.join("\n"));
        }
    }
}

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[variables]
redis_url = { required = true }
redis_prefix = { default = "ct" }
rooms = { default = "general,tech,random" }
limits = { default = "{}" }
anonymous = { default = "true" }
identity = { default = "" }
identity_secrets = { default = "" }
publish_keys = { default = "" }
closed_rooms = { default = "" }
webhooks = { default = "" }
quarantine_key = { default = "", secret = true }
quarantine_hours = { default = "" }

[[trigger.http]]
route = "/ws"
component = "hub"
[[trigger.http]]
route = "/api/..."
component = "hub"

[component.hub]
source = "hub.wasm"
allowed_outbound_hosts = ["redis://127.0.0.1:*", "rediss://localhost:*"]
[component.hub.variables]
redis_url = "{{ redis_url }}"
redis_prefix = "{{ redis_prefix }}"
rooms = "{{ rooms }}"
limits = "{{ limits }}"
anonymous = "{{ anonymous }}"
identity = "{{ identity }}"
identity_secrets = "{{ identity_secrets }}"
publish_keys = "{{ publish_keys }}"
closed_rooms = "{{ closed_rooms }}"
webhooks = "{{ webhooks }}"
quarantine_key = "{{ quarantine_key }}"
quarantine_hours = "{{ quarantine_hours }}"
[component.hub.dependencies]
"clustertalk:moderation/moderator@1.0.0" = { path = "moderation.wasm" }
"clustertalk:analytics/recorder@1.0.0" = { path = "analytics.wasm" }
[component.hub.tool.clustertalk]
memory_bytes = 16_777_216
deadline_ms = 200
[component.hub.tool.clustertalk.dependencies."clustertalk:moderation/moderator@1.0.0"]
memory_bytes = 8_388_608
deadline_ms = 50
fail = "FAIL"
[component.hub.tool.clustertalk.dependencies."clustertalk:analytics/recorder@1.0.0"]
memory_bytes = 8_388_608
deadline_ms = 50
"#;
