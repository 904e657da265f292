//! Prints the JSON Schema of a policy file; `cargo xtask codegen` keeps it in `moderation-wasm/policy`.

fn main() -> serde_json::Result<()> {
    println!(
        "{}",
        serde_json::to_string_pretty(&clustertalk_policy::schema())?
    );
    Ok(())
}
