//! What must be true when all is quiet.

use super::client::Client;
use super::model::tags;
use super::transitions::World;
use clustertalk_core::delivery::outbox::Progress;
use clustertalk_core::ids::{MessageId, Seq};
use std::collections::BTreeSet;

pub fn check(world: &World) -> Result<(), String> {
    messages_are_stored_once(world)?;
    for client in &world.clients {
        let told = check_view(world, client).and_then(|()| check_outbox(world, client));
        told.map_err(|broken| format!("{}: {broken}", client.name))?;
    }
    Ok(())
}

fn messages_are_stored_once(world: &World) -> Result<(), String> {
    let senders = world.redis.store.senders();
    let distinct: BTreeSet<&String> = senders.iter().collect();
    // Without `seen`, or with entries gone by hand, a resend cannot be told from a new message.
    let known = !world.redis.seen_was_lost && !world.faults.by_hand;
    if distinct.len() < senders.len() && known {
        return Err("a message stands in the log twice".to_owned());
    }
    Ok(())
}

/// Everyone shows the log as it is, from where he began, less what he was told to be gone.
fn check_view(world: &World, client: &Client) -> Result<(), String> {
    let store = &world.redis.store;
    let (kept, head) = (store.kept(), store.head());
    if client.position() != Some(head) {
        return Err(format!(
            "stands at {:?}, the room at {head}",
            client.position()
        ));
    }
    let shown: BTreeSet<String> = client
        .view
        .positions()
        .map(|position| position.tag.to_string())
        .collect();
    let began: Seq = client
        .view
        .positions()
        .map(|position| position.seq)
        .min()
        .unwrap_or(head.seq + 1);
    for entry in kept.iter().filter(|entry| entry.link.seq >= began) {
        if !shown.contains(&entry.link.tag.to_string()) && !client.view.is_gone(entry.link.seq) {
            let marked = client
                .view
                .shown
                .contains_key(&(entry.link.seq, entry.link.tag.to_string()));
            // Where entries were removed by hand, more may be called lost than was.
            if !(marked && world.faults.by_hand) {
                return Err(format!(
                    "{} is missing in silence (marked as lost: {marked})",
                    entry.link.seq
                ));
            }
        }
    }
    let lowest = kept.first().map_or(Seq::MAX, |first| first.link.from);
    let in_log = tags(&kept);
    for position in client
        .view
        .positions()
        .filter(|position| position.seq >= lowest)
    {
        let tag = position.tag.to_string();
        if !in_log.contains(&tag) && !world.redis.removed.contains(&tag) {
            return Err(format!("{} is shown and in no log", position.seq));
        }
    }
    Ok(())
}

/// What a client calls settled, or has forgotten, is in the log, unless the log's limits or an
/// operator removed it.
fn check_outbox(world: &World, client: &Client) -> Result<(), String> {
    let store = &world.redis.store;
    let kept = store.kept();
    let (in_log, lowest) = (
        tags(&kept),
        kept.first().map_or(Seq::MAX, |first| first.link.from),
    );
    let commands = client.outbox.commands();
    for command in commands {
        if let Progress::Delivered { position, .. } = command.progress {
            let tag = position.tag.to_string();
            if position.seq >= lowest
                && !in_log.contains(&tag)
                && !world.redis.removed.contains(&tag)
            {
                return Err(format!(
                    "{} is called settled at {position} and is not there",
                    command.id
                ));
            }
        }
    }
    let senders: BTreeSet<String> = store.senders().into_iter().collect();
    let is_forgotten = |id: &&MessageId| commands.iter().all(|command| command.id != **id);
    for id in client.written.iter().filter(is_forgotten) {
        let sender = format!("{} {id}", client.name);
        let was_stored = senders.contains(&sender) || store.trimmed.contains(&sender);
        if !was_stored && !world.redis.deleted.contains(&sender) && !world.faults.by_hand {
            return Err(format!("{id} is forgotten and is not there"));
        }
    }
    Ok(())
}
