//! Cases that a platform is known not to hold, each with its reason.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::cases;

/// Where an edge runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    Native,
    Cloudflare,
    Spin,
    Fastly,
}

impl Platform {
    fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::Native => ("native.toml", include_str!("../skips/native.toml")),
            Self::Cloudflare => ("cloudflare.toml", include_str!("../skips/cloudflare.toml")),
            Self::Spin => ("spin.toml", include_str!("../skips/spin.toml")),
            Self::Fastly => ("fastly.toml", include_str!("../skips/fastly.toml")),
        }
    }
}

/// Reasons by the names of cases.
pub type Skips = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    case: String,
    reason: String,
}

/// The list of a platform and those of further files.
pub fn load(platform: Platform, files: &[PathBuf]) -> Result<Skips> {
    let mut skips = Skips::new();
    let (name, text) = platform.list();
    add(&mut skips, text).context(name)?;
    for file in files {
        let name = || file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(name)?;
        add(&mut skips, &text).with_context(name)?;
    }
    Ok(skips)
}

fn add(skips: &mut Skips, text: &str) -> Result<()> {
    let list: List = toml::from_str(text)?;
    for Skip { case, reason } in list.skip {
        ensure!(
            cases::all().any(|(name, _)| name == case),
            "there is no case `{case}`; `--list` names them all"
        );
        ensure!(!reason.trim().is_empty(), "`{case}` has no reason");
        let before = skips.insert(case.clone(), reason);
        ensure!(before.is_none(), "`{case}` is skipped twice");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn the_lists_of_all_platforms_are_good() {
        for platform in Platform::value_variants() {
            load(*platform, &[]).expect("a good list");
        }
    }

    #[test]
    fn wrong_lists_are_refused() {
        let skip = |case: &str, reason: &str| {
            format!("[[skip]]\ncase = \"{case}\"\nreason = \"{reason}\"\n")
        };
        let good = skip("errors/bad_json", "it is so");
        let mut skips = Skips::new();
        add(&mut skips, &good).expect("a good list");
        assert_eq!(skips["errors/bad_json"], "it is so");
        let wrong = [
            good,
            skip("errors/never", "it is so"),
            skip("errors/bad_frame", " "),
            "[[skips]]\n".to_owned(),
            "[[skip]]\ncase = \"errors/bad_frame\"\n".to_owned(),
        ];
        for list in wrong {
            assert!(add(&mut skips, &list).is_err(), "{list}");
        }
    }
}
