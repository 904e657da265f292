//! The counters of one message.

/// Longest counter field in bytes; the contract drops longer ones.
const FIELD_BYTES: usize = 64;

/// Lower bounds of the length histogram in characters; a bucket reaches up to the next bound.
/// Powers of four, so that five fields tell a word, a line, a paragraph, a page and a flood apart.
const LENGTH_BUCKETS: [usize; 5] = [0, 16, 64, 256, 1024];

/// What moderation decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Allow,
    Flag,
    Mask,
    Block,
}

/// The part of a reviewed message that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// User id of the sender.
    pub user: &'a str,
    /// The text that is delivered.
    pub text: &'a str,
    pub action: Action,
    /// The label that decided, for everything but [`Action::Allow`].
    pub label: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Adds to a named counter of the room.
    Add { field: String, amount: u32 },
    /// Counts a distinct user.
    Unique(String),
    /// Adds to a user of the room's leader board.
    Top { member: String, amount: u32 },
    /// Adds to the series of messages by minute.
    Minute(u32),
}

/// The updates for one message: at most eight, always in the same order.
pub fn updates(message: &Message<'_>) -> impl Iterator<Item = Update> {
    let bytes = u32::try_from(message.text.len()).unwrap_or(u32::MAX);
    [
        Some(add("messages", 1)),
        Some(add("bytes", bytes)),
        Some(add(format!("action:{}", action_name(message.action)), 1)),
        message
            .label
            .and_then(label_field)
            .map(|field| add(field, 1)),
        Some(add(format!("length:{}", length_bucket(message.text)), 1)),
        Some(Update::Unique(message.user.to_owned())),
        Some(Update::Top {
            member: message.user.to_owned(),
            amount: 1,
        }),
        Some(Update::Minute(1)),
    ]
    .into_iter()
    .flatten()
}

fn add(field: impl Into<String>, amount: u32) -> Update {
    Update::Add {
        field: field.into(),
        amount,
    }
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Flag => "flag",
        Action::Mask => "mask",
        Action::Block => "block",
    }
}

/// A label comes from a moderation component, which others may write: one that cannot be
/// a field name is not counted, rather than bent into another label's counter.
fn label_field(label: &str) -> Option<String> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b':' | b'-');
    let field = format!("label:{label}");
    let valid = !label.is_empty() && field.len() <= FIELD_BYTES && field.bytes().all(allowed);
    valid.then_some(field)
}

fn length_bucket(text: &str) -> usize {
    let characters = text.chars().count();
    let above = LENGTH_BUCKETS.partition_point(|&bound| bound <= characters);
    LENGTH_BUCKETS[above - 1]
}
