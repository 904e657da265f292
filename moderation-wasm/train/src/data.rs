//! The labelled lines: read, and made ready for training.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A line as it stands in the data.
#[derive(Clone, Debug)]
pub struct Line {
    pub id: String,
    pub text: String,
    pub labels: String,
    pub language: String,
    pub source: String,
    /// Labels guessed by a regular expression: hints, never truth.
    pub weak: String,
    /// The number of the template it was made from, if it was.
    pub template: Option<usize>,
}

impl Line {
    /// A number by which lines are divided, the same wherever the line stands.
    pub fn lot(&self) -> u64 {
        let bytes = self.id.bytes().map(u64::from);
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ byte).wrapping_mul(0x0000_0100_0000_01b3)
        });
        hash ^ (hash >> 32)
    }
}

/// Reads `NAME.tsv.xz`.
pub fn read(folder: &Path, name: &str) -> Result<Vec<Line>> {
    const HEADER: &str = "id\ttext\tlabels\tlang\tsource\tweak";
    let path = folder.join(format!("{name}.tsv.xz"));
    let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut bytes = Vec::new();
    if let Err(error) = lzma_rs::xz_decompress(&mut BufReader::new(file), &mut bytes) {
        bail!("{} is no xz file: {error:?}", path.display());
    }
    let text =
        String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?;
    let mut rows = text.lines();
    if rows.next() != Some(HEADER) {
        bail!(
            "{} does not begin with the columns {HEADER:?}",
            path.display()
        );
    }
    let line = |(index, row): (usize, &str)| {
        let columns: Vec<String> = row.split('\t').map(str::to_owned).collect();
        let Ok([id, text, labels, language, source, weak]) = <[String; 6]>::try_from(columns)
        else {
            bail!("{}:{}: a line has six columns", path.display(), index + 2);
        };
        Ok(Line {
            id,
            text,
            labels,
            language,
            source,
            weak,
            template: None,
        })
    };
    rows.enumerate().map(line).collect()
}

/// Texts that must not be learned, because tests ask for them.
pub struct Reserved(BTreeSet<String>);

impl Reserved {
    /// Every string of the files of cases in a folder and those below.
    pub fn read(tests: &Path) -> Result<Reserved> {
        let mut reserved = Reserved(BTreeSet::new());
        reserved.read_folder(tests)?;
        Ok(reserved)
    }

    fn read_folder(&mut self, folder: &Path) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                self.read_folder(&path)?;
            } else if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = std::fs::read_to_string(&path)?;
                let cases = toml::from_str(&text)
                    .with_context(|| format!("{} is no file of cases", path.display()))?;
                collect(&cases, &mut self.0);
            }
        }
        Ok(())
    }

    pub fn has(&self, text: &str) -> bool {
        self.0.contains(&plain(text))
    }
}

fn collect(value: &toml::Value, texts: &mut BTreeSet<String>) {
    match value {
        toml::Value::String(text) => {
            texts.insert(plain(text));
        }
        toml::Value::Array(list) => list.iter().for_each(|value| collect(value, texts)),
        toml::Value::Table(table) => table.iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

/// Two texts are the same line if their words are.
fn plain(text: &str) -> String {
    clustertalk_moderation_wasm::normalise::normalise(text).text
}
