//! A component file that may be replaced while it runs.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use clustertalk_core::time::millis;
use wasmtime::component::Component;

use super::{digest::Digest, engine::Runtime, error::LoadError, metrics::Metrics};

/// What is made of a compiled component to run it.
pub(crate) type Prepare<B> =
    dyn Fn(&Runtime, &Path, Component) -> Result<B, LoadError> + Send + Sync;

/// The current build of a component file.
pub(crate) struct Source<B> {
    pub name: String,
    pub metrics: Metrics,
    path: PathBuf,
    prepare: Box<Prepare<B>>,
    current: ArcSwap<Build<B>>,
    /// Of the file last looked at, whether it was taken or refused.
    seen: Mutex<Stamp>,
}

/// One build.
pub(crate) struct Build<B> {
    pub digest: Digest,
    pub prepared: B,
}

/// Tells a replaced file from the one before without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// When it came to its place: a file that is renamed keeps the time of its content.
    placed: (i64, i64),
}

impl Stamp {
    /// How long the file has been in its place.
    fn age(&self) -> Duration {
        let (seconds, nanos) = self.placed;
        let placed = Duration::new(
            seconds.try_into().unwrap_or(0),
            nanos.try_into().unwrap_or(0),
        );
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or_default().saturating_sub(placed)
    }

    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            placed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl<B: Send + Sync + 'static> Source<B> {
    /// Reads, compiles and prepares the file. Blocks for as long as that takes.
    ///
    /// # Errors
    /// The file cannot be run here.
    pub fn load(
        name: impl Into<String>,
        runtime: &Runtime,
        path: &Path,
        prepare: Box<Prepare<B>>,
    ) -> Result<Self, LoadError> {
        let stamp = stamp(path)?;
        let build = build(runtime, path, &*prepare)?;
        Ok(Self {
            name: name.into(),
            metrics: Metrics::default(),
            path: path.to_owned(),
            prepare,
            current: ArcSwap::from_pointee(build),
            seen: Mutex::new(stamp),
        })
    }

    /// The build to use for one call from its beginning to its end.
    pub fn current(&self) -> Arc<Build<B>> {
        self.current.load_full()
    }

    /// Looks whether the file was replaced, and switches to the new one if it can be run; else
    /// the present build stays. Blocks while it compiles.
    pub fn refresh(&self, runtime: &Runtime) {
        // A file that is just being renamed is there at the next look.
        let Ok(stamp) = stamp(&self.path) else {
            return;
        };
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == stamp {
                return;
            }
            *seen = stamp;
        }
        let old = self.current.load().digest;
        match build(runtime, &self.path, &*self.prepare) {
            Ok(new) if new.digest == old => {}
            Ok(new) => {
                let digest = new.digest;
                self.current.store(Arc::new(new));
                // From here on each call begins with the new build.
                let age = stamp.age();
                self.metrics.swapped(age);
                let took_ms = millis(age);
                tracing::info!(component = self.name, %old, new = %digest, took_ms, "component replaced");
            }
            Err(error) => tracing::error!(
                component = self.name, running = %old, %error, "replacement refused"
            ),
        }
    }
}

fn stamp(path: &Path) -> Result<Stamp, LoadError> {
    let metadata = fs::metadata(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(Stamp::of(&metadata))
}

fn build<B>(runtime: &Runtime, path: &Path, prepare: &Prepare<B>) -> Result<Build<B>, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let digest = Digest::of(&bytes);
    let component = runtime
        .cache
        .load(&runtime.engine, &digest, &bytes)
        .map_err(|error| LoadError::Compile {
            path: path.to_owned(),
            reason: one_line(&error.root_cause().to_string()),
        })?;
    Ok(Build {
        digest,
        prepared: prepare(runtime, path, component)?,
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
