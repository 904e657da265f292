//! What a client asked of its rooms, until it stands in their logs for good.
//!
//! # Why an acknowledgement settles nothing
//!
//! Ada's "yes" is acknowledged at 44. Then the primary dies, and the replica that takes over has
//! come to 43. Bob's "no" becomes the new 44. Ada was told that hers is stored, everybody else sees
//! an unbroken log, and her message is nowhere: lost, and nobody knows.
//!
//! So an acknowledgement only says where to look. A command is settled when its own entry comes
//! back to its sender at that place, by number and tag, in the order that everybody reads; and is
//! remembered for a while even then, since the log may lose what it has delivered. If its number
//! passes with another tag, or the log ends below it, it is sent again under its id, which the
//! server recognises should it be stored after all.
//!
//! # What its owner does
//!
//! 1. Says who speaks, as `welcome` does ([`Outbox::welcomed`]); sends what
//!    [`Outbox::next_to_send`] yields, and says so ([`Outbox::sent`]).
//! 2. Tells it each answer ([`Outbox::acked`], [`Outbox::refused`]) and each entry that comes by
//!    ([`Outbox::passed`]). An `ack` of another tag than the cursor passed at its number is a reason
//!    to join the room again: one of them is of a lost branch.
//! 3. Lets it look at the room's cursor whenever that moved ([`Outbox::reviewed`], and before it
//!    [`Outbox::forked`] where a `joined` is `diverged` or answers no position), and says when a room
//!    is read to its head ([`Outbox::caught_up`]).
//! 4. Asks the log (`history`) for the positions [`Outbox::in_doubt`], and tells what it found:
//!    [`Outbox::passed`], [`Outbox::decided`] and [`Outbox::untold`].
//! 5. Stores [`Outbox::commands`] when they changed, before it transmits anything, and begins with
//!    them the next time.

mod command;

pub use command::{Command, Named, Progress, Request};

use super::RoomCursor;
use crate::ids::{MessageId, Position, RoomName, Seq, UserId};
use crate::log::Change;
use crate::protocol::codes::Retry;
use crate::protocol::{ChangedFrame, EntryFrame, ErrorCode, Skipped};
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a delivered command is kept, should a failover lose it after all.
pub const KEPT: Duration = Duration::from_secs(120);
/// How many delivered commands are kept at most.
pub const KEPT_ITEMS: usize = 64;
/// How often one command may be answered by `internal` before it is given up.
pub const INTERNAL_TRIES: u32 = 3;
/// The pause before a retry for which the server named none.
const PAUSE: Duration = Duration::from_secs(1);

/// The commands of one user, in the order of their writing. See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    commands: Vec<Command>,
    sender: Option<Sender>,
    /// When the next paced command may be sent.
    paced_until: Timestamp,
}

/// Who sends, since the last `welcome`.
#[derive(Clone, Debug)]
struct Sender {
    connection: u64,
    user: UserId,
    /// Between paced commands.
    pace: Duration,
}

/// An `error` that answers a command, as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    pub code: &'a str,
    pub message: &'a str,
    pub retry_after: Option<Duration>,
}

impl Outbox {
    /// Begins with what the last run stored. What was on a connection then is on none that there is:
    /// connections are numbered from 1.
    pub fn restored(mut commands: Vec<Command>) -> Self {
        for command in &mut commands {
            if let Progress::Sent { connection } = &mut command.progress {
                *connection = 0;
            }
        }
        Self {
            commands,
            ..Self::default()
        }
    }

    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The user asks for something. `ready`: the room is live, so that it may go out at once, unless
    /// others wait: then it takes its turn. What `own` deletes is not sent any more; if it never was,
    /// there is nothing to delete.
    pub fn add(
        &mut self,
        now: Timestamp,
        room: RoomName,
        id: MessageId,
        request: Request,
        ready: bool,
        own: Option<&UserId>,
    ) {
        if self.commands.iter().any(|command| command.id == id) {
            return;
        }
        if let Request::Delete { target } = &request {
            let strikes = |command: &Command| command.concerns(&room, target, own);
            let was_sent = |command: &Command| command.user.is_some();
            let struck = self.commands.extract_if(.., |command| strikes(command));
            let unsent = struck
                .filter(|command| matches!(command.request, Request::Send { .. }))
                .any(|command| !was_sent(&command));
            if unsent {
                return;
            }
        }
        let progress = self.asked(&room, ready);
        self.commands.push(Command {
            id,
            room,
            request,
            created_at: now,
            tries: 0,
            user: None,
            after: None,
            progress,
        });
    }

