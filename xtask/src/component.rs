//! From a core module with an embedded WIT to a component, and what a component imports.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The component of a core module for `wasm32-unknown-unknown`. Fails if it would import
/// anything: a moderator with no import has no way out of its sandbox, and one binary runs on
/// every platform.
pub fn pure_component(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let component = ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("{} is not the module of a component", module.display()))?;
    let imports = imports(&component)?;
    if !imports.is_empty() {
        bail!(
            "{} must import nothing, but imports {}",
            module.display(),
            imports.join(", ")
        );
    }
    Ok(component)
}

/// The names that a component imports, in its own order.
pub fn imports(component: &[u8]) -> Result<Vec<String>> {
    let mut depth = 0_u32;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            // The outermost end comes last, when nothing is left to count.
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    names.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(names)
}
