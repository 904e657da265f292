//! The few times at which a connection has something to do, on one timer that exists only while
//! there are any.

use std::{future::Future, pin::Pin, task::Context};

use tokio::time::{Instant, Sleep, sleep_until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    /// Reading goes on.
    Read,
    /// The handler asked to be woken.
    Wake,
    /// The closing handshake took too long.
    Close,
}

const ALL: [Deadline; 3] = [Deadline::Read, Deadline::Wake, Deadline::Close];

#[derive(Debug, Default)]
pub(super) struct Deadlines(Option<Box<Armed>>);

#[derive(Debug)]
struct Armed {
    sleep: Pin<Box<Sleep>>,
    at: [Option<Instant>; ALL.len()],
}

impl Deadlines {
    /// Replaces one deadline; `None` takes it away.
    pub(super) fn set(&mut self, deadline: Deadline, at: Option<Instant>) {
        match (&mut self.0, at) {
            (Some(armed), at) => armed.at[deadline as usize] = at,
            (None, Some(first)) => {
                let mut armed = Armed {
                    sleep: Box::pin(sleep_until(first)),
                    at: [None; ALL.len()],
                };
                armed.at[deadline as usize] = at;
                self.0 = Some(Box::new(armed));
            }
            (None, None) => {}
        }
        if self.0.as_ref().is_some_and(|armed| armed.next().is_none()) {
            self.clear();
        }
    }

    pub(super) fn is_set(&self, deadline: Deadline) -> bool {
        self.0
            .as_ref()
            .is_some_and(|armed| armed.at[deadline as usize].is_some())
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Gives and forgets a deadline that has passed; else has the task woken at the next one.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Option<Deadline> {
        let armed = self.0.as_mut()?;
        let (deadline, at) = armed.next()?;
        if armed.sleep.deadline() != at {
            armed.sleep.as_mut().reset(at);
        }
        if armed.sleep.as_mut().poll(context).is_pending() {
            return None;
        }
        self.set(deadline, None);
        Some(deadline)
    }
}

impl Armed {
    fn next(&self) -> Option<(Deadline, Instant)> {
        ALL.into_iter()
            .filter_map(|deadline| Some((deadline, self.at[deadline as usize]?)))
            .min_by_key(|(_, at)| *at)
    }
}
