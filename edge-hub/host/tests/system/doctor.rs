//! `clustertalk doctor`: each misconfiguration is made for real, and found by its name.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::CertificateParams;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
};

use super::{
    command_line::run,
    harness::{RedisServer, Site, ask, clustertalk, eventually},
    redis_tls::SecureRedis,
    tls::Authority,
};

/// What to look at; each test makes one thing in it wrong.
struct Patient {
    site: Site,
    redis: String,
}

impl Patient {
    fn new(redis: impl Into<String>) -> Self {
        Self {
            site: Site::new(),
            redis: redis.into(),
        }
    }

    fn doctor(&self) -> Command {
        let mut command = clustertalk("doctor");
        // Shared with edges: compiled components are all that is in it.
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("system");
        // A flag of a test wins over a variable.
        command
            .arg("--json")
            .env("CLUSTERTALK_LISTEN", "127.0.0.1:0")
            .env("CLUSTERTALK_LIMIT_CONNECTIONS", "100")
            .env("CLUSTERTALK_REDIS", &self.redis)
            .env("CLUSTERTALK_MANIFEST", self.site.path("spin.toml"))
            .env("CLUSTERTALK_DATA", data);
        command
    }

    /// The names of what is found with these flags.
    async fn found(&self, flags: &[&str]) -> Vec<String> {
        found(self.doctor().args(flags)).await
    }

    /// The names of what is found with this identity.
    async fn identity(&self, identity: &Value, flags: &[&str]) -> Vec<String> {
        let mut doctor = self.doctor();
        doctor.env("SPIN_VARIABLE_IDENTITY", identity.to_string());
        found(doctor.args(flags)).await
    }

    fn change_manifest(&self, from: &str, to: &str) {
        let manifest = fs::read_to_string(self.site.path("spin.toml")).expect("a manifest");
        assert!(manifest.contains(from), "{manifest}");
        self.site.write_manifest(&manifest.replace(from, to));
    }
}

/// Runs a doctor, and holds its exit code and its sentences to what they should be.
async fn found(doctor: &mut Command) -> Vec<String> {
    let (report, code) = report(doctor).await;
    let findings = report["findings"].as_array().expect("findings");
    for finding in findings {
        for part in ["sentence", "advice"] {
            let text = finding[part].as_str().expect("text");
            assert!(!text.is_empty() && !text.contains('\n'), "{finding}");
        }
    }
    let errors = report["errors"].as_u64().expect("a number");
    assert_eq!(code, i32::from(errors > 0), "{report:#}");
    let names = findings.iter().map(|finding| finding["name"].as_str());
    names.map(|name| name.expect("a name").to_owned()).collect()
}

async fn report(doctor: &mut Command) -> (Value, i32) {
    let (code, output, error) = run(doctor).await;
    let report: Value =
        serde_json::from_str(&output).unwrap_or_else(|told| panic!("{told}: {output}{error}"));
    (report, code)
}

/// The rights in docs/redis.md, with words of them replaced.
async fn rights(redis: &RedisServer, replace: &[(&str, &str)]) {
    let page = include_str!("../../../../docs/redis.md");
    let (_, block) = page.split_once("```acl\n").expect("rights");
    let (block, _) = block.split_once("```").expect("an end");
    let words = block.split_whitespace().map(|word| {
        let replaced = replace.iter().find(|(from, _)| *from == word);
        replaced.map_or(word, |(_, to)| *to)
    });
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    let mut connection = redis.connection().await;
    let _: () = command
        .query_async(&mut connection)
        .await
        .expect("rights that Redis understands");
}

