//! `clustertalk user export`: everything that Redis holds of a user, line by line.

use anyhow::Result;
use clustertalk_core::{
    log::{Involvement, moderation},
    redis::person,
};
use serde_json::{Value, json, value::RawValue};

use super::{
    super::{
        database::{self, Stretches},
        output::{print, print_json},
    },
    Remembered, direct, held, listed, rows,
};
use crate::config::Export;

pub async fn run(export: Export) -> Result<()> {
    let store = database::open(&export.database).await?;
    let (keyspace, user) = (store.keyspace(), &export.user);
    for (room, with) in listed(&store, user).await? {
        let with = Some(with).filter(|with| !with.is_empty());
        print_json(&json!({ "what": "room_listed", "room": room, "with": with }))?;
    }
    for (holding, value) in held(&store, person::overall_holdings(keyspace, user)).await? {
        let what = holding.what.name();
        print_json(&json!({ "what": what, "room": null, "value": plainly(&value) }))?;
    }
    for room in &database::rooms(&store).await? {
        if let Some(pair) = direct(&store, room, user).await? {
            print_json(&json!({ "what": "direct", "room": room, "value": pair }))?;
        }
        for (holding, value) in held(&store, person::holdings(keyspace, room, user)).await? {
            let what = holding.what.name();
            print_json(&json!({ "what": what, "room": room, "value": plainly(&value) }))?;
        }
        for row in rows(&store, room, user).await? {
            let (edge, value) = (row.edge, row.value);
            print_json(&json!({ "what": "present", "room": room, "edge": edge, "value": value }))?;
        }
        let mut stretches = Stretches::new(&store, room);
        while let Some(stretch) = stretches.next().await? {
            for item in &stretch.items {
                let what = match Involvement::of(&item.json, user) {
                    Some(Involvement::Own) => "entry",
                    Some(Involvement::About) if export.and_mentions => "about",
                    Some(Involvement::Named) if export.and_mentions => "named",
                    _ => continue,
                };
                // As it is stored, so that nothing is left out.
                let entry: &RawValue = serde_json::from_slice(&item.json)?;
                let (room, entry) = (json!(room), safe(entry));
                print(&format!(
                    "{{\"what\":\"{what}\",\"room\":{room},\"entry\":{entry}}}\n"
                ))?;
            }
        }
        let mut stretches = Stretches::of_moderation(&store, room);
        while let Some(stretch) = stretches.next().await? {
            for item in &stretch.items {
                if moderation::names(&item.json, user).is_none() {
                    continue;
                }
                let entry: &RawValue = serde_json::from_slice(&item.json)?;
                let (room, entry) = (json!(room), safe(entry));
                print(&format!(
                    "{{\"what\":\"moderation\",\"room\":{room},\"entry\":{entry}}}\n"
                ))?;
            }
        }
        let mut remembered = Remembered::new(&store, room, user);
        while let Some(members) = remembered.next().await? {
            for (member, score) in members {
                let id = member.split_once(' ').map_or("", |(_, id)| id);
                let seq = score.trim_end_matches(".5");
                let deleted = score.ends_with(".5");
                let seq = plainly(seq);
                print_json(&json!({
                    "what": "id", "room": room, "id": id, "seq": seq, "deleted": deleted,
                }))?;
            }
        }
    }
    Ok(())
}

/// A number where it is one.
fn plainly(value: &str) -> Value {
    match value.parse::<u64>() {
        Ok(number) => number.into(),
        Err(_) => value.into(),
    }
}

/// The same JSON without raw control characters, which some strings may have.
fn safe(entry: &RawValue) -> String {
    entry
        .get()
        .chars()
        .flat_map(|letter| match letter.is_control() {
            true => format!("\\u{:04x}", u32::from(letter)).chars().collect(),
            false => vec![letter],
        })
        .collect()
}
