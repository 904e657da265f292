//! Lists the files of the built web client as Rust source, for `src/site.rs` to embed.

use std::{env, fmt::Write as _, fs, io, path::Path};

use sha2::{Digest as _, Sha256};

const DIST: &str = "../../clients/web/dist";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    // Without a client the component would be useless; a native build is for the tests, which
    // bring files of their own.
    let is_component = env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm");
    if is_component && !Path::new(DIST).join("index.html").is_file() {
        println!("cargo::error=clients/web is not built yet: run `cargo xtask build web`");
        return;
    }
    if let Err(error) = write_list() {
        println!("cargo::error=cannot list clients/web/dist: {error}");
    }
}

fn write_list() -> io::Result<()> {
    let mut list = String::new();
    if let Ok(root) = Path::new(DIST).canonicalize() {
        list_folder(&root, "", &mut list)?;
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("files.rs"), format!("&[\n{list}]\n"))
}

fn list_folder(folder: &Path, prefix: &str, list: &mut String) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    // Not the file system's order, so that each machine builds the same bytes.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("{name:?} is not UTF-8")))?;
        let url_path = format!("{prefix}/{name}");
        if entry.file_type()?.is_dir() {
            list_folder(&entry.path(), &url_path, list)?;
            continue;
        }
        let digest = Sha256::digest(fs::read(entry.path())?);
        let tag: String = digest[..16].iter().fold(String::new(), |mut tag, byte| {
            let _ = write!(tag, "{byte:02x}");
            tag
        });
        let _ = writeln!(
            list,
            "    File {{ path: {url_path:?}, tag: {tag:?}, body: include_bytes!({:?}) }},",
            entry.path()
        );
    }
    Ok(())
}
