//! The vectors of one folder, as files.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;

/// Runs every vector of a folder and prints how many there were. A failing one is named.
pub fn run_all<V: DeserializeOwned>(folder: &str, run: impl Fn(&str, V)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../protocol/vectors")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no vectors in {folder}/");
    for file in &files {
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name in UTF-8");
        let name = format!("{folder}/{stem}");
        assert_eq!(
            file.extension().and_then(|end| end.to_str()),
            Some("json"),
            "{name}"
        );
        let text = std::fs::read_to_string(file).expect("a readable file");
        let whole: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(whole["name"], stem, "{name}: the name is the file's name");
        let vector = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        run(&name, vector);
    }
    println!("{} vectors in {folder}/", files.len());
}
