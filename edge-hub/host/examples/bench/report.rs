//! Figures, as a table or as JSON.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

struct Row {
    part: &'static str,
    what: String,
    value: f64,
    unit: &'static str,
}

#[derive(Default)]
pub struct Report(Vec<Row>);

impl Report {
    pub fn add(
        &mut self,
        part: &'static str,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) {
        self.0.push(Row {
            part,
            what: what.into(),
            value,
            unit,
        });
    }

    /// The middle and the far end of times; sorts them.
    pub fn times(&mut self, part: &'static str, what: &str, times: &mut [Duration]) {
        times.sort_unstable();
        for percent in [50, 99] {
            let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            if let Some(time) = times.get(at) {
                let micros = time.as_secs_f64() * 1e6;
                self.add(part, format!("{what}, p{percent}"), micros, "µs");
            }
        }
    }

    pub fn table(&self) -> String {
        let mut text = String::new();
        let longest = self.0.iter().map(|row| row.what.chars().count());
        let width = longest.max().unwrap_or(0);
        let mut last = "";
        for Row {
            part,
            what,
            value,
            unit,
        } in &self.0
        {
            let part = match *part == last {
                true => "",
                false => part,
            };
            last = if part.is_empty() { last } else { part };
            let value = shown(*value);
            let _ = writeln!(text, "{part:<11} {what:<width$} {value:>10} {unit}");
        }
        let _ = writeln!(text, "on {} cores", cores());
        text
    }

    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .0
            .iter()
            .map(|row| {
                json!({ "part": row.part, "what": row.what, "value": row.value, "unit": row.unit })
            })
            .collect();
        json!({ "version": env!("CARGO_PKG_VERSION"), "cores": cores(), "figures": rows })
    }
}

/// Three digits that mean something.
fn shown(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
