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
    let mut shown = async || {
        let line = next().await.expect("a line");
        let mut words = line.split("  ");
        let seq = words.find(|word| !word.is_empty()).map(str::trim);
        let at = words.next().expect("a time");
        assert!(at.starts_with("20") && at.ends_with('Z'), "{line}");
        let said: Vec<&str> = words.collect();
        format!("{} {}", seq.expect("a number"), said.join("  "))
    };
    assert_eq!(shown().await, "2 ada: [CENSORED BY AI]");
    assert_eq!(shown().await, "3 ada: three  [31mred");
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
    for command in [
        "up",
        "send",
        "tail",
        "history",
        "rooms",
        "stats",
        "verify",
        "user",
        "token",
        "doctor",
        "config",
        "completions",
    ] {
        let line = output
            .lines()
            .find(|line| line.trim_start().starts_with(command));
        assert!(line.is_some(), "{output}");
        let (code, help, _) = run(clustertalk(command).arg("--help")).await;
        assert_eq!((code, help.is_empty()), (0, false), "{command}");
    }
    assert_eq!(json!(run(clustertalk("up").arg("--lisen")).await.0), 2);
}

#[tokio::test]
async fn history_reads_back_and_on_page_by_page() {
    let redis = RedisServer::start().await;
    let edge = Site::new()
        .edge_with(
            &redis,
            &[
                "--limit-burst",
                "10000",
                "--limit-messages-per-second",
                "1000",
            ],
        )
        .await;
    for number in 1..=130 {
        let message = json!({ "user": "ada", "id": format!("m{number}"), "text": "x" });
        assert_eq!(edge.post("general", &message).await.status, 201);
    }
    let history = async |flags: &[&str]| {
        let mut command = clustertalk("history");
        command
            .args(["#general", "--json"])
            .args(flags)
            .env("CLUSTERTALK_URL", edge.url());
        let (code, output, error) = run(&mut command).await;
        assert_eq!((code, error.as_str()), (0, ""));
        let number = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).expect("JSON");
            entry["position"].clone()
        };
        output.lines().map(number).collect::<Vec<_>>()
    };
    let ends = |positions: &[serde_json::Value]| {
        let [first, .., last] = positions else {
            panic!("{positions:?}")
        };
        (positions.len(), first["seq"].as_u64(), last["seq"].as_u64())
    };
    assert_eq!(ends(&history(&[]).await), (50, Some(81), Some(130)));
    let all = history(&["--limit", "1000"]).await;
    assert_eq!(ends(&all), (130, Some(1), Some(130)));
    assert_eq!(history(&["--after", "0", "--limit", "1000"]).await, all);
    assert_eq!(
        ends(&history(&["--before", "121", "--limit", "110"]).await),
        (110, Some(11), Some(120))
    );
    let twenty = format!("20-{}", all[19]["tag"].as_str().expect("a tag"));
    assert_eq!(
        ends(&history(&["--after", &twenty, "--limit", "105"]).await),
        (105, Some(21), Some(125))
    );

    let other = run(clustertalk("history").args([
        "--url",
        &edge.url(),
        "--after",
        "20-00000000000000aa",
        "--limit",
        "1",
    ]))
    .await;
    assert!(other.1.starts_with("-- diverged"), "{}", other.1);
    for misuse in [
        &["--limit", "0"][..],
        &["--after", "20"],
        &["--before", "9", "--after", "0"],
    ] {
        assert_eq!(
            run(clustertalk("history").args(misuse)).await.0,
            2,
            "{misuse:?}"
        );
    }
}