    /// The user wants a failed or uncertain command sent again, in his name.
    pub fn retry(&mut self, id: &MessageId, ready: bool) {
        let Some(index) = self.commands.iter().position(|command| command.id == *id) else {
            return;
        };
        let progress = self.asked(&self.commands[index].room, ready);
        let command = &mut self.commands[index];
        if matches!(
            command.progress,
            Progress::Failed { .. } | Progress::Uncertain
        ) {
            (command.tries, command.user, command.after) = (0, None, None);
            command.progress = progress;
        }
    }

    /// The user will not have it any more. What was stored stays stored.
    pub fn discard(&mut self, id: &MessageId) {
        self.commands.retain(|command| command.id != *id);
    }

    fn asked(&self, room: &RoomName, ready: bool) -> Progress {
        let waits = |command: &Command| matches!(command.progress, Progress::Waiting { .. });
        let behind = self.of(room).any(waits);
        Progress::Waiting {
            not_before: Timestamp::default(),
            paced: !ready || behind,
        }
    }

    /// A connection is live, and speaks for `user`. What another user sent is not sent again in this
    /// one's name unasked.
    pub fn welcomed(&mut self, connection: u64, user: UserId, messages_per_second: u32) {
        for command in &mut self.commands {
            let open = matches!(
                command.progress,
                Progress::Waiting { .. } | Progress::Sent { .. }
            );
            if open && command.is_of_another(&user) {
                command.progress = Progress::Uncertain;
            }
        }
        // Half the announced rate leaves room for what is new.
        let pace = 2_000_u64.div_ceil(u64::from(messages_per_second.max(1)));
        self.sender = Some(Sender {
            connection,
            user,
            pace: Duration::from_millis(pace),
        });
    }

    /// What may be sent now, into one of the rooms that are `ready`: those that the connection has
    /// joined and read to their heads. In a room nothing overtakes what was written before it.
    pub fn next_to_send(
        &self,
        now: Timestamp,
        ready: impl Fn(&RoomName) -> bool,
    ) -> Option<&Command> {
        self.due(ready)
            .find_map(|(at, command)| (at <= now).then_some(command))
    }

    /// When [`Self::next_to_send`] will have something, if nothing else happens.
    pub fn next_deadline(&self, ready: impl Fn(&RoomName) -> bool) -> Option<Timestamp> {
        self.due(ready).map(|(at, _)| at).min()
    }

    /// The first waiting command of each room, and when it may be sent.
    fn due(
        &self,
        ready: impl Fn(&RoomName) -> bool,
    ) -> impl Iterator<Item = (Timestamp, &Command)> {
        let mut met = BTreeSet::new();
        self.commands.iter().filter_map(move |command| {
            let Progress::Waiting { not_before, paced } = command.progress else {
                return None;
            };
            let at = if paced {
                not_before.max(self.paced_until)
            } else {
                not_before
            };
            (ready(&command.room) && met.insert(&command.room)).then_some((at, command))
        })
    }

    /// A waiting command was transmitted on the connection that was welcomed last; the room's cursor
    /// stands at `after`.
    pub fn sent(&mut self, now: Timestamp, id: &MessageId, after: Position) {
        let Some(Sender {
            connection,
            user,
            pace,
        }) = self.sender.clone()
        else {
            return;
        };
        let Some(command) = self.find(id) else { return };
        let Progress::Waiting { paced, .. } = command.progress else {
            return;
        };
        command.user = Some(user);
        command.after = Some(after);
        command.progress = Progress::Sent { connection };
        if paced {
            self.paced_until = now.after(pace);
        }
    }

