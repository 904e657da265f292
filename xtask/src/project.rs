//! Where everything lies.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// The repository's root, and the places below it that more than one command uses.
pub struct Project {
    pub root: PathBuf,
}

impl Project {
    pub fn find() -> Result<Self> {
        // At run time, so that a moved clone finds itself.
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = crate_folder
            .parent()
            .context("the folder of xtask has no parent")?
            .canonicalize()?;
        Ok(Self { root })
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Native artefacts; cargo's own default, named so that `CARGO_TARGET_DIR` cannot part the
    /// host from the `target/components` that `spin.toml` names.
    pub fn target(&self) -> PathBuf {
        self.path("target")
    }

    /// Cargo's folder for guests: apart from the native one, so that the two never wait for
    /// each other's lock.
    pub fn guest_target(&self) -> PathBuf {
        self.path("target/guest")
    }

    pub fn component(&self, name: &str) -> PathBuf {
        self.path("target/components").join(format!("{name}.wasm"))
    }

    pub fn web_client(&self) -> PathBuf {
        self.path("clients/web")
    }

    /// The built `clustertalk`.
    pub fn host_binary(&self) -> PathBuf {
        self.path("target/debug/clustertalk")
    }

    /// Logs, locks and notes of xtask itself.
    pub fn state(&self, file: &str) -> Result<PathBuf> {
        let folder = self.path("target/xtask");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(file))
    }

    /// Waits until no other xtask of this clone holds the lock of this name. Released on drop.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.state(&format!("{name}.lock"))?;
        let file = File::create(&path)?;
        if file.try_lock().is_err() {
            crate::process::say("Waiting", "for another `cargo xtask` in this folder");
            file.lock()?;
        }
        Ok(file)
    }
}

/// Writes through a neighbour and a rename, so that a reader never sees half a file; leaves a
/// file with these bytes untouched, so that nothing depending on its time is rebuilt.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let folder = path.parent().context("a file has a folder")?;
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().context("a file has a name")?.to_owned();
    name.push(format!(".{}", std::process::id()));
    let neighbour = folder.join(name);
    fs::write(&neighbour, bytes)
        .with_context(|| format!("cannot write {}", neighbour.display()))?;
    fs::rename(&neighbour, path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}
