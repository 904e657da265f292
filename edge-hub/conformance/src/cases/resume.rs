//! Coming back with a position.

use anyhow::ensure;
use serde_json::{Value, json};

use crate::{
    case::{Case, Outcome, case, same},
    cases::delivery::{burst, flood},
    context::{Context, Edge},
    reader::{Reader, entries, ids, origin, seq, written},
};

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case!(whole_from_an_entry, "Resume", "c is an entry (or tombstone) with the same tag"),
    case!(whole_from_the_head, "Resume", "c is an entry (or tombstone) with the same tag"),
    case!(whole_from_a_tombstone, "Resume", "c is an entry (or tombstone) with the same tag"),
    case!(whole_from_before_the_first, "Resume", "c.seq = f − 1 and f's `prev` is c's tag"),
    case!(trimmed_says_what_is_lost, "Resume", "| c.seq < f − 1 | false | `trimmed` | {c+1 … f−1} | from f on |"),
    case!(without_a_position_the_newest_come, "Resume", "| no `since` | false | null | null | the newest 50 |"),
    case!(forged_tag_is_diverged, "Resume", "anything else: beyond h, another tag, an empty log"),
    case!(position_beyond_the_head_is_diverged, "Resume", "anything else: beyond h, another tag, an empty log"),
    case!(position_in_an_empty_log_is_diverged, "Resume", "anything else: beyond h, another tag, an empty log"),
    case!(position_of_a_deleted_room_is_diverged, "Rooms", "A later room of that name is another one: a position in the old is `diverged`."),
    case!(second_join_is_a_resync, "Frames of the client", "for a room joined already it is a resync"),
    case!(long_way_comes_in_pages, "Frames of the server", "at most 100 and 64 KiB of stored entries a frame"),
    case!(live_messages_wait_for_the_last_page, "Frames of the server", "live messages of that room wait until the last, which may be empty"),
    case!(bad_positions_are_refused, "Words", "`tag` is a fingerprint of the log up to it, 16 hexadecimal digits."),
];

/// A room with messages `m1` to `m5` of `ada`, all of which a reader has.
async fn five(c: &Context) -> anyhow::Result<(String, Reader)> {
    let room = c.room().await?;
    let (mut ada, joined) = c.resume(&c.user("ada")?, &room, None).await?;
    let mut reader = Reader::new(&joined)?;
    for number in 1..=5 {
        let position = ada.store(&room, &format!("m{number}"), "hello").await?;
        reader.follow(&mut ada, &room, &position).await?;
    }
    Ok((room, reader))
}

fn told(joined: &Value, recovered: bool, reason: Value, lost: Value) -> Outcome {
    same("`recovered`", &joined["recovered"], recovered)?;
    same("`reason`", &joined["reason"], reason)?;
    same("`lost`", &joined["lost"], lost)
}

async fn whole_from_an_entry(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let since = reader.entries[1]["position"].clone();
    let (_, joined) = c.resume(&c.user("bob")?, &room, Some(&since)).await?;
    told(&joined, true, Value::Null, Value::Null)?;
    same("`head`", &joined["head"], reader.position.clone())?;
    same("`more`", &joined["more"], false)?;
    let mut again = Reader::at(since);
    again.take(&joined)?;
    ensure!(
        again.entries == reader.entries[2..],
        "another rest: {joined}"
    );
    Ok(())
}

async fn whole_from_the_head(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let (_, joined) = c
        .resume(&c.user("bob")?, &room, Some(&reader.position))
        .await?;
    told(&joined, true, Value::Null, Value::Null)?;
    same("`messages`", &joined["messages"], json!([]))?;
    same("`position`", &joined["position"], reader.position)
}

async fn whole_from_a_tombstone(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let ada = c.user("ada")?;
    let mut socket = c.join(&ada, &room).await?;
    let ack = socket
        .change(json!({ "type": "delete", "room": room, "id": "d1",
            "target": { "user": ada.id, "id": "m3" } }))
        .await?;
    same("the answer", &ack["type"], "ack")?;
    let since = reader.entries[2]["position"].clone();
    let (_, joined) = c.resume(&c.user("bob")?, &room, Some(&since)).await?;
    told(&joined, true, Value::Null, Value::Null)?;
    let mut again = Reader::at(since);
    again.take(&joined)?;
    ensure!(
        ids(&again.entries) == ["m4", "m5", "d1"],
        "another rest: {joined}"
    );
    Ok(())
}