    /// The server says that it stored a command at `position`. That settles only what the room's
    /// cursor has passed at this very place, and what was sent to a room that the user left since,
    /// of which nothing will come by (`None`).
    pub fn acked(
        &mut self,
        now: Timestamp,
        id: &MessageId,
        position: Position,
        cursor: Option<&RoomCursor>,
    ) {
        let passed = cursor.is_none_or(|cursor| cursor.tag_at(position.seq) == Some(position.tag));
        if let Some(command) = self.find(id)
            && matches!(
                command.progress,
                Progress::Sent { .. } | Progress::Acked { .. }
            )
        {
            if passed {
                command.settle(now, position);
            } else {
                command.progress = Progress::Acked { position };
            }
        }
    }

    /// The server did not take it, and not for a fault of its own: the room was not joined.
    pub fn unsent(&mut self, id: &MessageId) {
        if let Some(command) = self.find(id)
            && let Progress::Sent { .. } = command.progress
        {
            command.resend(Timestamp::default());
        }
    }

    /// The server refused a command: for a while, or for good.
    pub fn refused(&mut self, now: Timestamp, id: &MessageId, refusal: Refusal<'_>) {
        let missing = refusal.code == ErrorCode::TargetMissing.as_str();
        let precedes = missing && self.precedes(id);
        let Some(command) = self.find(id) else { return };
        let Progress::Sent { .. } = command.progress else {
            return;
        };
        if missing && matches!(command.request, Request::Delete { .. }) {
            // What is to be deleted is not there, which is all that was asked.
            return self.discard(id);
        }
        if precedes {
            // A failover lost it, and it is sent again first; or the log is about to tell what
            // became of it.
            return command.resend(Timestamp::default());
        }
        command.tries += u32::from(refusal.code == ErrorCode::Internal.as_str());
        if refusal.is_temporary() && command.tries < INTERNAL_TRIES {
            command.resend(now.after(refusal.retry_after.unwrap_or(PAUSE)));
        } else {
            command.progress = Progress::Failed {
                code: refusal.code.to_owned(),
                message: refusal.message.to_owned(),
            };
        }
    }

    /// An entry of a room's log came by: live, in a page, or in an answer to `history`.
    pub fn passed(&mut self, now: Timestamp, entry: &EntryFrame) {
        match entry {
            EntryFrame::Message(message) => {
                let (room, id, user) = (&message.room, &message.id, &message.user.id);
                self.returned(now, room, id, user, message.position);
            }
            EntryFrame::Changed(changed) => {
                if changed.change == Change::Delete {
                    self.deleted(changed);
                }
                let (room, id, user) = (&changed.room, &changed.id, &changed.user.id);
                self.returned(now, room, id, user, changed.position);
            }
            EntryFrame::Skipped(skipped) => self.struck(skipped),
        }
    }

    fn returned(
        &mut self,
        now: Timestamp,
        room: &RoomName,
        id: &MessageId,
        user: &UserId,
        position: Position,
    ) {
        if let Some(command) = self.find(id)
            && command.room == *room
            && command.user.as_ref() == Some(user)
        {
            command.settle(now, position);
        }
    }

    /// A message that was seen deleted is never sent again, nor is what was asked of it.
    fn deleted(&mut self, deletion: &ChangedFrame) {
        let ChangedFrame {
            room,
            id,
            user,
            target,
            ..
        } = deletion;
        let message = Named {
            user: target.user.clone(),
            id: target.id.clone(),
        };
        self.commands.retain(|command| {
            let itself = command.id == *id && command.user.as_ref() == Some(&user.id);
            itself || !command.concerns(room, &message, None)
        });
    }

