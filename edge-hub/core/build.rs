//! Digests of the Lua scripts: EVALSHA wants them with every call, and a hub instance lives for
//! one event only, so they are computed here.

use sha1::{Digest, Sha1};

fn main() {
    for name in [
        "append",
        "erase",
        "inspect",
        "read",
        "mark",
        "presence",
        "heartbeat",
        "overall",
        "room",
        "rooms",
        "webhooks",
        "rate",
    ] {
        let path = format!("src/redis/{name}.lua");
        println!("cargo::rerun-if-changed={path}");
        let source = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let digest = Sha1::digest(source);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("cargo::rustc-env=SHA1_OF_{}={digest}", name.to_uppercase());
    }
}
