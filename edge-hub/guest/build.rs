//! The description of the HTTP API as it is served: without the white space that people read it by.

use std::{env, fs, path::Path};

fn main() {
    let path = "../protocol/openapi.json";
    println!("cargo::rerun-if-changed={path}");
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    let out = Path::new(&out).join("openapi.json");
    fs::write(&out, minified(&text)).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

/// JSON without white space between its tokens.
fn minified(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|&char| {
            let kept = in_string || !char.is_ascii_whitespace();
            match char {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                _ => {}
            }
            kept
        })
        .collect()
}