    /// Whether the message that a change is about is the user's own, and may be sent again.
    fn precedes(&self, change: &MessageId) -> bool {
        let Some(change) = self.commands.iter().find(|command| command.id == *change) else {
            return false;
        };
        let (Request::Edit { target, .. } | Request::React { target, .. }) = &change.request else {
            return false;
        };
        self.of(&change.room).any(|other| {
            matches!(other.request, Request::Send { .. })
                && !matches!(
                    other.progress,
                    Progress::Failed { .. } | Progress::Uncertain
                )
                && other.concerns(&change.room, target, change.user.as_ref())
        })
    }

    /// A stored command whose place holds a tombstone was deleted, and is never sent again. One that
    /// lies within a span was removed with its neighbours: whether it was meant, the user decides.
    fn struck(&mut self, skipped: &Skipped) {
        let Skipped {
            room,
            position,
            from,
            ..
        } = skipped;
        self.commands
            .retain(|command| command.room != *room || command.stored_at() != Some(*position));
        let within = from.unwrap_or(position.seq)..position.seq;
        for command in self.of_mut(room) {
            if let Progress::Acked { position } = command.progress
                && within.contains(&position.seq)
            {
                command.lose_sight();
            }
        }
    }

    /// What the room's cursor says of the commands that are said to be stored; `head` where the
    /// server told a new truth.
    pub fn reviewed(
        &mut self,
        now: Timestamp,
        room: &RoomName,
        cursor: &RoomCursor,
        head: Option<Position>,
    ) {
        self.judge(now, room, |position| {
            if head.is_some_and(|head| head.seq < position.seq) {
                return Some(Judgement::Lost);
            }
            let end = head.filter(|head| head.seq == position.seq);
            let tag = cursor.tag_at(position.seq).or(end.map(|end| end.tag))?;
            if tag != position.tag {
                return Some(Judgement::Lost);
            }
            // The head may be told before the entries that lead to it.
            (position.seq <= cursor.position().seq).then_some(Judgement::Kept)
        });
    }

    /// The room's cursor stands on a branch of the log that may not be the one it read before. What
    /// was delivered there, and was not passed on this one, is only said to be stored again.
    pub fn forked(&mut self, room: &RoomName, cursor: &RoomCursor) {
        for command in self.of_mut(room) {
            if let Progress::Delivered { position, .. } = command.progress
                && cursor.tag_at(position.seq) != Some(position.tag)
            {
                command.progress = Progress::Acked { position };
            }
        }
    }

    /// The room was read up to its head on the connection that was welcomed last; numbers up to
    /// `lost_to` could not be had. What was sent on an earlier connection and did not come by was
    /// not stored, unless it is lost with those numbers.
    pub fn caught_up(&mut self, room: &RoomName, lost_to: Option<Seq>) {
        let current = self.sender.as_ref().map(|sender| sender.connection);
        for command in self.of_mut(room) {
            let Progress::Sent { connection } = command.progress else {
                continue;
            };
            if Some(connection) == current {
                continue;
            }
            let stood_at = command.after.unwrap_or_default().seq;
            if lost_to.is_some_and(|lost_to| stood_at < lost_to) {
                command.lose_sight();
            } else {
                command.resend(Timestamp::default());
            }
        }
        if let Some(lost_to) = lost_to {
            self.untold(room, lost_to);
        }
    }

    /// The log keeps nothing up to this number. Of what is said to be stored there, and did not come
    /// by, nobody can tell any more.
    pub fn untold(&mut self, room: &RoomName, to: Seq) {
        for command in self.of_mut(room) {
            if let Progress::Acked { position } = command.progress
                && position.seq <= to
            {
                command.lose_sight();
            }
        }
    }

    /// Where commands are said to be that the cursor went by without seeing: between a fork and the
    /// newest entries, or so far back that it forgot. `history` decides.
    pub fn in_doubt(&self, room: &RoomName, cursor: &RoomCursor) -> Vec<Position> {
        let is_unseen = |position: &Position| {
            position.seq <= cursor.position().seq && cursor.tag_at(position.seq).is_none()
        };
        self.of(room)
            .filter_map(|command| match command.progress {
                Progress::Acked { position } => Some(position).filter(is_unseen),
                _ => None,
            })
            .collect()
    }

