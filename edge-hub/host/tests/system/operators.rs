//! What operators do with a deployment's Redis: check logs, export a user, erase one.

use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{
    client::Client,
    command_line::{run, sentence},
    harness::{Edge, RedisServer, Site, ask, clustertalk, eventually},
    transcript::blocks,
};

/// A command on the Redis of a test.
fn on(redis: &RedisServer, arguments: &[&str]) -> Command {
    let mut command = clustertalk(arguments[0]);
    command
        .args(&arguments[1..])
        .args(["--redis", &redis.url()]);
    command
}

/// The JSON lines that a command prints, which must succeed.
async fn lines(command: &mut Command) -> Vec<Value> {
    let (code, output, error) = run(command).await;
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    let parse = |line: &str| serde_json::from_str(line).expect("JSON");
    output.lines().map(parse).collect()
}

/// The codes of what is wrong in `general`, by number.
async fn findings(redis: &RedisServer) -> Vec<String> {
    let (code, output, _) = run(&mut on(redis, &["verify", "general", "--json"])).await;
    let report: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(report["ok"] == true, code == 0, "{report}");
    let findings = report["findings"].as_array().expect("a list");
    let code = |finding: &Value| {
        assert!(!finding["advice"].as_str().expect("text").is_empty());
        format!(
            "{} {}",
            finding["seq"],
            finding["code"].as_str().expect("text")
        )
    };
    findings.iter().map(code).collect()
}

/// The entries of `general`, id and event.
async fn entries(connection: &mut MultiplexedConnection) -> Vec<(String, String)> {
    let entries: Vec<(String, Vec<(String, String)>)> =
        ask(connection, "XRANGE ct:{general}:log - +").await;
    let event = |(id, mut fields): (String, Vec<(String, String)>)| (id, fields.remove(0).1);
    entries.into_iter().map(event).collect()
}

/// Puts others in their place.
async fn rewrite(connection: &mut MultiplexedConnection, entries: &[(String, String)]) {
    let _: u64 = ask(connection, "DEL ct:{general}:log").await;
    for (id, event) in entries {
        let mut command = redis::cmd("XADD");
        command
            .arg("ct:{general}:log")
            .arg(id)
            .arg("event")
            .arg(event);
        let _: String = command.query_async(connection).await.expect("an entry");
    }
}

#[tokio::test]
async fn verify_finds_what_was_changed_by_hand_and_names_it() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut connection = redis.connection().await;
    for number in 1..=5 {
        let (id, text) = (format!("m{number}"), format!("text {number}"));
        let message = json!({ "user": "ada", "id": id, "text": text });
        assert_eq!(edge.post("general", &message).await.status, 201);
    }
    let target = json!({ "user": "ada", "id": "m2" });
    let delete = json!({ "user": "ada", "type": "delete", "id": "d6", "target": target });
    assert_eq!(edge.post("general", &delete).await.status, 201);
    assert_eq!(findings(&redis).await, [""; 0]);
    let (code, output, _) = run(&mut on(&redis, &["verify", "--all"])).await;
    assert_eq!(code, 0);
    assert!(
        output.starts_with("ok       #general  5 entries, 1 tombstones, 1 to 6-"),
        "{output}"
    );

    let whole = entries(&mut connection).await;
    let mut changed = whole.clone();
    changed[1].1 = changed[1].1.replace("text 3", "text 4");
    rewrite(&mut connection, &changed).await;
    assert_eq!(findings(&redis).await, ["3 altered"]);

    let mut swapped = whole.clone();
    (swapped[2].1, swapped[3].1) = (whole[3].1.clone(), whole[2].1.clone());
    rewrite(&mut connection, &swapped).await;
    let found = findings(&redis).await;
    assert!(
        found.contains(&"4 misplaced".to_owned()) && found.contains(&"5 misplaced".to_owned()),
        "{found:?}"
    );

    let mut forged = whole.clone();
    let (_, last) = forged.last().expect("an entry").clone();
    forged.push(("7-0".to_owned(), last.replace("\"seq\":6", "\"seq\":7")));
    rewrite(&mut connection, &forged).await;
    assert_eq!(
        findings(&redis).await,
        ["7 detached", "7 retagged", "7 unseen"]
    );

    rewrite(&mut connection, &whole).await;
    let kept: String = ask(&mut connection, "HGET ct:{general}:tombstones 2").await;
    let forged = kept.replace("\"kind\":\"message\"", "\"kind\":\"edit\"");
    let _: u64 = ask(
        &mut connection,
        &format!("HSET ct:{{general}}:tombstones 2 {forged}"),
    )
    .await;
    assert_eq!(findings(&redis).await, ["2 retagged"]);
    let _: u64 = ask(
        &mut connection,
        &format!("HSET ct:{{general}}:tombstones 2 {kept}"),
    )
    .await;

    let _: u64 = ask(&mut connection, "XDEL ct:{general}:log 4-0").await;
    assert_eq!(findings(&redis).await, ["4 hole", "4 stray"]);
    let told = on(&redis, &["verify", "#general", "tech"]);
    let (code, output, error) = run(&mut { told }).await;
    assert_eq!(
        (code, error.as_str()),
        (1, "error: 1 of 2 rooms is damaged\n")
    );
    assert!(
        output.contains("DAMAGED  #general") && output.contains("ok       #tech"),
        "{output}"
    );
    let (code, ..) = run(&mut on(&redis, &["verify"])).await;
    assert_eq!(code, 2, "neither rooms nor --all");
}

