//! A real Redis with real edges on it.

use std::{
    ffi::OsString,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Whatever starts is up within this time, on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// A Redis and edges, which end with it.
pub struct Deployment {
    /// `http://127.0.0.1:PORT` of each edge.
    pub edges: Vec<String>,
    _children: Vec<Child>,
    _folder: TempDir,
}

impl Deployment {
    /// Starts so many edges with these variables of the application and these flags.
    pub async fn start(edges: usize, variables: &[(&str, String)], flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (redis, port) = redis(folder.path()).await;
        let mut children = vec![redis];
        let mut urls = Vec::new();
        for _ in 0..edges {
            let (edge, url) = edge(port, variables, flags).await;
            children.push(edge);
            urls.push(url);
        }
        Self {
            edges: urls,
            _children: children,
            _folder: folder,
        }
    }
}

async fn redis(folder: &Path) -> (Child, u16) {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--dir"])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server is installed");
        let deadline = Instant::now() + PATIENCE;
        // If it ends, the port was taken meanwhile.
        while child.try_wait().expect("a child").is_none() {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return (child, port);
            }
            assert!(Instant::now() < deadline, "redis-server does not listen");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn edge(redis: u16, variables: &[(&str, String)], flags: &[&str]) -> (Child, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_clustertalk-conformance"));
    let program = program.with_file_name("clustertalk");
    assert!(
        program.is_file(),
        "{} is missing; `cargo xtask test conformance` builds it",
        program.display()
    );
    let root = root();
    let mut child = Command::new(program)
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            "--log",
            "warn",
        ])
        .args([
            "--redis",
            &format!("redis://127.0.0.1:{redis}"),
            "--manifest",
        ])
        .arg(root.join("spin.toml"))
        // Nothing lies there but compiled components.
        .args([
            OsString::from("--data"),
            root.join("target/tmp/conformance").into(),
        ])
        .args(flags)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(
            variables
                .iter()
                .map(|(name, value)| (format!("SPIN_VARIABLE_{}", name.to_uppercase()), value)),
        )
        .current_dir(&root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("an edge that starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let up = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            if let Some((_, rest)) = line.split_once("is up: ") {
                return rest.split(' ').next().unwrap_or_default().to_owned();
            }
        }
        panic!("the edge ended; its reason stands above");
    };
    let url = timeout(PATIENCE, up).await.expect("an edge that is up");
    // Whatever else it says must not fill a pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}

/// The root of the project.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("a folder")
}

/// What a run of the program found.
pub struct Found {
    pub status: Option<i32>,
    pub report: Value,
}

impl Found {
    /// The case with this name.
    pub fn case(&self, name: &str) -> &Value {
        let mut cases = self.report["cases"].as_array().expect("cases").iter();
        let case = cases.find(|case| case["case"] == name);
        case.unwrap_or_else(|| panic!("`{name}` was not run: {}", self.report))
    }

    /// Each case that failed, with all there is to know.
    pub fn failures(&self) -> String {
        let cases = self.report["cases"].as_array().expect("cases").iter();
        cases
            .filter(|case| case["verdict"] == "FAIL")
            .map(|case| {
                let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
                format!(
                    "{}\n  {}: {}\n  {}\n{}\n",
                    text("case"),
                    text("section"),
                    text("sentence"),
                    text("why"),
                    text("transcript")
                )
            })
            .collect()
    }
}

/// Runs the program.
pub async fn conformance(arguments: &[&str], environment: &[(&str, &str)]) -> Found {
    let output = Command::new(env!("CARGO_BIN_EXE_clustertalk-conformance"))
        .args(arguments)
        .args(["--json", "--timeout", "30"])
        .env_remove("CLUSTERTALK_TOKEN_SECRET")
        .env_remove("CLUSTERTALK_SERVER_KEY")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    Found {
        status: output.status.code(),
        report: report.unwrap_or_else(|error| panic!("{error}: {errors}")),
    }
}
