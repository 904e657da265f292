//! What `clustertalk moderation` takes.

use std::time::Duration;

use clap::{Args, Subcommand};
use clustertalk_core::{
    ids::{MessageId, RoomName, UserId},
    log::{Reference, moderation::Reason},
};

use super::tools::{Edge, room, user};

#[derive(Debug, Clone, Subcommand)]
pub enum Moderation {
    /// Report a message to the moderators of its room.
    Report(Report),
    /// Show what was flagged or reported and nobody has looked at.
    Queue(Page),
    /// Show what was decided, reported and done, newest first.
    Log(Page),
    /// Take a message from the queue: nothing is wrong with it.
    Dismiss(Resolve),
    /// Delete a message.
    Delete(Change),
    /// Show again what was masked, if its original is kept.
    Restore(Change),
    /// Let a user only read.
    Mute(Sentence),
    /// Keep a user out of the room.
    Ban(Sentence),
    /// End a ban and a mute.
    Unban(Unban),
}

#[derive(Debug, Clone, Args)]
pub struct Report {
    #[command(flatten)]
    pub resolve: Resolve,
    /// What is wrong with it: spam, harassment, hate, sexual, violence, self_harm, illegal or other.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub reason: Reason,
    /// What moderators should know: at most 256 bytes.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Page {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(default_value = "general", value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// At most so many; of the queue an edge shows 50 at once.
    #[arg(long, default_value = "50", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
    /// The `next` of the page before.
    #[arg(long, value_name = "SEQ")]
    pub after: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Resolve {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// The message: its position, SEQ-TAG, or USER/ID.
    #[arg(value_name = "MESSAGE", value_parser = message)]
    pub target: Reference,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Change {
    #[command(flatten)]
    pub resolve: Resolve,
    /// The id of the change; doing it again under the same id does nothing. Made up without it.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct Sentence {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// The user's id.
    #[arg(value_name = "WHOM", value_parser = user)]
    pub whom: UserId,
    /// For how long, such as 1h; without it for ever.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub span: Option<Duration>,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Unban {
    #[command(flatten)]
    pub edge: Edge,
    /// The room.
    #[arg(value_name = "ROOM", value_parser = room)]
    pub room: RoomName,
    /// The user's id.
    #[arg(value_name = "WHOM", value_parser = user)]
    pub whom: UserId,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

fn reason(text: &str) -> Result<Reason, serde_json::Error> {
    serde_json::from_value(text.into())
}

/// Neither has a slash in it.
fn message(text: &str) -> Result<Reference, String> {
    if let Ok(position) = text.parse() {
        return Ok(Reference::Position(position));
    }
    let named = text.split_once('/').and_then(|(user, id)| {
        let (user, id) = (UserId::parse(user).ok()?, MessageId::parse(id).ok()?);
        Some(Reference::Id { user, id })
    });
    named.ok_or_else(|| "give its position, SEQ-TAG, as the queue shows it, or USER/ID".to_owned())
}