fn flags(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn a_healthy_edge_has_no_finding() {
    let redis = SecureRedis::start().await;
    rights(&redis.server, &[]).await;
    let authority = Authority::new();
    authority.certify();
    let key = authority.path("edge.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("a file");
    let url = redis
        .url()
        .replace("rediss://", "rediss://clustertalk:PASSWORD@");
    let patient = Patient::new(url);
    let collector = TcpListener::bind("127.0.0.1:0").expect("a port");
    let collector = format!("http://{}", collector.local_addr().expect("an address"));
    let mut doctor = patient.doctor();
    doctor
        .args(redis.flags())
        .args(authority.flags())
        .arg("--origin=https://localhost")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    assert_eq!(found(&mut doctor).await, [""; 0]);

    // For people: each line says what is good.
    let mut plain = patient.doctor();
    plain.args(redis.flags());
    let (report, _) = report(&mut plain).await;
    let good = report["good"].as_array().expect("sentences");
    for words in [
        "component hub runs: sha256:",
        "a message can be stored and published",
    ] {
        let is_said = good
            .iter()
            .filter_map(Value::as_str)
            .any(|it| it.contains(words));
        assert!(is_said, "{good:?}");
    }
    let mut connection = redis.server.connection().await;
    let keys: Vec<String> = ask(&mut connection, "KEYS *").await;
    assert_eq!(keys, [""; 0], "it leaves nothing behind");
}

#[tokio::test]
async fn lines_are_for_people_and_the_last_says_how_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut doctor = clustertalk("doctor");
    doctor
        .current_dir(folder.path())
        .args(["--listen=127.0.0.1:0", "--redis=redis://127.0.0.1:1"]);
    let (code, output, error) = run(&mut doctor).await;
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("\nBAD   redis-unreachable: "), "{output}");
    assert!(output.contains("\nBAD   manifest: "), "{output}");
    assert_eq!(error, "error: 2 findings must be mended\n");
}

#[tokio::test]
async fn of_the_machine() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = format!("--listen={}", taken.local_addr().expect("an address"));
    assert_eq!(patient.found(&[&listen]).await, ["address"]);
    let admin = listen.replace("--listen", "--admin");
    assert_eq!(patient.found(&[&admin]).await, ["address"]);

    assert_eq!(
        patient.found(&["--limit-connections=4000000000"]).await,
        ["files"]
    );
    let file = patient.site.path("hub.wasm").join("data");
    let data = format!("--data={}", file.display());
    assert_eq!(patient.found(&[&data]).await, ["data-folder"]);
}

/// Sets when a certificate is valid, from and to so many days from now.
fn valid(params: &mut CertificateParams, from: i64, to: i64) {
    let date = |days: i64| {
        let day = Duration::from_secs(86_400);
        let now = SystemTime::now();
        let days_long = day * u32::try_from(days.unsigned_abs()).expect("days");
        let then = if days < 0 {
            now - days_long
        } else {
            now + days_long
        };
        let text = humantime::format_rfc3339_seconds(then).to_string();
        let part = |range: std::ops::Range<usize>| text[range].parse::<u8>().expect("a number");
        let year = text[0..4].parse().expect("a number");
        rcgen::date_time_ymd(year, part(5..7), part(8..10))
    };
    params.not_before = date(from);
    params.not_after = date(to);
}

#[tokio::test]
async fn of_certificates() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    let authority = Authority::new();
    let secret = |mode| {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(authority.path("edge.key"), mode).expect("a file");
    };
    let given = authority.flags();
    let found = async |more: &[&str]| {
        let mut all = flags(&given);
        all.extend(more);
        patient.found(&all).await
    };
    assert_eq!(found(&[]).await, ["certificate"]);
    authority.certify();
    secret(0o644);
    assert_eq!(found(&[]).await, ["certificate-key-readable"]);
    secret(0o600);
    assert_eq!(found(&["--origin=https://localhost"]).await, [""; 0]);
    let other = ["--origin=https://chat.example.org"];
    assert_eq!(found(&other).await, ["certificate-names"]);

    for (from, to, name) in [
        (-40, -3, "certificate-expired"),
        (3, 40, "certificate-not-yet-valid"),
        (-40, 3, "certificate-expires-soon"),
    ] {
        authority.certify_as(&["localhost"], |params| valid(params, from, to));
        assert_eq!(found(&[]).await, [name]);
    }
    let key = fs::read(authority.path("edge.key")).expect("a key");
    authority.certify();
    fs::write(authority.path("edge.key"), key).expect("a file");
    assert_eq!(found(&[]).await, ["certificate-key"]);
}

