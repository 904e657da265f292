//! What is counted for a message.

use clustertalk_analytics_wasm::updates::{Action, Message, Update, updates};

fn message(text: &str) -> Message<'_> {
    Message {
        user: "ada",
        text,
        action: Action::Allow,
        label: None,
    }
}

fn add(field: &str, amount: u32) -> Update {
    Update::Add {
        field: field.to_owned(),
        amount,
    }
}

fn counted(message: &Message<'_>) -> Vec<Update> {
    updates(message).collect()
}

#[test]
fn an_allowed_message_is_counted_without_a_label() {
    assert_eq!(
        counted(&message("hello")),
        [
            add("messages", 1),
            add("bytes", 5),
            add("action:allow", 1),
            add("length:0", 1),
            Update::Unique("ada".to_owned()),
            Update::Top {
                member: "ada".to_owned(),
                amount: 1
            },
            Update::Minute(1),
        ]
    );
}

#[test]
fn every_action_has_a_counter_of_its_own() {
    let actions = [
        (Action::Allow, "action:allow"),
        (Action::Flag, "action:flag"),
        (Action::Mask, "action:mask"),
        (Action::Block, "action:block"),
    ];
    for (action, field) in actions {
        let found = counted(&Message {
            action,
            ..message("hello")
        });
        assert!(found.contains(&add(field, 1)), "{field}: {found:?}");
    }
}

#[test]
fn the_label_that_decided_is_counted() {
    let found = counted(&Message {
        action: Action::Mask,
        label: Some("spam"),
        ..message("[CENSORED BY AI]")
    });
    assert!(found.contains(&add("label:spam", 1)), "{found:?}");
}

#[test]
fn a_label_that_is_no_field_name_is_not_counted() {
    let long = "x".repeat(59);
    for label in ["", "Spam", "sp am", "späm", "spam\n", &long] {
        let found = counted(&Message {
            action: Action::Flag,
            label: Some(label),
            ..message("hello")
        });
        assert_eq!(found.len(), 7, "{label:?}: {found:?}");
    }
}

#[test]
fn bytes_are_utf8_and_length_is_characters() {
    let found = counted(&message("žluťoučký kůň")); // 13 characters, 19 bytes
    assert!(found.contains(&add("bytes", 19)), "{found:?}");
    assert!(found.contains(&add("length:0", 1)), "{found:?}");
}

#[test]
fn a_length_bucket_begins_at_its_name() {
    let edges = [
        (0, "length:0"),
        (15, "length:0"),
        (16, "length:16"),
        (63, "length:16"),
        (64, "length:64"),
        (255, "length:64"),
        (256, "length:256"),
        (1023, "length:256"),
        (1024, "length:1024"),
        (65536, "length:1024"),
    ];
    for (characters, field) in edges {
        let found = counted(&message(&"é".repeat(characters)));
        assert!(found.contains(&add(field, 1)), "{characters}: {found:?}");
    }
}

#[test]
fn no_message_has_more_than_sixteen_updates_or_a_field_over_64_bytes() {
    let label = "x".repeat(58);
    let found = counted(&Message {
        action: Action::Block,
        label: Some(&label),
        ..message(&"x".repeat(70_000))
    });
    assert!(found.len() <= 16);
    for update in found {
        if let Update::Add { field, .. } = update {
            assert!(field.len() <= 64, "{field}");
        }
    }
}
