//! What is asked about moderation in a room, and what the store answers.

use super::Term;
use crate::ids::{MessageId, Seq, UserId};
use crate::log::moderation::Recorded;
use crate::log::{Entry, Reference};
use std::time::Duration;

/// What somebody does about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModerationAction {
    /// Tells the moderators of it.
    Report { target: Reference },
    /// There is nothing wrong: it leaves the queue.
    Dismiss { target: Reference },
    /// Asks for the text that was masked.
    Original { target: Reference },
}

impl ModerationAction {
    pub const fn target(&self) -> &Reference {
        match self {
            Self::Report { target } | Self::Dismiss { target } | Self::Original { target } => {
                target
            }
        }
    }
}

/// What became of a [`ModerationAction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moderated {
    Done,
    /// To `Original`: where it was masked, whose it is, and the sealed text.
    Original {
        seq: Seq,
        user: UserId,
        id: MessageId,
        sealed: String,
    },
    /// It is not kept.
    OriginalGone,
    Forbidden,
    Banned(Term),
    RateLimited {
        retry_after: Duration,
    },
    TargetMissing,
    StaleTarget,
    /// The ACL user of this edge may not write all of it.
    Unpublishable,
}

/// A page of what waits for moderators, or why there is none.
#[derive(Clone, Debug)]
pub enum Queue {
    /// With where the next page begins, if there is one.
    Page(Vec<Queued>, Option<Seq>),
    Forbidden,
    Banned(Term),
}

/// A message that was flagged or reported, and nobody has looked at.
#[derive(Clone, Debug)]
pub struct Queued {
    pub message: Entry,
    /// Its newest edit.
    pub edit: Option<Entry>,
    pub reports: u64,
    /// Why it is here: at most 10.
    pub records: Vec<Recorded>,
}

/// A page of a moderation log, newest first, or why there is none.
#[derive(Clone, Debug)]
pub enum Records {
    Page(Vec<Recorded>, Option<Seq>),
    Forbidden,
    Banned(Term),
}
