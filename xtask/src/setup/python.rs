//! Programs in Python, each in a virtual environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    process::{self, LongStep},
    project::{Project, write_if_changed},
};

/// Installs what `requirements` says, with its hashes, unless it is there; gives the path of the program
/// `name`.
pub fn program(project: &Project, name: &str, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let folder = project.path("target/tools").join(name);
    let program = folder.join("bin").join(name);
    // A copy of what was installed, inside the folder that it describes.
    let installed = folder.join("installed.txt");
    if program.is_file() && fs::read(&installed).is_ok_and(|old| old == wanted) {
        return Ok(program);
    }
    let _ = fs::remove_dir_all(&folder);
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    LongStep {
        verb: "Installing",
        what: &format!("{name} into target/tools (once, about 20 s)"),
        log: project.state(&format!("{name}.log"))?,
        time_limit: None,
    }
    .run(
        Command::new(folder.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--require-hashes",
                "--only-binary=:all:",
            ])
            .args(["--no-input", "--disable-pip-version-check", "--requirement"])
            .arg(requirements),
    )?;
    write_if_changed(&installed, &wanted)?;
    Ok(program)
}
