//! Decides what is counted for each message. The hub decides where: it picks the Redis keys.
//!
//! This file only translates between the contract (`components/wit/analytics`) and [`updates`].

pub mod updates;

mod bindings {
    wit_bindgen::generate!({ path: "../components/wit/analytics", world: "analytics" });
}

use bindings::exports::clustertalk::analytics::recorder::{self as wit, Guest};
use updates::{Action, Update};

/// The exported component.
pub struct Recorder;

impl Guest for Recorder {
    fn record(event: wit::Event) -> Result<Vec<wit::Update>, String> {
        let message = updates::Message {
            user: &event.user,
            text: &event.text,
            action: action(event.action),
            label: event.label.as_deref(),
        };
        Ok(updates::updates(&message).map(to_wit).collect())
    }
}

fn action(action: wit::Action) -> Action {
    match action {
        wit::Action::Allow => Action::Allow,
        wit::Action::Flag => Action::Flag,
        wit::Action::Mask => Action::Mask,
        wit::Action::Block => Action::Block,
    }
}

fn to_wit(update: Update) -> wit::Update {
    match update {
        Update::Add { field, amount } => wit::Update::Add(wit::Counter { field, amount }),
        Update::Unique(value) => wit::Update::Unique(value),
        Update::Top { member, amount } => wit::Update::Top(wit::Counter {
            field: member,
            amount,
        }),
        Update::Minute(amount) => wit::Update::Minute(amount),
    }
}

// Only the component exports: a native linker refuses the contract's symbol names, and a
// platform that links this crate (Fastly) must not export them.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
bindings::export!(Recorder with_types_in bindings);
