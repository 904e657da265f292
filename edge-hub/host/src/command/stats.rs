//! `clustertalk stats`: what analytics counted.

use std::io::Write;

use anyhow::Result;
use serde_json::Value;

use super::{
    edge_client::EdgeClient,
    output::{Cell, print_json, table},
};
use crate::config::Stats;

pub async fn run(stats: Stats) -> Result<()> {
    let client = EdgeClient::new(&stats.edge)?;
    let path = match &stats.room {
        Some(room) => format!("rooms/{room}/stats"),
        None => "stats".to_owned(),
    };
    let figures = client.get(&client.path(&path, &[])).await?;
    if stats.json {
        return print_json(&figures);
    }
    Ok(write!(anstream::stdout().lock(), "{}", page(&figures))?)
}

fn page(figures: &Value) -> String {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let last_hour = figures["minutes"].as_array().map_or(0, |minutes| {
        minutes
            .iter()
            .map(|minute| number(&minute["messages"]))
            .sum()
    });
    let mut rows = vec![
        row("messages", number(&figures["messages"])),
        row("in the last hour", last_hour),
        row("bytes of text", number(&figures["bytes"])),
        row("users, about", number(&figures["users"])),
    ];
    for (field, title) in [("actions", ""), ("labels", "label "), ("counters", "")] {
        for (name, value) in figures[field].as_object().into_iter().flatten() {
            rows.push(row(&format!("{title}{name}"), number(value)));
        }
    }
    let lengths = figures["lengths"].as_object().into_iter().flatten();
    let mut lengths: Vec<(u64, u64)> = lengths
        .filter_map(|(from, value)| Some((from.parse().ok()?, number(value))))
        .collect();
    lengths.sort_unstable();
    for (from, value) in lengths {
        rows.push(row(&format!("of {from} characters or more"), value));
    }
    let mut page = table(&["FIGURE", "COUNT"], &rows);
    let top = figures["top_users"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let top: Vec<Vec<Cell>> = top
        .iter()
        .map(|user| {
            let name = user["user"].as_str().unwrap_or_default();
            row(name, number(&user["messages"]))
        })
        .collect();
    if !top.is_empty() {
        page.push('\n');
        page += &table(&["USER", "MESSAGES"], &top);
    }
    page
}

fn row(name: &str, count: u64) -> Vec<Cell> {
    vec![Cell::text(name), Cell::number(count)]
}
