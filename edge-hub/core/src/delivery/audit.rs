use crate::ids::{User, UserId};
use crate::store::{Attendance, Correction};
use std::collections::HashMap;

/// The rows are read at every so many looks though their number is right: a user counted in vain
/// and one not counted hide each other.
const THOROUGH: u32 = 6;

/// Whether the store has in a room whom this edge has there.
///
/// They part where a call that changed presence was not answered, or a failover lost it. But a
/// connection that comes is in the store a moment before the edge has it, and one that goes is in
/// it a moment longer; so what is wrong is put right only if it is wrong in the same way at two
/// looks, which must be further apart than any call takes.
#[derive(Debug, Default)]
pub struct PresenceAudit {
    looks: u32,
    /// Wrong at the last look: the connections that the store held, and those there were.
    suspects: HashMap<UserId, (u64, u64)>,
}

/// The users whom an edge has in a room, collected from its connections.
#[derive(Debug, Default)]
pub struct Present<'a>(HashMap<&'a UserId, (&'a User, u64)>);

impl<'a> FromIterator<&'a User> for Present<'a> {
    fn from_iter<I: IntoIterator<Item = &'a User>>(connections: I) -> Self {
        let mut present = Self::default();
        for user in connections {
            present.0.entry(&user.id).or_insert((user, 0)).1 += 1;
        }
        present
    }
}

impl Present<'_> {
    /// Users, however many connections each has.
    pub fn users(&self) -> u64 {
        self.0.len() as u64
    }
}

impl PresenceAudit {
    /// Begins a look: whether the rows have to be read and handed to [`Self::compare`], given how
    /// many users the store holds.
    pub fn begin(&mut self, held: u64, present: &Present<'_>) -> bool {
        self.looks = self.looks.wrapping_add(1);
        held != present.users() || !self.is_settled() || self.looks.is_multiple_of(THOROUGH)
    }

    /// What has to be put right. It stays suspect until another look has found it right.
    pub fn compare(&mut self, held: &[Attendance], present: &Present<'_>) -> Vec<Correction> {
        let mut rows: HashMap<&UserId, (&User, u64)> = held
            .iter()
            .map(|row| (&row.user.id, (&row.user, row.connections)))
            .collect();
        let there = present.0.iter().map(|(&id, &(user, connections))| {
            let held = rows.remove(id).map_or(0, |(_, held)| held);
            (user, held, connections)
        });
        let mut all: Vec<_> = there.collect();
        all.extend(rows.into_values().map(|(user, held)| (user, held, 0)));

        let before = std::mem::take(&mut self.suspects);
        let mut corrections = Vec::new();
        for (user, held, connections) in all {
            if held == connections {
                continue;
            }
            let wrong = (held, connections);
            if before.get(&user.id) == Some(&wrong) {
                corrections.push(Correction {
                    user: user.clone(),
                    held,
                    connections,
                });
            }
            self.suspects.insert(user.id.clone(), wrong);
        }
        corrections
    }

    /// Whether nothing was wrong at the last look.
    pub fn is_settled(&self) -> bool {
        self.suspects.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> User {
        User {
            id: UserId::parse(id).unwrap(),
            name: id.to_owned(),
        }
    }

    fn row(id: &str, connections: u64) -> Attendance {
        Attendance {
            user: user(id),
            connections,
        }
    }

    /// `user held>right`, in order.
    fn look(audit: &mut PresenceAudit, held: &[Attendance], connections: &[&str]) -> Vec<String> {
        let users: Vec<User> = connections.iter().map(|id| user(id)).collect();
        let corrections = audit.compare(held, &users.iter().collect());
        let mut shown: Vec<String> = corrections
            .iter()
            .map(|wrong| format!("{} {}>{}", wrong.user.id, wrong.held, wrong.connections))
            .collect();
        shown.sort();
        shown
    }

    #[test]
    fn what_is_wrong_twice_is_put_right() {
        let mut audit = PresenceAudit::default();
        let held = [row("ada", 2), row("bob", 1), row("ghost", 1)];
        let there = ["ada", "bob", "bob", "cyd"];
        assert!(look(&mut audit, &held, &there).is_empty());
        let wrong = ["ada 2>1", "bob 1>2", "cyd 0>1", "ghost 1>0"];
        assert_eq!(look(&mut audit, &held, &there), wrong);
        assert!(!audit.is_settled(), "nobody knows yet whether it succeeded");
        let held = [row("ada", 1), row("bob", 2), row("cyd", 1)];
        assert!(look(&mut audit, &held, &there).is_empty());
        assert!(audit.is_settled());
    }

    #[test]
    fn a_connection_that_is_just_coming_or_going_is_left_alone() {
        let mut audit = PresenceAudit::default();
        assert!(look(&mut audit, &[row("ada", 1), row("bob", 1)], &["bob"]).is_empty());
        assert!(look(&mut audit, &[row("ada", 1)], &["ada"]).is_empty());
        assert!(audit.is_settled());
    }

    #[test]
    fn another_mistake_of_the_same_user_is_a_new_one() {
        let mut audit = PresenceAudit::default();
        assert!(look(&mut audit, &[row("ada", 1)], &[]).is_empty());
        assert!(look(&mut audit, &[row("ada", 2)], &["ada"]).is_empty());
        assert_eq!(look(&mut audit, &[row("ada", 2)], &["ada"]), ["ada 2>1"]);
    }

    #[test]
    fn rows_are_read_where_the_number_is_wrong_and_else_now_and_then() {
        let ada = user("ada");
        let present: Present<'_> = [&ada, &ada].into_iter().collect();
        let mut audit = PresenceAudit::default();
        let reads = |audit: &mut PresenceAudit, held| {
            (0..12).filter(|_| audit.begin(held, &present)).count()
        };
        assert_eq!(reads(&mut audit, 1), 2);
        assert_eq!(reads(&mut audit, 2), 12);
        audit.compare(&[row("bob", 1)], &present);
        assert_eq!(reads(&mut audit, 1), 12, "until what is suspect is settled");
    }
}
