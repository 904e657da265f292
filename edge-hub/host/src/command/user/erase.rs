//! `clustertalk user erase`: removes what Redis holds of a user.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, IsTerminal, Write},
};

use anyhow::{Result, bail};
use clustertalk_core::{
    ids::{Position, RoomName},
    log::{Entry, Involvement, moderation},
    redis::{
        self as contract, Strike,
        person::{self, What},
    },
};
use serde_json::json;

use super::{
    super::{
        database::{self, Stretches, texts},
        output::{Cell, print_json, table},
    },
    Remembered, direct, held, listed, rows,
};
use crate::{config::Erase, store::Store};

/// Entries that one script removes: what else waits for Redis waits that long.
const STRIKES: usize = 100;
/// How often all is looked through again because something came meanwhile.
const PASSES: usize = 5;

pub async fn run(erase: Erase) -> Result<()> {
    let store = database::open(&erase.database).await?;
    let eraser = Eraser {
        store: &store,
        erase: &erase,
    };
    eraser.refuse_if_connected().await?;
    let mut found = eraser.pass(false).await?;
    if !erase.dry_run && !found.is_nothing() {
        eraser.confirm(&found)?;
        eraser.pass(true).await?;
        eraser.again(&mut found).await?;
    }
    found.print(&erase)
}

struct Eraser<'e> {
    store: &'e Store,
    erase: &'e Erase,
}

/// What was found, or removed.
#[derive(Default)]
struct Count {
    /// By what it is.
    of: BTreeMap<&'static str, u64>,
    rooms: BTreeSet<RoomName>,
    /// Others' messages that name him, and stay.
    named: u64,
    /// Rooms whose only owner he was.
    without_owner: Vec<RoomName>,
}

impl Count {
    fn add(&mut self, what: &'static str, number: u64) {
        if number > 0 {
            *self.of.entry(what).or_default() += number;
        }
    }

    fn is_nothing(&self) -> bool {
        self.of.is_empty()
    }

    fn rows(&self) -> Vec<Vec<Cell>> {
        let row = |(what, number): (&&str, &u64)| {
            vec![Cell::text(&what.replace('_', " ")), Cell::number(*number)]
        };
        self.of.iter().map(row).collect()
    }

    fn print(&self, erase: &Erase) -> Result<()> {
        let user = &erase.user;
        if erase.json {
            return print_json(&json!({
                "user": user,
                "removed": !erase.dry_run,
                "counts": self.of,
                "rooms": self.rooms.len(),
                "others_messages_that_name_the_user": self.named,
                "rooms_without_owner": self.without_owner,
            }));
        }
        let mut out = anstream::stdout().lock();
        match (self.is_nothing(), erase.dry_run) {
            (true, _) => writeln!(out, "nothing is held of {user}")?,
            (false, true) => writeln!(out, "would be removed of {user}:")?,
            (false, false) => writeln!(out, "removed of {user}:")?,
        }
        if !self.is_nothing() {
            write!(out, "{}", table(&["WHAT", "COUNT"], &self.rows()))?;
        }
        if self.named > 0 {
            writeln!(
                out,
                "messages of others that mention {user} or answer him: {}; they stay, unless --and-mentions is given",
                self.named
            )?;
        }
        for room in &self.without_owner {
            writeln!(out, "#{room} has no owner then: an admin may grant it one")?;
        }
        Ok(out.flush()?)
    }
}