async fn whole_from_before_the_first(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let (_, joined) = c.resume(&c.user("bob")?, &room, Some(&origin())).await?;
    told(&joined, true, Value::Null, Value::Null)?;
    ensure!(
        entries(&joined)? == &reader.entries,
        "another log: {joined}"
    );
    Ok(())
}

async fn trimmed_says_what_is_lost(c: Context) -> Outcome {
    let (room, before) = five(&c).await?;
    let keeper = c.user("keeper")?;
    let (mut owner, joined) = c.resume(&keeper, &room, None).await?;
    let mut whole = Reader::new(&joined)?;
    owner
        .done(json!({ "type": "configure", "room": room, "log_entries": 3 }))
        .await?;
    let mut last = Value::Null;
    for number in 6..=9 {
        last = owner.store(&room, &format!("m{number}"), "hello").await?;
    }
    whole.follow(&mut owner, &room, &last).await?;
    let since = before.entries[0]["position"].clone();

    // Over HTTP the log itself answers.
    let after = format!("?after={}", written(&since));
    let page = c.messages(&keeper, &room, &after).await?;
    told(
        &page,
        false,
        json!("trimmed"),
        json!({ "from": 2, "to": 6 }),
    )?;
    ensure!(
        entries(&page)? == &whole.entries[6..],
        "not from there on: {page}"
    );

    // Over a WebSocket an edge may remember what the log has let go, and then nothing is lost.
    let (_, joined) = c.resume(&c.user("bob")?, &room, Some(&since)).await?;
    let first = entries(&joined)?.first().map_or(0, seq);
    match joined["recovered"] == true {
        true => told(&joined, true, Value::Null, Value::Null)?,
        false => told(
            &joined,
            false,
            json!("trimmed"),
            json!({ "from": 2, "to": first - 1 }),
        )?,
    }
    let mut resumed = Reader::new(&joined)?;
    ensure!(
        whole.entries.ends_with(&resumed.entries) && resumed.entries.len() >= 3,
        "another rest: {joined}"
    );

    // From there on he is whole.
    let (_, joined) = c
        .resume(&c.user("bob")?, &room, Some(&resumed.position))
        .await?;
    told(&joined, true, Value::Null, Value::Null)?;
    let position = owner.store(&room, "m10", "hello").await?;
    let (_, joined) = c
        .resume(&c.user("bob")?, &room, Some(&resumed.position))
        .await?;
    told(&joined, true, Value::Null, Value::Null)?;
    resumed.take(&joined)?;
    same("the position", &resumed.position, position)
}

async fn without_a_position_the_newest_come(c: Context) -> Outcome {
    let room = c.room().await?;
    let each = burst(&c);
    let users = 60_usize.div_ceil(each);
    let stored = flood(&c, Edge::First, &room, "s", (users, each), "one of many").await?;
    let (_, joined) = c.resume(&c.user("bob")?, &room, None).await?;
    told(&joined, false, Value::Null, Value::Null)?;
    let expected: Vec<&str> = stored[stored.len() - 50..]
        .iter()
        .map(|(id, _)| id.as_str())
        .collect();
    ensure!(
        ids(entries(&joined)?) == expected,
        "not the newest 50: {joined}"
    );
    same("`more`", &joined["more"], false)?;
    Reader::new(&joined)?;
    Ok(())
}

async fn diverges(c: &Context, room: &str, since: Value, log: &[Value]) -> Outcome {
    let (mut bob, joined) = c.resume(&c.user("bob")?, room, Some(&since)).await?;
    told(&joined, false, json!("diverged"), Value::Null)?;
    ensure!(
        entries(&joined)? == log,
        "after `diverged` the newest come: {joined}"
    );
    // He goes on from there like anybody.
    let mut reader = Reader::at(origin());
    reader.take(&joined)?;
    let position = bob.store(room, "after", "hello").await?;
    reader.follow(&mut bob, room, &position).await
}

async fn forged_tag_is_diverged(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let since = json!({ "seq": 3, "tag": "00000000deadbeef" });
    diverges(&c, &room, since, &reader.entries).await
}

async fn position_beyond_the_head_is_diverged(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let since = json!({ "seq": 6, "tag": reader.position["tag"] });
    diverges(&c, &room, since, &reader.entries).await
}

