//! The program as its user meets it.

use std::{net::TcpStream, process::Stdio};

use rustix::process::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use super::{
    client::Client,
    harness::{RedisServer, Site, clustertalk, within},
    http_client::Events,
};

/// Runs a command to its end: exit code, standard output, standard error.
pub async fn run(command: &mut Command) -> (i32, String, String) {
    let output = within("the end of a command", command.output())
        .await
        .expect("a command");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let code = output.status.code().expect("an exit code");
    (code, text(output.stdout), text(output.stderr))
}

/// The one sentence that a failed command leaves.
pub async fn sentence(command: &mut Command) -> String {
    let (code, output, error) = run(command).await;
    assert_eq!((code, output.as_str()), (1, ""), "{error}");
    let [line] = error.lines().collect::<Vec<_>>()[..] else {
        panic!("more than one line: {error}");
    };
    let sentence = line.strip_prefix("error: ");
    sentence.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[tokio::test]
async fn a_second_edge_on_a_data_folder_is_told_of_the_first_ones_redis() {
    let site = Site::new();
    let edge = site.edge_alone().await;
    let told = sentence(site.up().arg("--data").arg(site.path("data"))).await;
    assert!(told.contains("another edge uses the data folder"), "{told}");
    assert!(told.contains(&format!("--redis {}", edge.redis)), "{told}");
}

#[tokio::test]
async fn ctrl_c_lets_clients_resume_elsewhere_and_leaves_nothing_behind() {
    let site = Site::new();
    let mut edge = site.edge_alone().await;
    let mut ada = Client::join(edge.address, "ada").await;
    let mut events = Events::open(edge.address, "general", None).await;
    events.next().await;
    let redis = edge.redis.trim_start_matches("redis://").to_owned();
    assert!(TcpStream::connect(&redis).is_ok());

    edge.signal(Signal::INT);
    assert_eq!(ada.closed().await, 4502);
    let (status, said) = edge.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(
        said.iter().any(|line| line.starts_with("stopping")),
        "{said:?}"
    );
    assert!(TcpStream::connect(&redis).is_err(), "its Redis lives on");
}

#[tokio::test]
async fn what_hinders_a_start_is_one_sentence() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let up = |listen: &str, redis: &str, manifest: &str| {
        let mut command = clustertalk("up");
        command.args(["--listen", listen, "--redis", redis, "--data"]);
        command
            .arg(site.path("data"))
            .arg("--manifest")
            .arg(site.path(manifest));
        command
    };
    let (free, here) = ("127.0.0.1:0", redis.url());
    let manifest = std::fs::read_to_string(site.path("spin.toml")).expect("a manifest");
    let line = manifest
        .lines()
        .position(|line| line.starts_with("source"))
        .expect("a source")
        + 1;

    let taken = edge.address.to_string();
    let told = sentence(&mut up(&taken, &here, "spin.toml")).await;
    assert!(told.contains(&taken) && told.contains("--listen"), "{told}");

    let told = sentence(&mut up(free, "redis://127.0.0.1:1", "spin.toml")).await;
    assert!(
        told.contains("cannot reach Redis at redis://127.0.0.1:1"),
        "{told}"
    );

    let told = sentence(&mut up("0.0.0.0:0", &here, "spin.toml")).await;
    assert!(told.contains("--allow-anonymous"), "{told}");

    let told = sentence(&mut up(free, &here, "none.toml")).await;
    assert!(told.contains("none.toml"), "{told}");

    site.write_manifest(&manifest.replace("source = ", "sorce = "));
    let told = sentence(&mut up(free, &here, "spin.toml")).await;
    let place = format!("spin.toml:{line}: unknown key `sorce`; did you mean `source`?");
    assert!(told.ends_with(&place), "{told}");

    site.write_manifest(&manifest);
    std::fs::write(site.path("hub.wasm"), "not a component").expect("a file");
    let told = sentence(&mut up(free, &here, "spin.toml")).await;
    assert!(told.contains("hub.wasm"), "{told}");
}

#[tokio::test]
async fn send_and_tail_talk_to_an_edge() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let send = |text: &str| {
        let mut command = clustertalk("send");
        command.args(["--url", &edge.url(), "--user", "ada", "--id"]);
        command.args([text.split(' ').next().expect("a word"), text]);
        command
    };
    let (code, output, error) = run(&mut send("one")).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let position = output.split(' ').nth(1).expect("a position").to_owned();
    assert_eq!(output, format!("#general {position} allow\n"));
    assert!(position.starts_with("1-"), "{output}");

    let mut tail = clustertalk("tail");
    tail.args(["--url", &edge.url(), "--after", &position]);
    let mut tail = tail.stdout(Stdio::piped()).spawn().expect("a process");
    let output = tail.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(output).lines();
    let mut next = async || within("a line", lines.next_line()).await.expect("text");
    let (code, output, _) = run(&mut send("This is spam")).await;
    assert_eq!((code, output.ends_with("mask\n")), (0, true), "{output}");
    run(&mut send("three \u{1b}[31mred")).await;
    assert_eq!(next().await.as_deref(), Some("2 ada: [CENSORED BY AI]"));
    assert_eq!(next().await.as_deref(), Some("3 ada: three  [31mred"));
    tail.kill().await.expect("a process");

    let (code, _, told) = run(send("four").args(["--room", "No!"])).await;
    assert_eq!(code, 2);
    assert!(told.contains("a room name must be of the form"), "{told}");
    let told = sentence(clustertalk("send").args(["--url", "http://127.0.0.1:1", "hello"])).await;
    assert!(told.contains("clustertalk up"), "{told}");
    let told = sentence(clustertalk("tail").args(["--url", &edge.url(), "--after", "x"])).await;
    assert!(told.contains("SEQ-TAG"), "{told}");
}

#[tokio::test]
async fn help_names_every_command() {
    let (code, output, _) = run(&mut clustertalk("--help")).await;
    assert_eq!(code, 0);
    for command in ["up", "send", "tail", "doctor", "config"] {
        let line = output
            .lines()
            .find(|line| line.trim_start().starts_with(command));
        assert!(line.is_some(), "{output}");
        let (code, help, _) = run(clustertalk(command).arg("--help")).await;
        assert_eq!((code, help.is_empty()), (0, false), "{command}");
    }
    assert_eq!(json!(run(clustertalk("up").arg("--lisen")).await.0), 2);
}
