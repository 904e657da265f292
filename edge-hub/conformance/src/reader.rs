//! What a reader of a room has, by the rules of PROTOCOL.md, "Positions": every entry once, in
//! order, each hanging on the one before. Written again here, from the page and not from the core.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    case::{is_hex, letters},
    socket::Socket,
};

/// Before the first entry.
pub fn origin() -> Value {
    json!({ "seq": 0, "tag": "0000000000000000" })
}

/// The number of a frame's position.
pub fn seq(frame: &Value) -> u64 {
    frame["position"]["seq"].as_u64().unwrap_or_default()
}

/// `SEQ-TAG`, as positions are written in URLs and ids of events.
pub fn written(position: &Value) -> String {
    let tag = position["tag"].as_str().unwrap_or_default();
    format!("{}-{tag}", position["seq"])
}

/// The messages of a frame or an answer.
pub fn entries(frame: &Value) -> Result<&Vec<Value>> {
    let entries = frame["messages"].as_array();
    entries.with_context(|| format!("no `messages` in {frame}"))
}

/// Ids of entries.
pub fn ids(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|entry| entry["id"].as_str())
        .collect()
}

pub struct Reader {
    pub position: Value,
    pub entries: Vec<Value>,
}

impl Reader {
    /// Begins with the first `joined`, wherever that begins.
    pub fn new(joined: &Value) -> Result<Self> {
        let position = match entries(joined)?.first() {
            Some(first) => {
                let from = first["from"].as_u64().unwrap_or(seq(first));
                json!({ "seq": from.saturating_sub(1), "tag": first["prev"] })
            }
            None => joined["position"].clone(),
        };
        let mut reader = Self::at(position);
        reader.take(joined)?;
        Ok(reader)
    }

    pub fn at(position: Value) -> Self {
        Self {
            position,
            entries: Vec::new(),
        }
    }

    /// Takes a `joined` that continues, a `page`, what `GET messages` answered, or a live entry.
    pub fn take(&mut self, frame: &Value) -> Result<()> {
        if is_entry(frame) {
            return self.append(frame);
        }
        for entry in entries(frame)? {
            self.append(entry)?;
        }
        ensure!(
            self.position == frame["position"],
            "the messages end at {} and `position` is {}",
            self.position,
            frame["position"]
        );
        Ok(())
    }

    /// Reads `page`s to the last one; gives how many there were.
    pub async fn page(&mut self, socket: &mut Socket, joined: &Value) -> Result<usize> {
        let room = &joined["room"];
        let mut more = joined["more"] == true;
        let mut pages = 0;
        while more {
            let page = socket
                .find("`page`", |frame| {
                    &frame["room"] == room && (frame["type"] == "page" || is_entry(frame))
                })
                .await?;
            ensure!(
                page["type"] == "page",
                "a live entry before the last page: {page}"
            );
            self.take(&page)?;
            more = page["more"] == true;
            pages += 1;
        }
        Ok(pages)
    }

    /// Reads live entries until it has this position.
    pub async fn follow(&mut self, socket: &mut Socket, room: &str, until: &Value) -> Result<()> {
        while self.position["seq"].as_u64() < until["seq"].as_u64() {
            let what = format!("the entry after {}", self.position["seq"]);
            let entry = socket
                .find(&what, |frame| frame["room"] == room && is_entry(frame))
                .await?;
            self.append(&entry)?;
        }
        ensure!(
            &self.position == until,
            "the reader is at {} and not at {until}",
            self.position
        );
        Ok(())
    }

    fn append(&mut self, entry: &Value) -> Result<()> {
        if !is_entry(entry) {
            bail!("not an entry: {entry}");
        }
        letters("a tag", &entry["position"]["tag"], 16, is_hex)?;
        ensure!(
            entry["prev"] == self.position["tag"],
            "a gap: after {} comes {entry}",
            self.position
        );
        let next = self.position["seq"].as_u64().map(|seq| seq + 1);
        let from = entry["from"].as_u64().unwrap_or(seq(entry));
        ensure!(
            Some(from) == next,
            "numbers do not follow: after {} comes {entry}",
            self.position
        );
        self.position = entry["position"].clone();
        self.entries.push(entry.clone());
        Ok(())
    }
}

/// Whether a frame shows an entry of a log.
pub fn is_entry(frame: &Value) -> bool {
    ["message", "changed", "skipped"]
        .iter()
        .any(|kind| frame["type"] == *kind)
}
