//! Regular expressions as one automaton, which the component only has to follow.

use std::collections::HashMap;

use clustertalk_moderation_wasm::policy::automaton::{Automaton, END};
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::util::{primitives::StateID, syntax};
use regex_automata::{Input, MatchKind};

/// Bytes that the making of an automaton may take: expressions whose automata would be vast are
/// refused early.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// What an [`Automaton`] borrows.
pub struct Table {
    classes: Vec<u8>,
    steps: Vec<u8>,
    hits: Vec<Vec<u16>>,
}

impl Table {
    pub fn automaton(&self) -> Automaton<'_> {
        Automaton::new(&self.classes, &self.steps, &self.hits)
    }

    pub fn bytes(&self) -> usize {
        self.steps.len()
    }
}

/// One automaton for all expressions, each by its number in the list.
///
/// # Errors
/// What is wrong with them, or that their automaton is too large.
pub fn compile(expressions: &[&str], fold_case: bool) -> Result<Table, String> {
    // Without Unicode `\w` is few states. An expression can ask for it: `(?u:\w)`.
    let syntax = syntax::Config::new()
        .unicode(false)
        .utf8(false)
        .case_insensitive(fold_case);
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Unanchored)
        .minimize(true)
        .dfa_size_limit(Some(MOST_BYTES))
        .determinize_size_limit(Some(MOST_BYTES));
    let dfa = dense::Builder::new()
        .configure(config)
        .syntax(syntax)
        .build_many(expressions)
        .map_err(|error| explained(&error))?;
    let start = dfa
        .start_state_forward(&Input::new(""))
        .map_err(|error| error.to_string())?;
    table(&dfa, start).ok_or_else(|| TOO_LARGE.to_owned())
}

const TOO_LARGE: &str =
    "has too many states: say less at once, or bound what repeats, as in `[a-z]{1,20}`";

fn explained(error: &dense::BuildError) -> String {
    if error.is_size_limit_exceeded() {
        return TOO_LARGE.to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    if text.contains("Unicode not allowed here") {
        text.push_str("\nput it into (?u:…), outside of which letters are a to z");
    }
    text
}

/// The states that a text can reach, each with where a byte or the end of the text leads.
fn table(dfa: &dense::DFA<Vec<u32>>, start: StateID) -> Option<Table> {
    let mut numbers: HashMap<StateID, u16> = HashMap::from([(start, 0)]);
    let mut states = vec![start];
    let mut rows: Vec<Vec<u16>> = Vec::new();
    while let Some(&state) = states.get(rows.len()) {
        let by_byte = (0..=u8::MAX).map(|byte| dfa.next_state(state, byte));
        let mut row = Vec::with_capacity(END + 1);
        for next in by_byte.chain([dfa.next_eoi_state(state)]) {
            let number = match numbers.get(&next) {
                Some(&number) => number,
                None => {
                    let number = u16::try_from(states.len()).ok()?;
                    numbers.insert(next, number);
                    states.push(next);
                    number
                }
            };
            row.push(number);
        }
        rows.push(row);
    }
    let (classes, columns) = classes(&rows)?;
    let steps = rows
        .iter()
        .flat_map(|row| columns.iter().flat_map(|&column| row[column].to_le_bytes()))
        .collect();
    let hits = states.iter().map(|&state| match dfa.is_match_state(state) {
        true => (0..dfa.match_len(state))
            .map(|index| dfa.match_pattern(state, index).as_u32() as u16)
            .collect(),
        false => Vec::new(),
    });
    Some(Table {
        classes,
        steps,
        hits: hits.collect(),
    })
}

/// Columns that are alike are one class: the class of each, and a column of each class.
fn classes(rows: &[Vec<u16>]) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut known: HashMap<Vec<u16>, u8> = HashMap::new();
    let mut classes = Vec::with_capacity(END + 1);
    let mut columns = Vec::new();
    for column in 0..=END {
        let steps: Vec<u16> = rows.iter().map(|row| row[column]).collect();
        let class = match known.get(&steps) {
            Some(&class) => class,
            None => {
                let class = u8::try_from(columns.len()).ok()?;
                known.insert(steps, class);
                columns.push(column);
                class
            }
        };
        classes.push(class);
    }
    Some((classes, columns))
}
