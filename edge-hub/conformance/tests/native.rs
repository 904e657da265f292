//! Holds the native host to the protocol, and the program itself to finding faults.
//!
//! Needs `redis-server`, the built components and `target/debug/clustertalk`:
//! `cargo xtask test conformance` makes what is missing. JUnit files are left in
//! `target/conformance/`.

mod native {
    mod conformance;
    mod deployment;
    mod faults;
    mod proxy;
}
