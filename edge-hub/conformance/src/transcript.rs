//! What was said in a case: kept for the report of a failure, within bounds.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::Value;

/// Lines kept from the beginning, and from the end.
const FIRST: usize = 12;
const LAST: usize = 40;
/// Characters kept of a line.
const WIDTH: usize = 320;

/// Shared by all connections of a case.
#[derive(Clone)]
pub struct Transcript(Arc<Mutex<Record>>);

struct Record {
    began: Instant,
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
    codes: BTreeSet<String>,
}

impl Transcript {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Record {
            began: Instant::now(),
            first: Vec::new(),
            last: VecDeque::new(),
            left_out: 0,
            codes: BTreeSet::new(),
        })))
    }

    /// Notes what somebody sent (`>`) or was sent (`<`).
    pub fn note(&self, who: &str, direction: char, text: &str) {
        let mut record = self.record();
        let at = record.began.elapsed().as_millis();
        let line = format!("{at:>6} ms  {who} {direction} {}", shortened(text));
        if record.first.len() < FIRST {
            record.first.push(line);
            return;
        }
        record.last.push_back(line);
        if record.last.len() > LAST {
            record.last.pop_front();
            record.left_out += 1;
        }
    }

    /// Notes a frame of the server, and its code if it is an error.
    pub fn received(&self, who: &str, frame: &Value, text: &str) {
        self.note(who, '<', text);
        if frame["type"] == "error"
            && let Some(code) = frame["code"].as_str()
        {
            self.record().codes.insert(code.to_owned());
        }
    }

    /// Notes a close.
    pub fn closed(&self, who: &str, code: u16) {
        self.note(who, '<', &format!("close {code}"));
        self.record().codes.insert(code.to_string());
    }

    /// The error codes and close codes that came.
    pub fn codes(&self) -> BTreeSet<String> {
        self.record().codes.clone()
    }

    pub fn text(&self) -> String {
        let record = self.record();
        let mut text = record.first.join("\n");
        if record.left_out > 0 {
            let _ = write!(text, "\n          … {} lines left out", record.left_out);
        }
        for line in &record.last {
            let _ = write!(text, "\n{line}");
        }
        text
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Within the width and without credentials: reports are kept where many can read them.
fn shortened(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = CREDENTIALS.iter().filter_map(|name| rest.find(name)).min() {
        let begin = CREDENTIALS
            .iter()
            .find(|name| rest[at..].starts_with(**name))
            .map_or(at, |name| at + name.len());
        kept.push_str(&rest[..begin]);
        kept.push('…');
        let end = rest[begin..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || ".-_".contains(c)))
            .map_or(rest.len(), |end| begin + end);
        rest = &rest[end..];
    }
    kept.push_str(rest);
    if kept.chars().count() > WIDTH {
        let length = kept.len();
        kept = kept.chars().take(WIDTH).collect();
        let _ = write!(kept, "… ({length} bytes)");
    }
    kept
}

/// What stands before a token or a server's key.
const CREDENTIALS: [&str; 3] = ["\"token\":\"", "Bearer ", "bearer."];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_and_long_lines_cut() {
        assert_eq!(
            shortened(r#"{"token":"ey.ab-c_d.x","type":"hello"}"#),
            r#"{"token":"…","type":"hello"}"#
        );
        assert_eq!(
            shortened("GET /x Bearer ctk_secret, bearer.a.b.c"),
            "GET /x Bearer …, bearer.…"
        );
        let long = shortened(&"é".repeat(400));
        assert!(long.ends_with("… (800 bytes)"), "{long}");
    }

    #[test]
    fn beginning_and_end_are_kept() {
        let transcript = Transcript::new();
        for number in 0..100 {
            transcript.note("ada", '>', &format!("n{number}"));
        }
        let text = transcript.text();
        assert!(text.contains("ada > n0\n") && text.ends_with("ada > n99"));
        assert!(text.contains("… 48 lines left out"), "{text}");
        assert_eq!(text.lines().count(), FIRST + 1 + LAST);
    }
}
