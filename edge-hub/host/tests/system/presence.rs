//! Who is in a room, where a call that changed it was lost.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    client::Client,
    harness::{RedisServer, Site, ask, eventually},
};

#[tokio::test]
async fn ghosts_are_let_go_and_who_was_lost_comes_back() {
    let redis = RedisServer::start().await;
    let mut to_redis = redis.connection().await;
    let edge = Site::new().edge(&redis).await;
    let mut ada = Client::join(edge.address, "ada").await;
    ada.send(json!({ "type": "join", "room": "tech" })).await;
    ada.take("joined").await;
    let _bob = Client::join(edge.address, "bob").await;

    // What a `closed` leaves behind that trapped, and what a failover forgets.
    let edges: Vec<String> = ask(&mut to_redis, "ZRANGE ct:{general}:edges 0 -1").await;
    for (room, ghost) in [("general", "g1"), ("general", "g2"), ("tech", "g3")] {
        let mut row = redis::cmd("HSET");
        row.arg(format!("ct:{{{room}}}:members:{}", edges[0]))
            .arg(ghost)
            .arg(format!("1 \"{ghost}\""));
        let _: u64 = row.query_async(&mut to_redis).await.expect("a row");
    }
    let members = format!("ct:{{general}}:members:{}", edges[0]);
    let _: u64 = ask(&mut to_redis, &format!("HDEL {members} bob")).await;
    ada.send(json!({ "type": "leave", "room": "tech" })).await;

    for (change, user, count) in [("left", "g1", 2), ("left", "g2", 2), ("joined", "bob", 2)] {
        let told = ada.next_that(user, |frame| frame[change]["id"] == user);
        assert_eq!(told.await["members_count"], count, "{change} {user}");
    }
    let rows: BTreeMap<String, String> = ask(&mut to_redis, &format!("HGETALL {members}")).await;
    let expected = [("ada", "1 \"ada\""), ("bob", "1 \"bob\"")];
    assert_eq!(
        rows,
        BTreeMap::from(expected.map(|(id, row)| (id.into(), row.into())))
    );
    // Nobody follows this room any more, but the edge has not forgotten whom it brought there.
    eventually("the end of a ghost in a room that was left", async || {
        let edges: u64 = ask(&mut to_redis, "EXISTS ct:{tech}:edges").await;
        (edges == 0).then_some(())
    })
    .await;
    let members: String = ask(&mut to_redis, "ZSCORE ct:rooms tech").await;
    assert_eq!(members, "0");
    assert_eq!(
        edge.metric("clustertalk_presence_corrections_total").await,
        4
    );
}
