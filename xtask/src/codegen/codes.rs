//! The Rust table of error and close codes.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One row of codes.json.
struct Row {
    variant: String,
    /// As it stands on the wire: a word for an error, a number for a close.
    wire: String,
    sentence: String,
    retry: String,
}

/// `core/src/protocol/codes.rs` from the text of codes.json.
pub fn rust(codes: &str) -> Result<String> {
    let codes: Value = serde_json::from_str(codes).context("codes.json")?;
    let errors = rows(&codes["errors"], "code")?;
    let closes = rows(&codes["closes"], "name")?;
    let mut text = HEAD.to_owned();
    text.push_str(ERROR_HEAD);
    table(
        &mut text,
        "ErrorCode",
        &errors,
        "/// The code as it stands on the wire.\n    pub const fn as_str(self) -> &'static str",
    );
    text.push_str(CLOSE_HEAD);
    table(
        &mut text,
        "CloseCode",
        &closes,
        "/// The number in the close frame.\n    pub const fn code(self) -> u16",
    );
    Ok(text)
}

fn rows(rows: &Value, name: &str) -> Result<Vec<Row>> {
    let rows = rows.as_array().context("codes.json lacks a table")?;
    rows.iter()
        .map(|row| {
            let text = |field: &str| {
                let value = row[field].as_str();
                value
                    .map(str::to_owned)
                    .with_context(|| format!("a row of codes.json lacks `{field}`: {row}"))
            };
            Ok(Row {
                variant: camel(&text(name)?),
                wire: row["code"].to_string(),
                sentence: text("sentence")?,
                retry: camel(&text("retry")?),
            })
        })
        .collect()
}

/// The variants, and what is known of each.
fn table(text: &mut String, name: &str, rows: &[Row], wire: &str) {
    for Row {
        variant, sentence, ..
    } in rows
    {
        let (first, rest) = sentence.split_at(1);
        let _ = writeln!(
            text,
            "    /// {}{rest}.\n    {variant},",
            first.to_uppercase()
        );
    }
    let _ = write!(
        text,
        "}}\n\nimpl {name} {{\n    pub const ALL: &[Self] = &[\n"
    );
    for Row { variant, .. } in rows {
        let _ = writeln!(text, "        Self::{variant},");
    }
    let _ = write!(text, "    ];\n\n    {wire} {{\n        match self {{\n");
    for Row { variant, wire, .. } in rows {
        let _ = writeln!(text, "            Self::{variant} => {wire},");
    }
    let _ = write!(
        text,
        "        }}\n    }}\n\n    pub const fn sentence(self) -> &'static str {{\n        match self {{\n"
    );
    for Row {
        variant, sentence, ..
    } in rows
    {
        arm(text, variant, &format!("{sentence:?}"));
    }
    let _ = write!(
        text,
        "        }}\n    }}\n\n    pub const fn retry(self) -> Retry {{\n        match self {{\n"
    );
    for Row { variant, retry, .. } in rows {
        let _ = writeln!(text, "            Self::{variant} => Retry::{retry},");
    }
    text.push_str("        }\n    }\n}\n");
}

/// An arm as rustfmt breaks it: what is longer than a line goes into a block.
fn arm(text: &mut String, variant: &str, value: &str) {
    let line = format!("            Self::{variant} => {value},");
    let _ = if line.chars().count() <= 100 {
        writeln!(text, "{line}")
    } else {
        writeln!(
            text,
            "            Self::{variant} => {{\n                {value}\n            }}"
        )
    };
}

fn camel(snake: &str) -> String {
    snake
        .split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1.min(word.len()));
            first.to_uppercase() + rest
        })
        .collect()
}

const HEAD: &str = "\
//! Error and close codes.
//!
//! Generated from `edge-hub/protocol/codes.json` by `cargo xtask codegen`; change it there.

use serde::{Deserialize, Serialize};

/// Whether it helps to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    Now,
    Backoff,
}
";

const ERROR_HEAD: &str = "
/// The stable code of an error frame or an HTTP error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = \"schema\", derive(schemars::JsonSchema))]
#[serde(rename_all = \"snake_case\")]
pub enum ErrorCode {
";

const CLOSE_HEAD: &str = "
/// Why the server closes a connection. 4000 to 4499: do not reconnect; 4500 to 4999: reconnect and resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
";
