//! What a client has sent and does not yet know to be in the log, by the rules of PROTOCOL.md.

use super::view::View;
use clustertalk_core::ids::Position;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    Waiting {
        not_before: u64,
    },
    /// On the connection of this number.
    Sent {
        connection: u64,
    },
    Acknowledged(Position),
    /// Came back to its sender.
    Delivered(Position),
    /// Its place in the log was deleted, or trimmed before it was seen: told to the user.
    Uncertain,
    /// Refused for good.
    Failed,
}

#[derive(Clone, Debug)]
pub struct Command {
    pub id: String,
    pub text: String,
    pub progress: Progress,
    pub tries: u32,
}

#[derive(Default)]
pub struct Outbox {
    pub commands: Vec<Command>,
}

const AGAIN: Progress = Progress::Waiting { not_before: 0 };

impl Outbox {
    pub fn is_settled(&self) -> bool {
        self.commands.iter().all(|command| {
            matches!(
                command.progress,
                Progress::Delivered(_) | Progress::Uncertain | Progress::Failed
            )
        })
    }

    fn find(&mut self, id: &str) -> Option<&mut Command> {
        self.commands.iter_mut().find(|command| command.id == id)
    }

    pub fn acknowledged(&mut self, id: &str, position: Position, settle_by_ack: bool) {
        if let Some(command) = self.find(id)
            && matches!(
                command.progress,
                Progress::Sent { .. } | Progress::Acknowledged(_)
            )
        {
            command.progress = if settle_by_ack {
                Progress::Delivered(position)
            } else {
                Progress::Acknowledged(position)
            };
        }
    }

    pub fn returned(&mut self, id: &str, position: Position) {
        if let Some(command) = self.find(id) {
            command.progress = Progress::Delivered(position);
        }
    }

    pub fn refused(&mut self, id: &str, code: &str, retry_at: u64) {
        let Some(command) = self.find(id) else { return };
        if !matches!(command.progress, Progress::Sent { .. }) {
            return;
        }
        command.tries += u32::from(code == "internal");
        command.progress = match code {
            "blocked" => Progress::Failed,
            "internal" if command.tries >= 3 => Progress::Failed,
            _ => Progress::Waiting {
                not_before: retry_at,
            },
        };
    }

    /// The client stands at `position` now, and the room at `head`. Answers where messages are said
    /// to be that were passed and are not shown: the log itself has to be asked.
    pub fn moved(
        &mut self,
        view: &View,
        position: Position,
        head: Option<Position>,
    ) -> Vec<Position> {
        let mut doubtful = Vec::new();
        for command in &mut self.commands {
            let (Progress::Acknowledged(own) | Progress::Delivered(own)) = command.progress else {
                continue;
            };
            let acknowledged = matches!(command.progress, Progress::Acknowledged(_));
            if view.has(own) {
                command.progress = Progress::Delivered(own);
            } else if head.is_some_and(|head| head.seq < own.seq) {
                command.progress = AGAIN;
            } else if acknowledged && own.seq <= position.seq {
                if view.is_gone(own.seq) {
                    command.progress = Progress::Uncertain;
                } else {
                    doubtful.push(own);
                }
            }
        }
        doubtful
    }

    /// What is not in the log is sent again.
    pub fn lost(&mut self, position: Position) {
        for command in &mut self.commands {
            if matches!(command.progress, Progress::Acknowledged(own) | Progress::Delivered(own) if own == position)
            {
                command.progress = AGAIN;
            }
        }
    }

    /// A resume has come to its end: what was sent before it and did not come by was not stored.
    pub fn caught_up(&mut self, connection: u64) {
        for command in &mut self.commands {
            if matches!(command.progress, Progress::Sent { connection: earlier } if earlier != connection)
            {
                command.progress = AGAIN;
            }
        }
    }

    /// Entries were trimmed unseen: what was under way then may have been among them.
    pub fn trimmed(&mut self) {
        for command in &mut self.commands {
            if matches!(command.progress, Progress::Sent { .. }) {
                command.progress = Progress::Uncertain;
            }
        }
    }

    /// Below all that is kept: stored or not, the user has to decide.
    pub fn untold(&mut self, position: Position) {
        self.struck(position);
    }

    /// What stands at this position was deleted; it is never sent again.
    pub fn struck(&mut self, position: Position) {
        for command in &mut self.commands {
            if matches!(command.progress, Progress::Acknowledged(own) | Progress::Delivered(own) if own == position)
            {
                command.progress = Progress::Uncertain;
            }
        }
    }
}
