//! Prints the JSON Schema of the wire; `cargo xtask codegen` keeps it in `edge-hub/protocol`.

fn main() -> serde_json::Result<()> {
    println!(
        "{}",
        serde_json::to_string_pretty(&clustertalk_core::protocol::schema::frames())?
    );
    Ok(())
}