    /// Whether something is said to be stored beyond `position`. An edge that stands there for long
    /// reads a log that lost it, and nothing will come by: a reason to join again.
    pub fn is_stored_beyond(&self, room: &RoomName, position: Position) -> bool {
        let mut stored = self.of(room).filter_map(Command::stored_at);
        stored.any(|stored| stored.seq > position.seq)
    }

    /// The log was asked: it holds the positions `kept`, and does not hold those that are `lost`.
    pub fn decided(
        &mut self,
        now: Timestamp,
        room: &RoomName,
        kept: &[Position],
        lost: &[Position],
    ) {
        self.judge(now, room, |position| {
            if lost.contains(&position) {
                return Some(Judgement::Lost);
            }
            kept.contains(&position).then_some(Judgement::Kept)
        });
    }

    /// Where to resume a room so that what became of its commands can be seen: before the oldest
    /// that is on its way, else at the newest that was delivered.
    pub fn resume_at(&self, room: &RoomName) -> Option<Position> {
        let by_seq = |position: &Position| position.seq;
        let open = self.of(room).filter_map(|command| match command.progress {
            Progress::Sent { .. } | Progress::Acked { .. } => {
                Some(command.after.unwrap_or_default())
            }
            _ => None,
        });
        let delivered = self.of(room).filter_map(Command::stored_at);
        open.min_by_key(by_seq)
            .or_else(|| delivered.max_by_key(by_seq))
    }

    /// Forgets what was delivered long ago, or long before the rest.
    pub fn prune(&mut self, now: Timestamp) {
        let is_settled = |command: &Command| matches!(command.progress, Progress::Delivered { .. });
        let settled = self.commands.iter().filter(|each| is_settled(each)).count();
        let mut surplus = settled.saturating_sub(KEPT_ITEMS);
        self.commands.retain(|command| {
            let Progress::Delivered { settled_at, .. } = command.progress else {
                return true;
            };
            let one_too_many = surplus > 0;
            surplus = surplus.saturating_sub(1);
            !one_too_many && now.since(settled_at) < KEPT
        });
    }

    fn judge(
        &mut self,
        now: Timestamp,
        room: &RoomName,
        judge: impl Fn(Position) -> Option<Judgement>,
    ) {
        let Self {
            commands, sender, ..
        } = self;
        for command in commands.iter_mut().filter(|command| command.room == *room) {
            let Some(position) = command.stored_at() else {
                continue;
            };
            match (judge(position), &sender) {
                (None, _) => {}
                (Some(Judgement::Kept), _) => command.settle(now, position),
                (Some(Judgement::Lost), Some(sender)) if command.is_of_another(&sender.user) => {
                    command.progress = Progress::Uncertain;
                }
                (Some(Judgement::Lost), _) => command.resend(Timestamp::default()),
            }
        }
    }

    fn find(&mut self, id: &MessageId) -> Option<&mut Command> {
        self.commands.iter_mut().find(|command| command.id == *id)
    }

    fn of(&self, room: &RoomName) -> impl Iterator<Item = &Command> {
        self.commands
            .iter()
            .filter(move |command| command.room == *room)
    }

    fn of_mut(&mut self, room: &RoomName) -> impl Iterator<Item = &mut Command> {
        self.commands
            .iter_mut()
            .filter(move |command| command.room == *room)
    }
}

/// Whether the log holds a position.
enum Judgement {
    Kept,
    Lost,
}

impl Refusal<'_> {
    /// Whether the same frame may succeed later.
    fn is_temporary(&self) -> bool {
        let mut known = ErrorCode::ALL.iter();
        match known.find(|code| code.as_str() == self.code) {
            Some(code) => code.retry() != Retry::Never,
            None => self.retry_after.is_some(),
        }
    }
}