#[tokio::test]
async fn the_private_redis_of_a_running_edge_is_found() {
    let site = Site::new();
    let edge = site.edge_alone().await;
    edge.post(
        "general",
        &json!({ "user": "ada", "id": "m1", "text": "hello" }),
    )
    .await;
    let verify = || {
        let mut command = clustertalk("verify");
        command.args(["--all", "--data"]).arg(site.path("data"));
        command
    };
    let (code, output, _) = run(&mut verify()).await;
    assert_eq!((code, output.starts_with("ok ")), (0, true), "{output}");
    drop(edge);
    let told = eventually("the end of the edge's Redis", async || {
        let (code, _, told) = run(&mut verify()).await;
        (code == 1 && told.contains("no Redis is named")).then_some(told)
    })
    .await;
    assert!(told.contains("CLUSTERTALK_REDIS"), "{told}");
}

/// Long and rare, so that it stands nowhere by chance.
const USER: &str = "grace-hopper";

/// Everything that a command shows of any key.
async fn dump(connection: &mut MultiplexedConnection) -> String {
    let mut all = String::new();
    let keys: Vec<String> = ask(connection, "KEYS *").await;
    for key in keys {
        let kind: String = ask(connection, &format!("TYPE {key}")).await;
        let shown = match kind.as_str() {
            "string" => format!("GET {key}"),
            "hash" => format!("HGETALL {key}"),
            "zset" => format!("ZRANGE {key} 0 -1 WITHSCORES"),
            "stream" => format!("XRANGE {key} - +"),
            other => panic!("a {other}: {key}"),
        };
        // A HyperLogLog is no text.
        let value: redis::Value = ask(connection, &shown).await;
        all += &format!("{key}: {value:?}\n");
    }
    all
}

/// Grace says, edits, deletes, reacts, answers and is answered, in a public room, in a private one of
/// her own, in one of bob's and in a direct one. Answers with the names of the last three.
async fn a_life(edge: &Edge) -> [String; 3] {
    let mut grace = Client::join(edge.address, USER).await;
    let mut bob = Client::join(edge.address, "bob").await;
    let reference = |user: &str, id: &str| json!({ "user": user, "id": id });
    grace.store("general", "g1", "secret-text one").await;
    bob.store("general", "b2", "hello there").await;
    for (client, frame) in [
        (
            0,
            json!({ "type": "edit", "id": "g3", "target": reference(USER, "g1"), "text": "secret-text two" }),
        ),
        (
            1,
            json!({ "type": "react", "id": "b4", "target": reference(USER, "g1"), "reaction": "+1" }),
        ),
        (
            0,
            json!({ "type": "react", "id": "g5", "target": reference("bob", "b2"), "reaction": "heart" }),
        ),
        (
            0,
            json!({ "type": "send", "id": "g6", "text": "secret-text six" }),
        ),
        (
            0,
            json!({ "type": "delete", "id": "g7", "target": reference(USER, "g6") }),
        ),
        (
            0,
            json!({ "type": "send", "id": "g8", "text": "secret-text eight", "reply_to": reference("bob", "b2") }),
        ),
    ] {
        let mut frame = frame;
        frame["room"] = "general".into();
        let client = [&mut grace, &mut bob]
            .into_iter()
            .nth(client)
            .expect("a client");
        let id = frame["id"].as_str().expect("an id").to_owned();
        client.send(frame).await;
        assert_eq!(client.answer(&id).await["type"], "ack", "{id}");
    }
    grace
        .send(json!({ "type": "read", "room": "general", "seq": 8 }))
        .await;
    grace.take("receipt").await;

    let create = |base: &str| json!({ "type": "create", "room": base, "private": true });
    let name = |room: Value| room["room"].as_str().expect("a name").to_owned();
    let own = name(grace.get_done(create("plans")).await);
    grace.enter(&own).await;
    grace.store(&own, "g9", "secret-text nine").await;
    let others = name(bob.get_done(create("ideas")).await);
    let grant = json!({ "type": "grant", "room": others, "user": USER, "role": "moderator" });
    bob.get_done(grant).await;
    grace.enter(&others).await;
    grace.store(&others, "g10", "secret-text ten").await;
    let direct = name(
        grace
            .get_done(json!({ "type": "direct", "user": "bob" }))
            .await,
    );
    grace.enter(&direct).await;
    grace.store(&direct, "g11", "secret-text eleven").await;
    let slow = json!({ "type": "configure", "room": others, "slow_mode_ms": 600_000 });
    bob.get_done(slow).await;
    [own, others, direct]
}

