//! `characters.toml`: what looks like which letter.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::Source;
use crate::fold::{fold, without_marks};

/// Each table: a letter, and the characters that are read as it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Characters {
    leet: Table,
    mixed: Table,
    latin: Table,
}

type Table = BTreeMap<char, Spanned<String>>;

pub fn compile(source: &Source) -> Result<String, String> {
    let characters: Characters = source.parse()?;
    let leet = leet_table(&readings(source, &characters.leet)?);
    let mixed = readings(source, &characters.mixed)?;
    let mixed = one_reading(source, &mixed, &characters.mixed)?;
    let latin = readings(source, &characters.latin)?;
    let latin = one_reading(source, &latin, &characters.latin)?;
    Ok(format!(
        "static LEET: [Leet; {}] = [{leet}];\n\
         static MIXED_LOOKALIKES: [(char, char); {}] = {mixed:?};\n\
         static LATIN_LOOKALIKES: [(char, char); {}] = {latin:?};\n",
        leet.matches("Leet").count(),
        mixed.len(),
        latin.len(),
    ))
}

/// By character as it is after folding: the letters it is read as, in the order of the alphabet.
fn readings(source: &Source, table: &Table) -> Result<BTreeMap<char, Vec<char>>, String> {
    let mut readings: BTreeMap<char, Vec<char>> = BTreeMap::new();
    for (letter, lookalikes) in table {
        let at = lookalikes.span().start;
        if !letter.is_ascii_lowercase() {
            return Err(source.error(at, "a letter is one of a to z"));
        }
        for c in lookalikes.get_ref().chars() {
            let folded = fold(&c.to_string());
            let mut parts = folded.chars();
            let (Some(folded), None) = (parts.next(), parts.next()) else {
                return Err(source.error(at, &format!("`{c}` folds to `{folded}`: leave it out")));
            };
            let folded = without_marks(folded);
            if folded.is_ascii_alphabetic() {
                return Err(source.error(at, &format!("`{c}` is `{folded}` already: leave it out")));
            }
            let letters = readings.entry(folded).or_default();
            if !letters.contains(letter) {
                letters.push(*letter);
            }
        }
    }
    Ok(readings)
}

fn leet_table(readings: &BTreeMap<char, Vec<char>>) -> String {
    let row = |(sign, letters): (&char, &Vec<char>)| {
        let (first, last) = (letters[0], letters[letters.len() - 1]);
        format!("Leet {{ sign: {sign:?}, first: {first:?}, last: {last:?} }}, ")
    };
    readings.iter().map(row).collect()
}

fn one_reading(
    source: &Source,
    readings: &BTreeMap<char, Vec<char>>,
    table: &Table,
) -> Result<Vec<(char, char)>, String> {
    let at = table.values().next().map_or(0, |first| first.span().start);
    let row = |(&c, letters): (&char, &Vec<char>)| match letters[..] {
        [letter] => Ok((c, letter)),
        _ => Err(source.error(at, &format!("`{c}` is listed for {letters:?}: choose one"))),
    };
    readings.iter().map(row).collect()
}
