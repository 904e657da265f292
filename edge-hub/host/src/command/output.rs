//! What the tools print: for people on a terminal, and for programs.

use std::{
    io::{self, ErrorKind, Write},
    time::{Duration, UNIX_EPOCH},
};

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use serde_json::Value;

/// Styles, which `anstream` leaves out where there is no terminal to show them.
pub const NAME: Style = AnsiColor::Cyan.on_default();
pub const DIM: Style = Style::new().dimmed();
pub const HEAD: Style = Style::new().bold();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Prints a text as it is.
///
/// # Errors
/// Whatever writing meets; see [`is_closed`].
pub fn print(text: &str) -> Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Prints one JSON value as a line.
pub fn print_json(value: &Value) -> Result<()> {
    print(&(json(value) + "\n"))
}

/// Whether somebody reads our output no more.
pub fn is_closed(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.any(|error: &io::Error| error.kind() == ErrorKind::BrokenPipe)
}

/// What came from others, for a terminal: nothing in it moves the cursor, changes colours, or turns
/// the direction of what stands around it.
pub fn plain(text: &str) -> String {
    let is_safe = |letter: char| {
        let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !letter.is_control() && !turns && !matches!(letter, '\u{2028}' | '\u{2029}')
    };
    text.chars()
        .map(|letter| if is_safe(letter) { letter } else { ' ' })
        .collect()
}

/// JSON on one line, which may be shown on a terminal as well: no control character stands in it raw,
/// those included that JSON allows.
pub fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.chars().any(char::is_control) {
        return text;
    }
    text.chars()
        .flat_map(|letter| match letter.is_control() {
            true => format!("\\u{:04x}", u32::from(letter)).chars().collect(),
            false => vec![letter],
        })
        .collect()
}

/// A time in UTC, to the second.
pub fn moment(millis: u64) -> String {
    let at = UNIX_EPOCH + Duration::from_millis(millis);
    humantime::format_rfc3339_seconds(at).to_string()
}

/// A table without lines: cells to the left, numbers to the right, the last column as it is.
pub fn table(head: &[&str], rows: &[Vec<Cell>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.text.chars().count()).max();
        widest.unwrap_or(0).max(head[column].len())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut page = String::new();
    let mut line = |cells: Vec<String>| {
        page += cells.join("  ").trim_end();
        page.push('\n');
    };
    let is_number = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column));
        cells.all(|cell| cell.is_number)
    };
    line(
        head.iter()
            .enumerate()
            .map(|(column, title)| {
                let is_last = column + 1 == head.len();
                let title = match is_last && !is_number(column) {
                    true => (*title).to_owned(),
                    false => pad(title, widths[column], is_number(column)),
                };
                format!("{HEAD}{title}{HEAD:#}")
            })
            .collect(),
    );
    for row in rows {
        line(
            row.iter()
                .zip(&widths)
                .map(|(cell, &width)| pad(&cell.text, width, cell.is_number))
                .collect(),
        );
    }
    page
}

/// One cell of a [`table`].
pub struct Cell {
    text: String,
    is_number: bool,
}

impl Cell {
    /// What came from others is made [`plain`].
    pub fn text(text: &str) -> Self {
        Self {
            text: plain(text),
            is_number: false,
        }
    }

    pub fn number(number: u64) -> Self {
        Self {
            text: number.to_string(),
            is_number: true,
        }
    }
}

fn pad(text: &str, width: usize, to_the_right: bool) -> String {
    match to_the_right {
        true => format!("{text:>width$}"),
        false => format!("{text:<width$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_obey() {
        // Colours, a title, what only xterm takes for an escape, and text that turns the line round.
        let evil = "\u{1b}[31mred\u{7}\r\n\u{9b}2J\u{202e}evil\u{2066}\u{7f}\u{2028}";
        let shown = plain(evil);
        assert_eq!(shown, " [31mred    2J evil   ");
        let shown = json(&Value::from(evil));
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        let back: String = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(back, evil);
        let family = "\u{1f468}\u{200d}\u{1f469} ünï";
        assert_eq!(plain(family), family);
        assert_eq!(json(&Value::from(family)), format!("\"{family}\""));
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            vec![Cell::text("#general"), Cell::number(2), Cell::text("")],
            vec![Cell::text("#a"), Cell::number(1000), Cell::text("ada\u{7}")],
        ];
        let page = table(&["ROOM", "MEMBERS", "WITH"], &rows);
        let page = anstream::adapter::strip_str(&page).to_string();
        let expected = "ROOM      MEMBERS  WITH\n#general        2\n#a           1000  ada\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn a_time_is_told_in_utc() {
        assert_eq!(moment(1_795_459_200_000), "2026-11-23T18:40:00Z");
    }
}
