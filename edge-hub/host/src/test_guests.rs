//! Small components for tests: a core module in text form, made a component by its WIT.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A moderator whose `review` has this body. Parameters: room 0-1, user 2-3, id 4-5, text 6-7 (each
/// pointer and length), at 8, reply 9-11. It returns the address of the result; 1024 is free and
/// zero, which reads as "allow". `$calls` counts the calls of the instance.
pub(crate) fn moderator(review: &str) -> Vec<u8> {
    let function = format!(
        r#"(func (export "clustertalk:moderation/moderator@1.0.0#review")
             (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32) (result i32)
             (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
             {review})"#
    );
    component(&function, &["moderation"], "moderation")
}

/// A recorder whose `record` has this body. Parameters: room 0-1, user 2-3, text 4-5, at 6, action
/// 7, label 8-10. A result of zeros is an empty list.
pub(crate) fn recorder(record: &str) -> Vec<u8> {
    let function = format!(
        r#"(func (export "clustertalk:analytics/recorder@1.0.0#record")
             (param i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32) (result i32)
             {record})"#
    );
    component(&function, &["analytics"], "analytics")
}

/// A hub whose `handle` has this body. Parameters: now 0, id 1-2, edge 3-4, anonymous 5, token 6-8,
/// session 9-10, event 11 (0 opened, 1 frame, 2 noticed, 3 closed, 4 wake-up), its text 12-13. The result is
/// session and effects, each pointer and length; zeros are an empty outcome.
pub(crate) fn hub(handle: &str) -> Vec<u8> {
    let function = format!(
        r#"(func (export "clustertalk:websocket/handler@1.0.0#handle")
             (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
             {handle})"#
    );
    component(&function, &["websocket"], "clustertalk:test/hub")
}

fn component(function: &str, packages: &[&str], world: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
             (memory (export "memory") 2)
             (global $top (mut i32) (i32.const 65536))
             (global $calls (mut i32) (i32.const 0))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
               (local $at i32)
               (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
               (global.set $top (i32.add (local.get $at) (local.get 3)))
               (local.get $at))
             {function})"#
    );
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components/wit");
    let mut last = None;
    for package in packages {
        let (id, _) = resolve.push_path(wit.join(package)).expect("a WIT");
        last = Some(id);
    }
    let hub = "package clustertalk:test; world hub { export clustertalk:websocket/handler@1.0.0; }";
    if world == "clustertalk:test/hub" {
        last = Some(resolve.push_str("test.wit", hub).expect("a WIT"));
    }
    let package = last.expect("a package");
    let world = resolve
        .select_world(&[package], Some(world))
        .expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    ComponentEncoder::default()
        .module(&module)
        .expect("a core module of this world")
        .encode()
        .expect("a component")
}

/// Writes a component beside the others of a test.
pub(crate) fn write(folder: &Path, name: &str, component: &[u8]) -> PathBuf {
    let path = folder.join(name);
    // Renamed into place, as a build does, so that nobody reads half a file.
    let temporary = folder.join(format!("{name}.new"));
    std::fs::write(&temporary, component).expect("a file");
    std::fs::rename(&temporary, &path).expect("a file");
    path
}
