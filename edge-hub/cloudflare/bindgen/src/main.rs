//! JavaScript around the Worker's module: the part of `wasm-bindgen` that `cargo xtask cloudflare`
//! needs, as a program, since the tool itself is only to be had from GitHub.
//!
//! `clustertalk-bindgen MODULE FOLDER` writes `FOLDER/index.js` and `FOLDER/index_bg.wasm`.

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [module, folder] = &arguments[..] else {
        bail!("usage: clustertalk-bindgen MODULE FOLDER");
    };
    Bindgen::new()
        .input_path(module)
        .out_name("index")
        // An ES module that imports its Wasm, as the platform wants it.
        .module(true)?
        .typescript(false)
        // So that a trap spoils one event: `js/entry.js`.
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(folder)
        .with_context(|| format!("cannot write the JavaScript of {}", module.display()))
}