impl Eraser<'_> {
    /// Whoever is connected writes on, and is shown to others.
    async fn refuse_if_connected(&self) -> Result<()> {
        let user = &self.erase.user;
        for room in &database::rooms(self.store).await? {
            if rows(self.store, room, user)
                .await?
                .iter()
                .any(|row| row.is_live)
                && !self.erase.dry_run
            {
                bail!(
                    "{user} is connected (#{room}); take away what lets him in (his account at the issuer of \
                     tokens, or a ban), end his connections (POST /api/v1/users/{user}/kick), then try again"
                );
            }
        }
        Ok(())
    }

    fn confirm(&self, found: &Count) -> Result<()> {
        if self.erase.yes {
            return Ok(());
        }
        let user = &self.erase.user;
        let mut terminal = std::io::stderr().lock();
        if !std::io::stdin().is_terminal() {
            bail!(
                "this cannot be undone: give `--yes`, or `--dry-run` to see what would be removed"
            );
        }
        write!(
            terminal,
            "{}",
            anstream::adapter::strip_str(&table(&["WHAT", "COUNT"], &found.rows()))
        )?;
        write!(
            terminal,
            "All of this is removed, and it cannot be undone. Type {user} to go on: "
        )?;
        terminal.flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        match answer.trim() == user.as_str() {
            true => Ok(()),
            false => bail!("nothing was removed"),
        }
    }

    /// An edge may have written figures, or a frame that was on its way, while all was looked through.
    async fn again(&self, done: &mut Count) -> Result<()> {
        for _ in 0..PASSES {
            let more = self.pass(true).await?;
            if more.is_nothing() {
                return Ok(());
            }
            for (what, number) in more.of {
                done.add(what, number);
            }
            done.rooms.extend(more.rooms);
        }
        bail!(
            "{} still writes: take away what lets him in, then try again",
            self.erase.user
        )
    }

    /// Looks through everything, and removes what it finds, or counts it only.
    async fn pass(&self, remove: bool) -> Result<Count> {
        let mut count = Count::default();
        let (store, user) = (self.store, &self.erase.user);
        let keyspace = store.keyspace();
        for room in &database::rooms(store).await? {
            let before = count.of.values().sum::<u64>();
            match direct(store, room, user).await? {
                Some(_) => self.direct_room(room, remove, &mut count).await?,
                None => self.room(room, remove, &mut count).await?,
            }
            if count.of.values().sum::<u64>() > before {
                count.rooms.insert(room.clone());
            }
        }
        for (holding, _) in held(store, person::overall_holdings(keyspace, user)).await? {
            count.add("figures", 1);
            self.command(remove, &holding.remove).await?;
        }
        let listed = listed(store, user).await?;
        count.add("private_rooms_listed", listed.len() as u64);
        if !listed.is_empty() {
            let list = vec!["DEL".to_owned(), keyspace.rooms_of(user)];
            self.command(remove, &list).await?;
        }
        Ok(count)
    }

    async fn command(&self, remove: bool, command: &[String]) -> Result<()> {
        if remove {
            self.store.command(command).await?;
        }
        Ok(())
    }

    /// A room of two is nothing without one of them, and its name is made of both ids.
    async fn direct_room(&self, room: &RoomName, remove: bool, count: &mut Count) -> Result<()> {
        count.add("direct_rooms", 1);
        if !remove {
            return Ok(());
        }
        let keyspace = self.store.keyspace();
        let reply = self
            .store
            .call(&person::delete_room(keyspace, room)?)
            .await?;
        match person::room_deleted(keyspace, room, &reply)? {
            Some(aftermath) => {
                for command in aftermath {
                    self.store.command(&command).await?;
                }
                Ok(())
            }
            None => bail!("#{room} cannot be deleted: do the rights in Redis do for it?"),
        }
    }

    async fn room(&self, room: &RoomName, remove: bool, count: &mut Count) -> Result<()> {
        let (store, user) = (self.store, &self.erase.user);
        let keyspace = store.keyspace();
        let mut stretches = Stretches::new(store, room);
        while let Some(stretch) = stretches.next().await? {
            let mut strikes = Vec::new();
            for item in stretch.items.iter().filter(|item| !item.is_tombstone) {
                let involvement = Involvement::of(&item.json, user);
                let told = match involvement {
                    Some(Involvement::Own) => true,
                    Some(Involvement::About) => false,
                    Some(Involvement::Named) if self.erase.and_mentions => true,
                    Some(Involvement::Named) => {
                        count.named += 1;
                        continue;
                    }
                    None => continue,
                };
                count.add(
                    match involvement {
                        Some(Involvement::Own) => "entries",
                        Some(Involvement::About) => "others_changes",
                        _ => "others_messages",
                    },
                    1,
                );
                let position = Entry::parse(&item.json)?.link.position();
                strikes.push(Strike { position, told });
            }
            for strikes in strikes.chunks(STRIKES).filter(|_| remove) {
                let call = contract::erase(keyspace, room, user, strikes);
                if contract::erased(&store.call(&call).await?)?.is_none() {
                    bail!(
                        "the rights of this user of Redis do not do: docs/operations.md has them"
                    );
                }
            }
        }
        self.moderation(room, remove, count).await?;
        let mut remembered = Remembered::new(store, room, user);
        while let Some(members) = remembered.next().await? {
            if members.is_empty() {
                continue;
            }
            count.add("ids", members.len() as u64);
            let members = members.into_iter().map(|(member, _)| member);
            self.command(remove, &person::forget_remembered(keyspace, room, members))
                .await?;
        }
        for (holding, value) in held(store, person::holdings(keyspace, room, user)).await? {
            if matches!(holding.what, What::Ban | What::Mute) && self.erase.keep_bans {
                continue;
            }
            count.add(
                match holding.what {
                    What::Role => "roles",
                    What::Ban => "bans",
                    What::Mute => "mutes",
                    What::Read => "read_markers",
                    What::Creator => "rooms_created",
                    What::LastMessage | What::Rate => "times",
                    What::Messages | What::Counted => "figures",
                },
                1,
            );
            self.command(remove, &holding.remove).await?;
            if holding.what == What::Role
                && value == "owner"
                && !self.has_another_owner(room).await?
            {
                count.without_owner.push(room.clone());
            }
        }
        for row in rows(store, room, user).await? {
            // That of an edge that is there is refused before anything is removed.
            if !row.is_live {
                count.add("stale_connections", 1);
                let command = person::remove_row(keyspace, room, &row.edge, user);
                self.command(remove, &command).await?;
            }
        }
        Ok(())
    }

    /// Whatever names him in the moderation log leaves its place there.
    async fn moderation(&self, room: &RoomName, remove: bool, count: &mut Count) -> Result<()> {
        let (store, user) = (self.store, &self.erase.user);
        let mut stretches = Stretches::of_moderation(store, room);
        while let Some(stretch) = stretches.next().await? {
            let entries = stretch.items.iter().filter(|item| !item.is_tombstone);
            let strikes: Vec<Position> = entries
                .filter_map(|item| moderation::names(&item.json, user))
                .collect();
            count.add("moderation_entries", strikes.len() as u64);
            for strikes in strikes.chunks(STRIKES).filter(|_| remove) {
                let call = contract::erase_records(store.keyspace(), room, user, strikes);
                if contract::records_erased(&store.call(&call).await?)?.is_none() {
                    bail!(
                        "the rights of this user of Redis do not do: docs/operations.md has them"
                    );
                }
            }
        }
        Ok(())
    }

    async fn has_another_owner(&self, room: &RoomName) -> Result<bool> {
        let granted = self.store.keyspace().room(room, "granted");
        let roles = texts(self.store, &["HGETALL".to_owned(), granted]).await?;
        let mut pairs = roles.chunks_exact(2);
        Ok(pairs.any(|pair| pair[1] == "owner" && pair[0] != self.erase.user.as_str()))
    }
}