#[tokio::test]
async fn of_whom_the_settings_let_in() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    let public = "--listen=0.0.0.0:0";
    assert_eq!(patient.found(&[public]).await, ["nobody-may-speak"]);
    let open = [public, "--allow-anonymous"];
    assert_eq!(patient.found(&open).await, ["anonymous-public"]);
    let wide = [public, "--allow-anonymous", "--allow-any-origin"];
    assert_eq!(
        patient.found(&wide).await,
        ["anonymous-public", "any-origin"]
    );

    let tight = ["--limit-text-bytes=16000", "--limit-frame-bytes=16384"];
    assert_eq!(patient.found(&tight).await, ["limits-frame"]);
    let impossible = ["--limit-text-bytes=4096", "--limit-frame-bytes=1024"];
    assert_eq!(patient.found(&impossible).await, ["settings"]);
}

#[tokio::test]
async fn of_a_redis_that_is_not_there_or_wants_a_password() {
    let redis = RedisServer::start().await;
    // Some folders are looked into wherever the path leads.
    let always = ["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"].map(Path::new);
    let servers = ["redis-server", "valkey-server"];
    let is_there = |name: &&str| always.iter().any(|folder| folder.join(name).is_file());
    if !servers.iter().any(is_there) {
        // An empty variable is none.
        let patient = Patient::new("");
        let mut alone = patient.doctor();
        alone.env("PATH", "/nowhere");
        assert_eq!(found(&mut alone).await, ["redis-missing"]);
    }
    let at = format!("127.0.0.1:{}", redis.port);
    for (url, name) in [
        ("redis://127.0.0.1:1".to_owned(), "redis-unreachable"),
        (format!("http://{at}"), "redis-url"),
        (format!("redis://nobody:wrong@{at}"), "redis-password"),
    ] {
        let patient = Patient::new(url);
        let found = patient.found(&[]).await;
        assert_eq!(found[0], name, "{found:?}");
    }
    let mut connection = redis.connection().await;
    let _: String = ask(&mut connection, "CONFIG SET requirepass secret").await;
    assert_eq!(
        Patient::new(redis.url()).found(&[]).await,
        ["redis-password"]
    );
    let known = Patient::new(format!("redis://:secret@{at}"));
    assert_eq!(known.found(&[]).await, [""; 0]);
}

#[tokio::test]
async fn of_how_redis_is_set() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let patient = Patient::new(redis.url());
    for (wrong, right, names) in [
        (
            "maxmemory-policy allkeys-lru",
            "maxmemory-policy noeviction",
            &["redis-eviction"][..],
        ),
        ("appendonly no", "appendonly yes", &["redis-appendonly"]),
        ("maxclients 100", "maxclients 10000", &["redis-clients"]),
        (
            "min-replicas-to-write 1",
            "min-replicas-to-write 0",
            &["redis-writes"],
        ),
        (
            "maxmemory 1",
            "maxmemory 0",
            &["redis-memory", "redis-writes"],
        ),
    ] {
        let _: String = ask(&mut connection, &format!("CONFIG SET {wrong}")).await;
        assert_eq!(patient.found(&[]).await, names, "{wrong}");
        let _: String = ask(&mut connection, &format!("CONFIG SET {right}")).await;
    }
    eventually("an append-only file", async || {
        let info: String = ask(&mut connection, "INFO persistence").await;
        info.contains("aof_rewrite_in_progress:0").then_some(())
    })
    .await;

    let replica = RedisServer::start().await;
    let mut to_replica = replica.connection().await;
    let follow = format!("REPLICAOF 127.0.0.1 {}", redis.port);
    let _: String = ask(&mut to_replica, &follow).await;
    eventually("a replica", async || {
        let info: String = ask(&mut connection, "INFO replication").await;
        info.contains("state=online").then_some(())
    })
    .await;
    assert_eq!(patient.found(&[]).await, ["redis-replicas"]);
    assert_eq!(
        Patient::new(replica.url()).found(&[]).await,
        ["redis-replica"]
    );
    let bound = "CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10";
    let _: String = ask(&mut connection, bound).await;
    assert_eq!(patient.found(&[]).await, [""; 0]);
}

