//! Prints the description of the HTTP API; `cargo xtask codegen` keeps it in `edge-hub/protocol`.

fn main() -> serde_json::Result<()> {
    println!(
        "{}",
        serde_json::to_string_pretty(&clustertalk_core::api::openapi::document())?
    );
    Ok(())
}
