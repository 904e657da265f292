//! Two hosts on one Redis.

use serde_json::{Value, json};

use super::{
    client::{Client, Reader, flood},
    harness::{Edge, RedisServer, Site, ask, built, eventually},
};

#[tokio::test]
async fn clients_of_two_edges_see_one_order_without_a_gap() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let (one, two) = tokio::join!(site.edge(&redis), site.edge(&redis));
    let mut readers = Vec::new();
    for (edge, user) in [(&one, "ada"), (&one, "bob"), (&two, "cleo"), (&two, "dan")] {
        let (client, joined) = Client::resume(edge.address, user, "general", None).await;
        readers.push((client, Reader::new(&joined)));
    }

    let (from_one, from_two) = tokio::join!(
        flood(one.address, "general", "a", 100, "from the one"),
        flood(two.address, "general", "b", 100, "from the other"),
    );
    let mut stored = [from_one, from_two].concat();
    stored.sort_by_key(|(_, position)| position["seq"].as_u64());
    let (_, last) = stored.last().expect("messages");
    for (client, reader) in &mut readers {
        reader.follow(client, last).await;
    }

    let expected = &readers[0].1.messages;
    for (_, reader) in &readers[1..] {
        assert_eq!(&reader.messages, expected);
    }
    let seen: Vec<(String, Value)> = expected.iter().map(place).collect();
    assert_eq!(seen, stored, "what was acknowledged is what was seen");

    let mut eve = Client::join(two.address, "eve").await;
    assert_eq!(&whole_history(&mut eve).await, expected);
    let log = whole_log(&redis).await;
    assert_eq!(log, stored);
}

#[tokio::test]
async fn two_builds_of_the_hub_serve_one_room_while_an_upgrade_lasts() {
    let redis = RedisServer::start().await;
    let (before, after) = (Site::new(), Site::new());
    // A custom section that nobody reads: another digest, as any other build has.
    let mut build = std::fs::read(built("hub")).expect("a component");
    build.extend_from_slice(b"\0\x05\x04next");
    after.replace("hub", &build);
    let (one, two) = tokio::join!(before.edge(&redis), after.edge(&redis));
    let digest = async |edge: &Edge| {
        let page = edge.metrics().await;
        let hub = "clustertalk_component_info{component=\"hub\",digest=\"";
        let line = page.lines().find_map(|line| line.strip_prefix(hub));
        line.expect("a digest").to_owned()
    };
    assert_ne!(digest(&one).await, digest(&two).await);

    let (mut ada, joined) = Client::resume(one.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let mut bob = Client::join(two.address, "bob").await;
    ada.store("general", "m1", "from the old").await;
    let last = bob.store("general", "m2", "from the new").await;
    reader.follow(&mut ada, &last).await;

    // The edge upgraded in place goes on with sessions that the old build began.
    before.replace("hub", &build);
    eventually("the new build", async || {
        let swaps = one.component_metric("swaps_total", "hub").await;
        (swaps == 1).then_some(())
    })
    .await;
    let last = ada.store("general", "m3", "from the same connection").await;
    reader.follow(&mut ada, &last).await;
    assert_eq!(digest(&one).await, digest(&two).await);
}

fn place(message: &Value) -> (String, Value) {
    let id = message["id"].as_str().expect("an id").to_owned();
    (id, message["position"].clone())
}

async fn whole_history(client: &mut Client) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut before = Value::Null;
    loop {
        client
            .send(json!({ "type": "history", "room": "general", "before": before, "limit": 70 }))
            .await;
        let page = client.take("history").await;
        let messages = page["messages"].as_array().expect("messages").clone();
        before = messages[0]["position"]["seq"].clone();
        pages.push(messages);
        if page["more"] == false {
            break;
        }
    }
    pages.reverse();
    pages.concat()
}

async fn whole_log(redis: &RedisServer) -> Vec<(String, Value)> {
    let mut redis = redis.connection().await;
    let log: Vec<(String, (String, String))> = ask(&mut redis, "XRANGE ct:{general}:log - +").await;
    let read = |(entry, (_, event)): (String, (String, String))| {
        let event: Value = serde_json::from_str(&event).expect("JSON");
        assert_eq!(entry, format!("{}-0", event["seq"]));
        let id = event["body"]["id"].as_str().expect("an id").to_owned();
        (id, json!({ "seq": event["seq"], "tag": event["tag"] }))
    };
    log.into_iter().map(read).collect()
}
