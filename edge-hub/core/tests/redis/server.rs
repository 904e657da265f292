//! A private redis-server on a unix socket, and as much of its protocol as the tests need.

use clustertalk_core::redis::{Call, Value};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const NAMES: [&str; 2] = ["redis-server", "valkey-server"];
/// Far more than any command here takes; a test that waits for what never comes fails by it.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts with further options, and returns when it accepts connections.
    pub fn with(options: &[&str]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("ct-core-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test's Redis");
        let mut child = NAMES
            .iter()
            .find_map(|name| spawn(name, &folder, options))
            .expect(
                "these tests need a redis-server or valkey-server in PATH: install one (Debian: \
                 `apt-get install redis-server`, macOS: `brew install redis`)",
            );
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut log = String::new();
        loop {
            let read = output
                .read_line(&mut log)
                .expect("redis-server writes text");
            assert!(read > 0, "redis-server did not start: {log}");
            if log.contains("eady to accept connections") {
                break;
            }
        }
        Self { child, folder }
    }

    /// Takes its disk away: it goes on, and can save nothing. Clients must have connected before.
    pub fn remove_folder(&self) {
        std::fs::remove_dir_all(&self.folder).expect("the folder of the test's Redis");
    }

    pub fn connect(&self) -> Client {
        let socket =
            UnixStream::connect(self.folder.join("socket")).expect("redis-server is ready");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("a positive time-out");
        Client(BufReader::new(socket))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn spawn(name: &str, folder: &PathBuf, options: &[&str]) -> Option<Child> {
    Command::new(name)
        .args([
            "--port",
            "0",
            "--unixsocket",
            "socket",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .args(options)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .ok()
}

#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Nil,
    Integer(i64),
    Text(String),
    Error(String),
    Array(Vec<Reply>),
}

impl Reply {
    pub fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("not a text: {other:?}"),
        }
    }

    pub fn array(self) -> Vec<Reply> {
        match self {
            Self::Array(items) => items,
            other => panic!("not an array: {other:?}"),
        }
    }
}

/// One connection. It blocks.
pub struct Client(BufReader<UnixStream>);

impl Client {
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            let argument = argument.as_ref();
            bytes.extend(format!("${}\r\n", argument.len()).into_bytes());
            bytes.extend(argument);
            bytes.extend(b"\r\n");
        }
        self.0.get_mut().write_all(&bytes).expect("Redis reads");
        self.receive()
    }

    /// Calls a script as the contract says: by digest, and by source where Redis lacks it.
    pub fn call(&mut self, call: &Call) -> Result<Vec<Value>, String> {
        let by = |name: &str, arguments: Vec<Vec<u8>>| {
            let mut command = vec![name.as_bytes().to_vec()];
            command.extend(arguments);
            command
        };
        let reply = match self.send(&by("EVALSHA", call.evalsha())) {
            Reply::Error(error) if error.starts_with("NOSCRIPT") => {
                self.send(&by("EVAL", call.eval()))
            }
            other => other,
        };
        match reply {
            Reply::Error(error) => Err(error),
            Reply::Array(items) => Ok(items.into_iter().map(value).collect()),
            single => Ok(vec![value(single)]),
        }
    }

    /// The next answer, or the next publication of a connection that subscribed.
    pub fn receive(&mut self) -> Reply {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("Redis answers in time");
        let (kind, rest) = line.trim_end().split_at(1);
        let length = || rest.parse::<i64>().expect("a length");
        match kind {
            "+" => Reply::Text(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(length()),
            "$" => match usize::try_from(length()) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.0.read_exact(&mut bytes).expect("a whole string");
                    bytes.truncate(length);
                    Reply::Text(String::from_utf8(bytes).expect("text"))
                }
                Err(_) => Reply::Nil,
            },
            "*" => Reply::Array((0..length()).map(|_| self.receive()).collect()),
            other => panic!("not RESP 2: {other}"),
        }
    }

    pub fn subscribe(&mut self, channel: &str) {
        self.send(&["SUBSCRIBE", channel]);
    }

    /// The payload of the next publication.
    pub fn published(&mut self) -> String {
        self.receive()
            .array()
            .pop()
            .expect("kind, channel, payload")
            .text()
    }
}

fn value(reply: Reply) -> Value {
    match reply {
        Reply::Nil => Value::Nil,
        Reply::Integer(number) => Value::Integer(number),
        Reply::Text(text) => Value::Bytes(text.into_bytes()),
        other => panic!("a reply that is not flat: {other:?}"),
    }
}