#[tokio::test]
async fn an_erased_user_is_nowhere_and_the_rooms_go_on() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let mut connection = redis.connection().await;
    let [own, others, direct] = a_life(&edge).await;
    for command in [
        format!("ZADD ct:{{tech}}:ban inf {USER}"),
        format!("ZADD ct:{{tech}}:mute 1 {USER}"),
    ] {
        let _: u64 = ask(&mut connection, &command).await;
    }

    // Whoever shows her text is told, in a second room as well.
    let mut eve = Client::join(edge.address, "eve").await;
    let mut bob = Client::join(edge.address, "bob").await;
    let joined = bob.enter(&direct).await;
    assert_eq!(joined["type"], "joined", "{joined}");

    let exported = lines(&mut on(&redis, &["user", "export", USER])).await;
    let whats = |what: &str| {
        let of = |line: &&Value| line["what"] == what;
        exported.iter().filter(of).count()
    };
    // g6 is deleted, and known by its id alone.
    assert_eq!(whats("entry"), 8, "{exported:#?}");
    assert_eq!(whats("id"), 9, "{exported:#?}");
    assert_eq!(whats("room_listed"), 3, "{exported:#?}");
    assert_eq!(whats("direct"), 1);
    assert_eq!((whats("ban"), whats("mute"), whats("read")), (1, 1, 1));
    assert_eq!((whats("role"), whats("creator")), (3, 2), "{exported:#?}");
    assert_eq!(whats("about") + whats("named"), 0);
    let with_others = lines(&mut on(&redis, &["user", "export", USER, "--and-mentions"])).await;
    assert_eq!(with_others.len(), exported.len() + 1, "bob's reaction");

    let told = eventually("the last of her connections", async || {
        let (code, _, error) = run(&mut on(&redis, &["user", "erase", USER])).await;
        assert_eq!(code, 1);
        (!error.contains("is connected")).then_some(error)
    })
    .await;
    assert!(told.contains("give `--yes`"), "{told}");
    let before = dump(&mut connection).await;
    let dry = lines(&mut on(
        &redis,
        &["user", "erase", USER, "--dry-run", "--json"],
    ))
    .await;
    assert_eq!(dry[0]["counts"]["direct_rooms"], 1, "{dry:?}");
    assert_eq!(dry[0]["removed"], false);
    // But for what expires by itself.
    let kept = |dump: &str| {
        dump.lines()
            .filter(|line| !line.contains("rate:"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let logs = |dump: &str| {
        kept(dump)
            .into_iter()
            .filter(|line| line.contains("}:log"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        logs(&dump(&mut connection).await).len(),
        logs(&before).len()
    );

    let done = lines(&mut on(&redis, &["user", "erase", USER, "--yes", "--json"])).await;
    assert_eq!(done[0]["removed"], true);
    assert_eq!(done[0]["rooms_without_owner"], json!([own]));
    for (who, client) in [("eve", &mut eve), ("bob", &mut bob)] {
        let mut struck = Vec::new();
        while struck.len() < 4 {
            let changed = client
                .next_that("an erasure", |frame| {
                    frame["type"] == "changed" && frame["room"] == "general"
                })
                .await;
            if changed["user"]["id"] != "erased" {
                continue;
            }
            assert_eq!(changed["change"], "delete", "{who}: {changed}");
            assert_eq!(changed["target"]["user"], "erased");
            struck.push(changed["target"]["position"]["seq"].clone());
        }
        // The message with its edit, the reaction, the deletion, and the answer.
        assert_eq!(struck, [1, 5, 7, 8], "{who}");
    }
    assert_eq!(
        bob.next_that("the end of the room", |frame| frame["type"] == "left")
            .await["reason"],
        "deleted"
    );

    let after = dump(&mut connection).await;
    for trace in [USER, "secret-text"] {
        let found: Vec<&str> = after.lines().filter(|line| line.contains(trace)).collect();
        assert!(found.is_empty(), "{trace}: {found:#?}");
    }
    assert_eq!(
        lines(&mut on(&redis, &["user", "export", USER])).await,
        [Value::Null; 0]
    );
    let (code, output, error) = run(&mut on(&redis, &["verify", "--all"])).await;
    assert_eq!((code, error.as_str()), (0, ""), "{output}");
    assert!(
        output.contains(&others) && !output.contains(&direct),
        "{output}"
    );

    // Again there is nothing, and the room goes on.
    let again = lines(&mut on(&redis, &["user", "erase", USER, "--yes", "--json"])).await;
    assert_eq!(again[0]["counts"], json!({}));
    bob.store("general", "b9", "still here").await;
    let mut cyd = Client::open(edge.address).await;
    let joined = cyd.hello("cyd", "general", None).await;
    assert!(!joined.to_string().contains(USER), "{joined}");
    let texts: Vec<&str> = joined["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .filter_map(|entry| entry["text"].as_str())
        .collect();
    assert_eq!(texts, ["hello there", "still here"]);
}

#[tokio::test]
async fn who_is_connected_is_not_erased() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut grace = Client::join(edge.address, USER).await;
    grace.store("general", "g1", "hello").await;
    let told = sentence(&mut on(&redis, &["user", "erase", USER, "--yes"])).await;
    assert!(
        told.contains("is connected (#general)") && told.contains("/kick"),
        "{told}"
    );
    let exported = lines(&mut on(&redis, &["user", "export", USER])).await;
    assert!(
        exported.iter().any(|line| line["what"] == "present"),
        "{exported:?}"
    );
}

#[tokio::test]
async fn bans_and_what_others_said_stay_or_go_as_is_wished() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    let mut connection = redis.connection().await;
    let say = async |user: &str, id: &str, more: Value| {
        let mut message = json!({ "user": user, "id": id, "text": "text" });
        for (name, value) in more.as_object().expect("fields") {
            message[name] = value.clone();
        }
        assert_eq!(edge.post("general", &message).await.status, 201);
    };
    say(USER, "g1", json!({})).await;
    say("bob", "b2", json!({ "mentions": [USER] })).await;
    say(
        "bob",
        "b3",
        json!({ "reply_to": { "user": USER, "id": "g1" } }),
    )
    .await;
    say("bob", "b4", json!({})).await;
    let _: u64 = ask(
        &mut connection,
        &format!("ZADD ct:{{general}}:ban inf {USER}"),
    )
    .await;

    let first = ["user", "erase", USER, "--yes", "--json", "--keep-bans"];
    let done = lines(&mut on(&redis, &first)).await;
    assert_eq!(done[0]["others_messages_that_name_the_user"], 2, "{done:?}");
    let banned: Option<String> = ask(
        &mut connection,
        &format!("ZSCORE ct:{{general}}:ban {USER}"),
    )
    .await;
    assert_eq!(banned.as_deref(), Some("inf"));

    let second = ["user", "erase", USER, "--yes", "--json", "--and-mentions"];
    let done = lines(&mut on(&redis, &second)).await;
    assert_eq!(
        done[0]["counts"],
        json!({ "bans": 1, "others_messages": 2 })
    );
    assert!(!dump(&mut connection).await.contains(USER));
    let (code, output, _) = run(&mut on(&redis, &["verify", "general"])).await;
    assert_eq!(code, 0, "{output}");
}

#[tokio::test]
async fn the_rights_that_the_documents_name_do_for_an_erasure() {
    let redis = RedisServer::start().await;
    let edge = Site::new().edge(&redis).await;
    a_life(&edge).await;
    let flagged = json!({ "user": USER, "id": "g99", "text": "shut up" });
    assert_eq!(
        edge.post("general", &flagged).await.json()["action"],
        "flag"
    );
    let mut connection = redis.connection().await;
    let words = blocks(
        include_str!("../../../../docs/operations.md"),
        "acl-operator",
    )
    .join(" ");
    let mut grant = redis::cmd("ACL");
    words.split_whitespace().skip(1).for_each(|word| {
        grant.arg(word);
    });
    let _: () = grant
        .query_async(&mut connection)
        .await
        .expect("the rights");
    let url = format!("redis://operator:PASSWORD@127.0.0.1:{}", redis.port);
    let command = |arguments: &[&str]| {
        let mut command = clustertalk(arguments[0]);
        // The password is no argument, which others could read.
        command.args(&arguments[1..]).env("CLUSTERTALK_REDIS", &url);
        command
    };
    eventually("the last of her connections", async || {
        let (code, ..) = run(&mut command(&["user", "erase", USER, "--yes"])).await;
        (code == 0).then_some(())
    })
    .await;
    for verify in [
        &["verify", "--all"][..],
        &["verify", "--all", "--moderation"],
    ] {
        let (code, output, error) = run(&mut command(verify)).await;
        assert_eq!((code, error.as_str()), (0, ""), "{output}");
    }
    assert!(!dump(&mut connection).await.contains(USER));
}
