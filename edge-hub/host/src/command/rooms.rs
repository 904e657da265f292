//! `clustertalk rooms`: which rooms there are.

use std::io::Write;

use anyhow::Result;

use super::{
    edge_client::EdgeClient,
    output::{Cell, print_json, table},
};
use crate::config::Rooms;

pub async fn run(rooms: Rooms) -> Result<()> {
    let client = EdgeClient::new(&rooms.edge)?;
    let answer = client.get(&client.path("rooms", &[])).await?;
    if rooms.json {
        return print_json(&answer);
    }
    let listed = answer["rooms"].as_array().map_or(&[][..], Vec::as_slice);
    let mut rows: Vec<(u64, &str, &str)> = listed
        .iter()
        .map(|room| {
            (
                room["members"].as_u64().unwrap_or(0),
                room["room"].as_str().unwrap_or_default(),
                room["with"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    rows.sort_by_key(|&(members, room, _)| (std::cmp::Reverse(members), room));
    let rows: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|(members, room, with)| {
            let room = Cell::text(&format!("#{room}"));
            vec![room, Cell::number(members), Cell::text(with)]
        })
        .collect();
    let page = table(&["ROOM", "MEMBERS", "WITH"], &rows);
    Ok(write!(anstream::stdout().lock(), "{page}")?)
}
