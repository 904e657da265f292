//! Machine code of components, kept on disk.
//!
//! Loading machine code runs it, so a file is loaded only from a folder that nobody but this user
//! can write to, and only if it is whole: a checksum stands in front of it. Anything else is
//! compiled again.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
};

use wasmtime::{Engine, component::Component};

use super::digest::Digest;

/// Files beyond these, the oldest first, are removed when another one is written.
const KEPT_FILES: usize = 32;
const CHECKSUM_BYTES: usize = 32;

/// A folder with compiled components, by digest and engine configuration.
pub(crate) struct Cache {
    folder: PathBuf,
    engine_hash: u64,
}

impl Cache {
    /// Opens or creates the folder `compiled` in the data folder.
    ///
    /// # Errors
    /// The folder cannot be created, or belongs to another user.
    pub fn open(data: &Path, engine: &Engine) -> io::Result<Self> {
        let folder = data.join("compiled");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let metadata = fs::symlink_metadata(&folder)?;
        if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!(
                "{} is not a folder of this user's own; remove it",
                folder.display()
            )));
        }
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;

        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder,
            engine_hash: hasher.finish(),
        })
    }

    /// The compiled component, from disk if it is there and whole.
    ///
    /// # Errors
    /// `bytes` are no component that this engine can compile.
    pub fn load(
        &self,
        engine: &Engine,
        digest: &Digest,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let path = self
            .folder
            .join(format!("{}-{:016x}.cwasm", digest.hex(), self.engine_hash));
        if let Some(code) = read_whole(&path) {
            // SAFETY: the file was written by `store` below: nobody else can write into the
            // folder, and the checksum says that it is as it was written.
            match unsafe { Component::deserialize(engine, &code[CHECKSUM_BYTES..]) } {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!(%digest, %error, "compiled component not usable"),
            }
        }
        let code = engine.precompile_component(bytes)?;
        if let Err(error) = self.store(&path, &code) {
            tracing::warn!(%digest, %error, "compiled component not kept");
        }
        // SAFETY: the engine has just made this code.
        unsafe { Component::deserialize(engine, &code) }
    }

    fn store(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension(format!("{}.tmp", process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(Digest::of(code).as_bytes())?;
        file.write_all(code)?;
        fs::rename(&temporary, path)?;
        self.prune()
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
        files.sort();
        let surplus = files.len().saturating_sub(KEPT_FILES);
        for (_, path) in &files[..surplus] {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// The file's bytes, checksum included, if that is right.
fn read_whole(path: &Path) -> Option<Vec<u8>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "compiled component not readable");
            return None;
        }
    };
    match bytes.split_at_checked(CHECKSUM_BYTES) {
        Some((checksum, code)) if checksum == Digest::of(code).as_bytes() => Some(bytes),
        _ => {
            tracing::warn!(path = %path.display(), "compiled component damaged, compiling again");
            None
        }
    }
}