#[tokio::test]
async fn of_rights_that_lack() {
    let redis = RedisServer::start().await;
    let url = format!("redis://clustertalk:PASSWORD@127.0.0.1:{}", redis.port);
    let patient = Patient::new(url);
    for (from, to, missing) in [
        ("+xadd", "", "lacks +xadd"),
        ("+publish", "", "lacks +publish"),
        ("+xinfo|stream", "", "lacks +xinfo|stream"),
        ("&ct:*", "&other:*", "lacks &ct:*"),
        ("~ct:*", "~other:*", "lacks ~ct:*"),
        ("+eval", "", "lacks +eval"),
        ("+info", "", "has no permissions to run the 'info' command"),
    ] {
        rights(&redis, &[(from, to)]).await;
        let (report, code) = report(&mut patient.doctor()).await;
        let [finding] = &report["findings"].as_array().expect("findings")[..] else {
            panic!("{from}: {report:#}");
        };
        assert_eq!((&finding["name"], code), (&json!("redis-rights"), 1));
        let sentence = finding["sentence"].as_str().expect("text");
        assert!(
            sentence.ends_with(missing) || missing.contains("info"),
            "{sentence}"
        );
    }
    rights(&redis, &[]).await;
    assert_eq!(patient.found(&[]).await, [""; 0]);
}

#[tokio::test]
async fn of_the_certificate_of_redis() {
    let redis = SecureRedis::start().await;
    let [ca, certificate, key] = redis.flags();
    let patient = Patient::new(redis.url());
    let stranger = Authority::new();
    let stranger = format!("--redis-ca={}", stranger.path("ca.pem").display());
    let by_address = format!("rediss://127.0.0.1:{}", redis.tls_port);
    for (url, flags, advice) in [
        (redis.url(), vec![&certificate, &key], "`redis-ca`"),
        (
            redis.url(),
            vec![&stranger, &certificate, &key],
            "`redis-ca`",
        ),
        (redis.url(), vec![&ca], "`redis-certificate`"),
        (
            by_address,
            vec![&ca, &certificate, &key],
            "a host into the URL",
        ),
    ] {
        let patient = Patient::new(url.clone());
        let (report, _) = report(patient.doctor().args(flags)).await;
        let finding = &report["findings"][0];
        assert_eq!(finding["name"], "redis-certificate", "{url}: {report:#}");
        let told = finding["advice"].as_str().expect("text");
        assert!(told.contains(advice), "{url}: {finding}");
    }
    // TLS on a port that has none: by chance it answers with an error or waits for a line's end.
    let plain = Patient::new(format!("rediss://localhost:{}", redis.server.port));
    let (told, code) = report(plain.doctor().args(redis.flags())).await;
    assert_eq!(code, 1, "{told:#}");
    let advice = told["findings"][0]["advice"].as_str().expect("text");
    assert!(advice.contains("does not speak TLS"), "{told:#}");

    // One whose time is over.
    redis
        .authority
        .certify_as(&["localhost"], |params| valid(params, -40, -3));
    let path = |name| redis.authority.path(name).display().to_string();
    let mut connection = redis.server.connection().await;
    let (chain, secret) = (path("edge.pem"), path("edge.key"));
    let set = format!("CONFIG SET tls-cert-file {chain} tls-key-file {secret}");
    let _: String = ask(&mut connection, &set).await;
    let (report, _) = report(patient.doctor().args(redis.flags())).await;
    let finding = &report["findings"][0];
    assert_eq!(
        finding["advice"], "renew the certificate of Redis",
        "{finding}"
    );
    redis.authority.certify_as(&["localhost"], |_| {});
    let _: String = ask(&mut connection, &set).await;

    // Without TLS on a port that has it.
    let patient_plain = Patient::new(format!("redis://127.0.0.1:{}", redis.tls_port));
    let found = patient_plain.found(&[]).await;
    assert_eq!(found, ["redis-unreachable"]);
    let all = [ca, certificate, key];
    assert_eq!(patient.found(&flags(&all)).await, [""; 0]);
}

