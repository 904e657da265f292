//! What edges tell of a user or a room, on its way to the connections that it concerns.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clustertalk_core::{ids::UserId, protocol::CloseCode};

use crate::queue::Queue;

/// Notices that may wait for a connection whose hub is busy. One that has more resumes, and is
/// asked anew where it may be.
const WAITING: usize = 64;

/// The notices of one connection that its hub has not had yet.
pub struct Mailbox {
    queue: Arc<Queue>,
    waiting: Mutex<Vec<Arc<str>>>,
}

impl Mailbox {
    pub fn new(queue: Arc<Queue>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            waiting: Mutex::default(),
        })
    }

    /// Has the connection's task look here when it is not busy.
    pub fn put(&self, notice: Arc<str>) {
        let mut waiting = self.waiting();
        if waiting.len() < WAITING {
            waiting.push(notice);
            self.queue.nudge();
        } else {
            let code = CloseCode::Internal;
            self.queue.close_with(code.code(), code.sentence());
        }
    }

    pub fn take(&self) -> Vec<Arc<str>> {
        mem::take(&mut self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<str>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mailboxes of each user's connections on this edge.
#[derive(Default)]
pub struct Directory(Mutex<HashMap<UserId, Vec<Arc<Mailbox>>>>);

impl Directory {
    pub fn enter(self: &Arc<Self>, user: UserId, mailbox: Arc<Mailbox>) -> Registration {
        let mut users = self.users();
        let of_user = users.entry(user.clone()).or_default();
        of_user.push(Arc::clone(&mailbox));
        drop(users);
        Registration {
            directory: Arc::clone(self),
            user,
            mailbox,
        }
    }

    pub fn put(&self, user: &UserId, notice: &Arc<str>) {
        for mailbox in self.users().get(user).into_iter().flatten() {
            mailbox.put(Arc::clone(notice));
        }
    }

    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Vec<Arc<Mailbox>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place among those of its user, given back when dropped.
pub struct Registration {
    directory: Arc<Directory>,
    user: UserId,
    mailbox: Arc<Mailbox>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut users = self.directory.users();
        if let Some(of_user) = users.get_mut(&self.user) {
            of_user.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
            if of_user.is_empty() {
                users.remove(&self.user);
            }
        }
    }
}
