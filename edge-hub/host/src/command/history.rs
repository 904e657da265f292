//! `clustertalk history`: a room's past, page by page.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clustertalk_core::ids::{MAX_SEQ, Position};
use serde_json::Value;

use super::{
    edge_client::EdgeClient,
    entries::{gap, line},
    output,
};
use crate::config::History;

/// Entries that an edge gives at once.
const PAGE: u32 = 100;

pub async fn run(history: History) -> Result<()> {
    let client = EdgeClient::new(&history.edge)?;
    let reader = Reader {
        path: format!("rooms/{}/messages", history.room),
        client,
        history: &history,
    };
    match history.after {
        Some(position) => reader.on(position).await,
        None => reader.back(history.before.unwrap_or(MAX_SEQ)).await,
    }
}

struct Reader<'h> {
    client: EdgeClient<'h>,
    path: String,
    history: &'h History,
}

impl Reader<'_> {
    /// Reads back from a number, and shows what was found in the order of the log.
    async fn back(&self, mut before: u64) -> Result<()> {
        let mut left = self.history.limit;
        let mut pages: Vec<Vec<Value>> = Vec::new();
        let mut more = true;
        while more && left > 0 {
            let page = self.page("before", &before.to_string(), left).await?;
            more = page["more"] == true;
            let entries = entries(&page);
            let Some(first) = entries.first() else { break };
            before = first_number(first);
            left = left.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
            pages.push(entries);
        }
        for entries in pages.iter().rev() {
            self.show(entries)?;
        }
        if more && !pages.is_empty() {
            self.hint(&format!("--before {before}"));
        }
        Ok(())
    }

    /// Reads on from a position.
    async fn on(&self, mut after: Position) -> Result<()> {
        let mut left = self.history.limit;
        while left > 0 {
            let page = self.page("after", &after.to_string(), left).await?;
            let entries = entries(&page);
            if let Some(gap) = gap(&page)
                && !self.history.json
            {
                writeln!(anstream::stdout().lock(), "{gap}")?;
            }
            self.show(&entries)?;
            left = left.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
            let reached: Position = serde_json::from_value(page["position"].clone())?;
            if page["more"] != true || entries.is_empty() && reached == after {
                return Ok(());
            }
            after = reached;
        }
        self.hint(&format!("--after {after}"));
        Ok(())
    }

    async fn page(&self, direction: &str, from: &str, most: u32) -> Result<Value> {
        let limit = most.min(PAGE).to_string();
        let parameters = [(direction, from), ("limit", &limit)];
        let path = self.client.path(&self.path, &parameters);
        self.client.get(&path).await
    }

    fn show(&self, entries: &[Value]) -> Result<()> {
        let mut out = anstream::stdout().lock();
        for entry in entries {
            match self.history.json {
                true => writeln!(out, "{}", output::json(entry))?,
                false => {
                    if let Some(line) = line(entry) {
                        writeln!(out, "{line}")?;
                    }
                }
            }
        }
        Ok(out.flush()?)
    }

    /// Tells a person how to go on.
    fn hint(&self, flags: &str) {
        if std::io::stderr().is_terminal() && !self.history.json {
            let room = &self.history.room;
            eprintln!("-- there is more: clustertalk history {room} {flags}");
        }
    }
}

fn entries(page: &Value) -> Vec<Value> {
    page["messages"].as_array().cloned().unwrap_or_default()
}

/// The lowest number that an entry covers.
fn first_number(entry: &Value) -> u64 {
    let from = entry["from"].as_u64();
    from.or(entry["position"]["seq"].as_u64()).unwrap_or(0)
}
