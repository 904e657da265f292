//! What can go wrong with a component: when it is loaded, and when it is called.

use std::{io, path::PathBuf};

/// Why a component was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The engine could not be made.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(anyhow::Error),
    /// The folder for compiled components cannot be used.
    #[error("the folder for compiled components cannot be used: {0}")]
    Cache(io::Error),
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The component file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no component.
    #[error("{}: not a WebAssembly component: {reason}", path.display())]
    Compile {
        /// The component file.
        path: PathBuf,
        /// The compiler's sentence.
        reason: String,
    },
    /// A component that must be pure imports something.
    #[error(
        "{}: imports {}; a moderation or analytics component must import nothing (build it for \
         wasm32-unknown-unknown, not for WASI)",
        path.display(),
        imports.join(", ")
    )]
    Imports {
        /// The component file.
        path: PathBuf,
        /// The names of the imports.
        imports: Vec<String>,
    },
    /// An export is missing or has another type.
    #[error("{}: does not export {export} as its WIT says: {reason}", path.display())]
    Export {
        /// The component file.
        path: PathBuf,
        /// The interface.
        export: &'static str,
        /// What is different.
        reason: String,
    },
    /// No instance can be made of it.
    #[error("{}: cannot be instantiated: {reason}", path.display())]
    Instantiate {
        /// The component file.
        path: PathBuf,
        /// What happened to the instance.
        reason: CallError,
    },
    /// An import is not offered by this host.
    #[error("{}: cannot be linked: {reason}", path.display())]
    Link {
        /// The component file.
        path: PathBuf,
        /// The linker's sentence.
        reason: String,
    },
    /// The component imports a contract, but the manifest has no dependency for it.
    #[error(
        "{}: imports {import}; add it to `[component.ID.dependencies]` in the manifest",
        path.display()
    )]
    Dependency {
        /// The component file.
        path: PathBuf,
        /// The contract.
        import: &'static str,
    },
    /// A route needs something that the component does not export.
    #[error("{}: a {trigger} trigger names this component, but it does not export {export}", path.display())]
    Trigger {
        /// The component file.
        path: PathBuf,
        /// `http` or `websocket`.
        trigger: &'static str,
        /// The interface.
        export: &'static str,
    },
}

/// Why a call has no answer. The instance is gone; the caller's state is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The component trapped.
    #[error("trapped: {0}")]
    Trap(String),
    /// It used more CPU time than its deadline.
    #[error("used more CPU time than its deadline")]
    Deadline,
    /// It wanted more memory than its cap.
    #[error("wanted more memory than its cap")]
    Memory,
    /// It took longer than the wall limit, waiting included.
    #[error("took longer than the wall limit")]
    Wall,
    /// Too many instances are running; nothing was called.
    #[error("too many instances are running")]
    Busy,
    /// The component answered with an error of its own.
    #[error("answered with an error: {0}")]
    Refused(String),
    /// No component of this name takes such calls.
    #[error("there is no such handler")]
    NoHandler,
}