#[tokio::test]
async fn of_the_application() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    patient.change_manifest("source = ", "sorce = ");
    assert_eq!(patient.found(&[]).await, ["manifest"]);
    patient.change_manifest("sorce = ", "source = ");
    patient.change_manifest("\"redis://127.0.0.1:*\", ", "");
    assert_eq!(patient.found(&[]).await, ["redis-not-allowed"]);
    patient.change_manifest("[\"rediss", "[\"redis://127.0.0.1:*\", \"rediss");

    let built = |name: &str| fs::read(super::harness::built(name)).expect("a component");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components");
    let importing = wat::parse_file(folder.join("moderation-import.wat")).expect("a component");
    for (component, bytes, name) in [
        ("moderation", importing, "component-imports"),
        ("moderation", built("analytics"), "component-contract"),
        ("hub", built("analytics"), "component-contract"),
        ("hub", b"not a component".to_vec(), "component-broken"),
    ] {
        patient.site.replace(component, &bytes);
        assert_eq!(patient.found(&[]).await, [name], "{component}");
        patient.site.replace(component, &built(component));
    }
    let mut doctor = patient.doctor();
    doctor.env("SPIN_VARIABLE_ROOMS", "No!");
    assert_eq!(found(&mut doctor).await, ["variables"]);
}

/// Answers each request with these keys.
async fn issuer(keys: Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = keys.to_string();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/keys")
}

#[tokio::test]
async fn of_issuers() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    let identity = |algorithm: &str, url: &str| json!([{ "issuer": "shop", "audience": "chat", "algorithm": algorithm, "jwks_url": url }]);
    let elliptic = json!({ "kty": "EC", "crv": "P-256", "kid": "1", "x": "a", "y": "b" });
    let url = issuer(json!({ "keys": [elliptic] })).await;
    let good = identity("ES256", &url);
    assert_eq!(patient.identity(&good, &[]).await, ["issuer-not-allowed"]);
    patient.change_manifest(
        "\"redis://127.0.0.1:*\", ",
        "\"redis://127.0.0.1:*\", \"http://127.0.0.1:*\", ",
    );
    assert_eq!(patient.identity(&good, &[]).await, [""; 0]);
    let both = patient.identity(&good, &["--allow-anonymous"]).await;
    assert_eq!(both, ["anonymous-beside-tokens"]);
    let other = identity("EdDSA", &url);
    assert_eq!(patient.identity(&other, &[]).await, ["issuer-keys"]);
    let nowhere = identity("ES256", "http://127.0.0.1:1/keys");
    assert_eq!(
        patient.identity(&nowhere, &[]).await,
        ["issuer-unreachable"]
    );

    // What the application itself does not take.
    let secret = json!([{ "issuer": "shop", "audience": "chat", "algorithm": "HS256" }]);
    let mut doctor = patient.doctor();
    doctor
        .env("SPIN_VARIABLE_IDENTITY", secret.to_string())
        .env("SPIN_VARIABLE_IDENTITY_SECRETS", r#"{"shop":"short"}"#);
    let (report, _) = report(&mut doctor).await;
    assert_eq!(report["findings"][0]["name"], "variables", "{report:#}");
    assert!(
        !report.to_string().contains("short\\\""),
        "no secret is told"
    );
    let for_all = json!([{ "issuer": "shop", "algorithm": "ES256", "jwks_url": url }]);
    assert_eq!(patient.identity(&for_all, &[]).await, ["variables"]);
}

#[tokio::test]
async fn of_logs_and_traces() {
    let redis = RedisServer::start().await;
    let patient = Patient::new(redis.url());
    let mut doctor = patient.doctor();
    doctor.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    assert_eq!(found(&mut doctor).await, ["traces"]);

    let mut connection = redis.connection().await;
    let _: u64 = ask(&mut connection, "ZADD ct:rooms 0 general 0 tech").await;
    let _: String = ask(&mut connection, "XADD ct:{general}:log 1-0 written by-hand").await;
    let (report, _) = report(&mut patient.doctor()).await;
    assert_eq!(report["findings"][0]["name"], "log-damaged", "{report:#}");
    let sentence = report["findings"][0]["sentence"].as_str().expect("text");
    assert!(
        sentence.contains("general") && !sentence.contains("tech"),
        "{sentence}"
    );
}
