//! Trains the model of the moderation component, and measures it.

mod calibrate;
mod data;
mod disguise;
mod evaluate;
mod examples;
mod learn;
mod metrics;
mod random;
mod sources;
mod table;
mod templates;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clustertalk_moderation_wasm::model::{self, Model};
use lexopt::prelude::*;

use data::{Line, Reserved};
use disguise::Disguise;
use examples::Examples;
use learn::Settings;
use random::Random;

const SEED: u64 = 20_261_126;

struct Options {
    data: PathBuf,
    out: Option<PathBuf>,
    without: Vec<String>,
    share_alike: bool,
}

fn options() -> Result<Options> {
    let mut options = Options { data: PathBuf::new(), out: None, without: Vec::new(), share_alike: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("data") => options.data = parser.value()?.into(),
            Long("out") => options.out = Some(parser.value()?.into()),
            Long("without") => options.without = parser.value()?.string()?.split(',').map(str::to_owned).collect(),
            Long("share-alike") => options.share_alike = true,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn main() -> Result<()> {
    let options = options()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let reserved = Reserved::read(&root.join("tests/cases"))?;
    let domains = std::fs::read_to_string(root.join("rules/phishing-domains.txt"))?;
    let domains: Vec<String> = domains.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect();

    let mut train = data::read(&options.data, "train")?;
    let mut valid = data::read(&options.data, "valid")?;
    let synthetic = data::read(&options.data, "synthetic")?;
    let made = templates::make(&root.join("train/templates"), &domains, &reserved, SEED)?;
    train.extend(made);
    let (more, held): (Vec<Line>, Vec<Line>) = synthetic.into_iter().partition(|line| line.lot() % 10 < 8);
    train.extend(more);
    valid.extend(held);
    let out = |line: &Line| options.without.iter().any(|name| line.source.starts_with(name.as_str()));
    let unseen: Vec<Line> = train.iter().filter(|line| out(line)).cloned().collect();
    train.retain(|line| !out(line) && (options.share_alike || !sources::find(&line.source).share_alike) && !reserved.has(&line.text));
    let mut unseen_valid: Vec<Line> = Vec::new();
    valid.retain(|line| match out(line) {
        true => { unseen_valid.push(line.clone()); false }
        false => true,
    });

    let mut random = Random::new(SEED);
    let mut examples = Examples::default();
    for line in &train {
        examples.push(&line.text, line);
        let percent = if line.labels == "clean" { 4 } else { 25 };
        if line.language == "en" && random.chance(percent) {
            let disguise = *random.pick(&Disguise::ALL);
            examples.push(&disguise.apply(&line.text, 50, &mut random), line);
        }
    }
    let first = Settings { epochs: 3, rate: 0.1, decay: 1e-5, seed: SEED };
    let second = Settings { epochs: 2, rate: 0.04, decay: 1e-5, seed: SEED + 1 };
    let mut table = table::learn(&examples, &first, &second);

    let bytes = table.bytes();
    let model = Model::new(bytes.as_slice().try_into()?);
    let (calibration, test): (Vec<Line>, Vec<Line>) = valid.into_iter().filter(|line| options.share_alike || !sources::find(&line.source).share_alike).partition(|line| line.lot() % 2 == 0);
    let judged: Vec<_> = calibration.into_iter().map(|line| evaluate::judge(&model, line)).collect();
    calibrate::calibrate(&mut table.header, &judged);
    let bytes = table.bytes();
    println!("{} bytes\n{:?}", bytes.len(), table.header.flag);
    let model = Model::new(bytes.as_slice().try_into()?);
    let judged: Vec<_> = test.into_iter().map(|line| evaluate::judge(&model, line)).collect();
    print!("{}", evaluate::report(&judged));
    print!("{}", evaluate::disguised(&model, &judged));
    if !unseen.is_empty() {
        println!("\n== unseen");
        let mut lines = unseen;
        lines.extend(unseen_valid);
        let judged: Vec<_> = lines.into_iter().map(|line| evaluate::judge(&model, line)).collect();
        print!("{}", evaluate::report(&judged));
    }
    if let Some(out) = options.out {
        std::fs::write(&out, &bytes).with_context(|| format!("cannot write {}", out.display()))?;
    }
    if model::BYTES != bytes.len() {
        bail!("the weights have another size");
    }
    Ok(())
}
