//! Lines of our own, for what the sources hold few of: `templates/*.toml`, filled in at random by
//! a fixed seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::data::{Line, Reserved};
use crate::random::Random;

/// A file of templates. `{name}` stands for one of the set, `{link}` and the like for what is
/// made up: see [`Maker::made_up`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    sets: BTreeMap<String, Vec<String>>,
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    /// As in the data: `clean`, or labels with a comma between them.
    labels: String,
    /// Lines to make; fewer, if so many different ones cannot be.
    count: usize,
    #[serde(default = "english")]
    language: String,
    lines: Vec<String>,
}

fn english() -> String {
    "en".to_owned()
}

/// Makes the lines of all files of a folder. `domains` are such as phishing uses.
pub fn make(folder: &Path, domains: &[&str], reserved: &Reserved, seed: u64) -> Result<Vec<Line>> {
    let mut paths = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
    {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut lines = Vec::new();
    for path in paths {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path)?;
        let file: File = toml::from_str(&text)
            .with_context(|| format!("{} is no file of templates", path.display()))?;
        let mut maker = Maker {
            sets: &file.sets,
            domains,
            random: Random::new(seed ^ lines.len() as u64),
        };
        let mut count = 0;
        for group in &file.group {
            let made = maker
                .group(group, reserved)
                .with_context(|| format!("in {}", path.display()))?;
            let first = count;
            count += group.lines.len();
            let line = |(index, (template, text)): (usize, (usize, String))| Line {
                id: format!("template-{name}-{first}-{index}"),
                text,
                template: Some(first + template),
                labels: group.labels.clone(),
                language: group.language.clone(),
                source: format!("template-{name}"),
                weak: String::new(),
            };
            lines.extend(made.into_iter().enumerate().map(line));
        }
    }
    Ok(lines)
}

struct Maker<'a> {
    sets: &'a BTreeMap<String, Vec<String>>,
    domains: &'a [&'a str],
    random: Random,
}

impl Maker<'_> {
    /// Lines, each with the number of its template.
    fn group(&mut self, group: &Group, reserved: &Reserved) -> Result<Vec<(usize, String)>> {
        let mut seen = BTreeSet::new();
        let mut made = Vec::new();
        // A template without sets gives one line, however often it is drawn.
        for _ in 0..group.count * 4 {
            if made.len() == group.count {
                break;
            }
            let template = self.random.below(group.lines.len());
            let text = self.fill(&group.lines[template], 0)?;
            let text = self.typed(text);
            if !reserved.has(&text) && seen.insert(text.clone()) {
                made.push((template, text));
            }
        }
        Ok(made)
    }

    fn fill(&mut self, template: &str, depth: usize) -> Result<String> {
        if depth > 8 {
            bail!("a set holds itself: {template:?}");
        }
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                bail!("a `{{` without its `}}`: {template:?}");
            };
            text.push_str(before);
            let value = match self.sets.get(name) {
                Some(set) => {
                    let choice = self.random.pick(set);
                    self.fill(choice, depth + 1)?
                }
                None => match self.made_up(name) {
                    Some(value) => value,
                    None => bail!("there is no set `{name}`: {template:?}"),
                },
            };
            text.push_str(&value);
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }

    fn made_up(&mut self, name: &str) -> Option<String> {
        let random = &mut self.random;
        Some(match name {
            "digit" => random.below(10).to_string(),
            "small" => (2 + random.below(19)).to_string(),
            "amount" => {
                let step = *random.pick(&[1, 5, 10, 50, 100, 500, 1000, 5000]);
                let amount = (step * (1 + random.below(19))).to_string();
                match amount.len() > 3 && random.chance(50) {
                    true => format!(
                        "{},{}",
                        &amount[..amount.len() - 3],
                        &amount[amount.len() - 3..]
                    ),
                    false => amount,
                }
            }
            "phone" => {
                let mut digits = |count: usize| -> String {
                    (0..count).map(|_| random.below(10).to_string()).collect()
                };
                let (country, area, first, last) = (digits(2), digits(3), digits(3), digits(4));
                match random.below(6) {
                    0 => format!("+1 ({area}) {first}-{last}"),
                    1 => format!("+{country} {area} {first} {last}"),
                    2 => format!("+{country}{area}{first}{last}"),
                    3 => format!("0{area}{first}{last}"),
                    4 => format!("1-8{country}-{first}-{last}"),
                    _ => format!("0{area} {first} {last}"),
                }
            }
            "code" => {
                let letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
                let letters: Vec<char> = letters.chars().collect();
                (0..4 + random.below(6))
                    .map(|_| *random.pick(&letters))
                    .collect()
            }
            "phishing_domain" => (*random.pick(self.domains)).to_owned(),
            "id" => (0..5 + random.below(5))
                .map(|_| random.below(10).to_string())
                .collect(),
            _ => return None,
        })
    }

    /// As somebody types it: with capitals or without, with a mark at the end or without.
    fn typed(&mut self, text: String) -> String {
        let random = &mut self.random;
        // Not where a link, in which case matters, or another script is.
        let mut text = match random.below(12) {
            0 if !text.contains('/') => text.to_uppercase(),
            1..4 => capitalised(&text),
            4 if !text.contains('/') => text.to_lowercase(),
            _ => text,
        };
        if text.ends_with(char::is_alphabetic)
            && !text
                .rsplit(' ')
                .next()
                .is_some_and(|last| last.contains('.'))
        {
            match random.below(10) {
                0 | 1 => text.push('.'),
                2 => text.push('!'),
                3 => text.push_str("!!"),
                _ => {}
            }
        }
        text
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