async fn position_in_an_empty_log_is_diverged(c: Context) -> Outcome {
    let room = c.room().await?;
    let since = json!({ "seq": 3, "tag": "00000000deadbeef" });
    diverges(&c, &room, since, &[]).await
}

async fn position_of_a_deleted_room_is_diverged(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let (mut keeper, _) = c.hello(&c.user("keeper")?, json!([])).await?;
    keeper
        .done(json!({ "type": "delete_room", "room": room }))
        .await?;
    c.create(&c.user("keeper")?, json!({ "room": room }))
        .await?;
    diverges(&c, &room, reader.position, &[]).await
}

async fn second_join_is_a_resync(c: Context) -> Outcome {
    let (room, reader) = five(&c).await?;
    let mut bob = c.join(&c.user("bob")?, &room).await?;
    let since = reader.entries[2]["position"].clone();
    let joined = bob.join(&room, Some(&since)).await?;
    told(&joined, true, Value::Null, Value::Null)?;
    let mut again = Reader::at(since);
    again.take(&joined)?;
    let position = bob.store(&room, "b1", "hello").await?;
    again.follow(&mut bob, &room, &position).await?;
    ensure!(
        ids(&again.entries) == ["m4", "m5", "b1"],
        "{:?}",
        again.entries
    );
    bob.told_no("message").await
}

/// Stores more than a page takes; gives how much that is.
async fn more_than_a_page(c: &Context, room: &str) -> anyhow::Result<usize> {
    let each = burst(c);
    let users = 130_usize.div_ceil(each);
    let text = "one of many ".repeat(4);
    let stored = flood(c, Edge::First, room, "s", (users, each), &text).await?;
    Ok(stored.len())
}

async fn long_way_comes_in_pages(c: Context) -> Outcome {
    let room = c.room().await?;
    let stored = more_than_a_page(&c, &room).await?;
    let (mut bob, joined) = c.resume(&c.user("bob")?, &room, Some(&origin())).await?;
    told(&joined, true, Value::Null, Value::Null)?;
    same("`more`", &joined["more"], true)?;
    let length = entries(&joined)?.len();
    ensure!((1..=100).contains(&length), "{length} messages in a frame");
    let mut reader = Reader::at(origin());
    reader.take(&joined)?;
    reader.page(&mut bob, &joined).await?;
    ensure!(
        reader.entries.len() == stored,
        "{} of {stored}",
        reader.entries.len()
    );
    same("the head", &joined["head"], reader.position)
}

async fn live_messages_wait_for_the_last_page(c: Context) -> Outcome {
    let room = c.room().await?;
    more_than_a_page(&c, &room).await?;
    let mut ada = c.join(&c.user("ada")?, &room).await?;
    for round in 0..3 {
        let resume = c.user("bob")?;
        let since = origin();
        let speaking = async {
            let mut last = Value::Null;
            for number in 0..4 {
                last = ada
                    .store(&room, &format!("r{round}-{number}"), "live")
                    .await?;
            }
            anyhow::Ok(last)
        };
        let resuming = c.resume(&resume, &room, Some(&since));
        let (last, resumed) = tokio::try_join!(speaking, resuming)?;
        let (mut bob, joined) = resumed;
        let mut reader = Reader::at(since);
        reader.take(&joined)?;
        // Fails at a live entry that comes before the last page.
        reader.page(&mut bob, &joined).await?;
        reader.follow(&mut bob, &room, &last).await?;
    }
    Ok(())
}

async fn bad_positions_are_refused(c: Context) -> Outcome {
    let room = c.room().await?;
    let (mut ada, _) = c.hello(&c.user("ada")?, json!([])).await?;
    let bad = [
        json!(5),
        json!({ "seq": 1 }),
        json!({ "seq": -1, "tag": "0000000000000000" }),
        json!({ "seq": 1, "tag": "xyz" }),
        json!({ "seq": 1, "tag": "00000000DEADBEEF0" }),
        json!({ "seq": 18_014_398_509_481_984_u64, "tag": "0000000000000000" }),
    ];
    for since in bad {
        let answer = ada.join(&room, Some(&since)).await?;
        crate::case::refused(&answer, "bad_frame")?;
    }
    ada.enter(&room).await?;
    Ok(())
}
