//! npm packages of a folder.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    process::{self, LongStep, find_program},
    project::Project,
};

/// What Vite asks for.
const OLDEST_NODE: (u32, u32) = (20, 19);

pub fn check_node() -> Result<()> {
    let (major, minor) = OLDEST_NODE;
    let advice = format!("install Node.js {major}.{minor} or newer, with npm");
    let Ok(text) = process::output(Command::new("node").arg("--version")) else {
        bail!("`node` is missing: {advice}");
    };
    if version(&text).is_none_or(|found| found < OLDEST_NODE) {
        bail!("Node.js {text} is too old: {advice}");
    }
    if find_program("npm").is_none() {
        bail!("`npm` is missing: {advice}");
    }
    Ok(())
}

/// Runs `npm ci` unless what is installed came from the lock as it stands.
pub fn install(project: &Project, folder: &str) -> Result<()> {
    let client = project.path(folder);
    let lock = fs::read(client.join("package-lock.json"))
        .with_context(|| format!("{folder} has no package-lock.json"))?;
    // A copy of the lock, inside the folder that it describes: gone when that is deleted.
    let installed = client.join("node_modules/.installed-lock.json");
    if fs::read(&installed).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    if !installed_by_hand(&client) {
        LongStep {
            verb: "Installing",
            what: &format!("npm packages of {folder}"),
            log: project.state("npm.log")?,
            time_limit: None,
        }
        .run(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--prefer-offline"])
                .current_dir(&client),
        )?;
    }
    fs::write(&installed, lock)?;
    Ok(())
}

/// True after an `npm install` or `npm ci` of the user's own: npm leaves its own note of what it
/// has installed, newer than the lock.
fn installed_by_hand(client: &Path) -> bool {
    let time = |file: &str| {
        fs::metadata(client.join(file))
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    match (
        time("node_modules/.package-lock.json"),
        time("package-lock.json"),
    ) {
        (Some(installed), Some(lock)) => installed >= lock,
        _ => false,
    }
}

/// Major and minor number of `v20.19.4`.
pub fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(version("v20.19.4"), Some((20, 19)));
        assert!(version("v20.9.0") < Some(OLDEST_NODE));
        assert!(version("v22.0.0") > Some(OLDEST_NODE));
        assert_eq!(version("20"), None);
    }
}