#[tokio::test]
async fn colours_are_for_terminals_or_for_who_asks() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let url = edge.url();
    // An escape by C1, which JSON leaves as it is.
    let evil = json!({ "user": "ada", "id": "m1", "text": "\u{9b}31m red \u{1b}]0;title\u{7}" });
    assert_eq!(edge.post("general", &evil).await.status, 201);
    let history = |flags: &[&str]| {
        let mut command = clustertalk("history");
        command.args(["--url", &url]).args(flags);
        command
    };
    let (_, plain, _) = run(&mut history(&[])).await;
    assert!(!plain.trim_end().chars().any(char::is_control), "{plain:?}");
    let (_, plain, _) = run(history(&["--color", "never"]).env("CLICOLOR_FORCE", "1")).await;
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
    let (_, coloured, _) = run(&mut history(&["--color", "always"])).await;
    assert!(coloured.contains("\u{1b}[36mada"), "{coloured:?}");
    assert!(
        !coloured.contains('\u{9b}') && !coloured.contains("\u{1b}]"),
        "{coloured:?}"
    );
    let (_, lines, _) = run(&mut history(&["--json", "--color", "always"])).await;
    assert!(!lines.trim_end().chars().any(char::is_control), "{lines:?}");
    let entry: serde_json::Value = serde_json::from_str(&lines).expect("JSON");
    assert_eq!(entry["text"], evil["text"]);
}

#[tokio::test]
async fn whoever_reads_no_further_is_no_error() {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "{ \"$0\" completions zsh; echo \"ended with $?\" >&2; } | true",
        ])
        .arg(env!("CARGO_BIN_EXE_clustertalk"));
    let (_, _, error) = run(&mut command).await;
    assert_eq!(error, "ended with 0\n");
}

#[tokio::test]
async fn a_shell_completes_what_there_is() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let (code, script, _) = run(clustertalk("completions").arg(shell)).await;
        assert_eq!(code, 0, "{shell}");
        assert!(
            script.contains("verify") && script.contains("export"),
            "{shell}"
        );
    }
    let complete = "source <(\"$0\" completions bash)\n\
        COMP_WORDS=(clustertalk user er) COMP_CWORD=2\n\
        _clustertalk clustertalk er user && echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", complete])
        .arg(env!("CARGO_BIN_EXE_clustertalk"));
    if let Ok(output) = bash.output().await {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "erase\n",
            "{output:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_made_only_if_an_edge_would_take_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "made for tests only, never for a deployment\n").expect("a file");
    let token = |flags: &[&str]| {
        let mut command = clustertalk("token");
        command.current_dir(folder.path()).args(flags);
        command
    };
    let own = [
        "--issuer",
        "shop",
        "--audience",
        "chat",
        "--secret-file",
        "secret",
    ];
    let (code, made, error) = run(token(&["--user", "ada"]).args(own)).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(made.trim_end().split('.').count(), 3, "{made}");
    assert_eq!(made.lines().count(), 1);

    let told = sentence(&mut token(&["--user", "ada"])).await;
    assert!(told.contains("identity_secrets"), "{told}");
    let told = sentence(token(&["--user", ""]).args(own)).await;
    assert!(told.contains("`sub`"), "{told}");
    let told = sentence(token(&["--user", "ada", "--rooms", "No!"]).args(own)).await;
    assert!(told.contains("rooms"), "{told}");
    std::fs::write(&secret, "short").expect("a file");
    let told = sentence(token(&["--user", "ada"]).args(own)).await;
    assert!(
        told.contains("shorter than 32 bytes") && !told.contains("short\""),
        "{told}"
    );
    for misuse in [
        &["--user", "ada", "--role", "emperor"][..],
        &["--user", "ada", "--expires-in", "0s"],
        &["--user", "ada", "--expires-in", "10years"],
        &[],
    ] {
        assert_eq!(run(&mut token(misuse)).await.0, 2, "{misuse:?}");
    }
    let identity = r#"[{"issuer":"k","audience":"c","algorithm":"ES256","jwks_url":"https://id.example.org/"}]"#;
    let told = sentence(
        token(&["--user", "ada", "--issuer", "k"]).env("SPIN_VARIABLE_IDENTITY", identity),
    )
    .await;
    assert!(told.contains("a key that only that issuer has"), "{told}");
}
