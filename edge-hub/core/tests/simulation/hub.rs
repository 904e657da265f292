//! One event of one connection through the real hub, its effects performed on the model.

use super::transitions::World;
use clustertalk_core::effect::Effect;
use clustertalk_core::event::{Event, NoAnswer, Verdict};
use clustertalk_core::hub::{Connection, Hub, Settings};
use clustertalk_core::log::Action;
use clustertalk_core::protocol::{ErrorCode, ServerFrame, reference_of};
use clustertalk_core::store::{Appended, Attended, Read};
use clustertalk_core::time::Timestamp;

/// What became of an effect.
enum Performed {
    Here(Event),
    ByHost(Effect),
}

impl World {
    pub fn call(&mut self, socket: usize, event: Event) {
        let mut settings = Settings::default();
        // At the usual rate most of what is sent again would still wait when the run ends.
        settings.limits.messages_per_second = 50;
        let connection = Connection {
            id: format!("e{}-{socket}", self.sockets[socket].edge),
            edge: format!("e{}", self.sockets[socket].edge),
            anonymous: true,
            token: None,
        };
        // A trap may come after any step, also when the append is done.
        let traps_after = (self.faulty && self.random.percent(4)).then(|| self.random.below(4));
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&self.random.next().to_le_bytes());
        let session = self.sockets[socket].session.clone();
        let mut hub =
            Hub::restore(&settings, connection, &session, seed).expect("bytes of this version");
        let (mut for_host, mut next, mut steps) = (Vec::new(), Some(event.clone()), 0);
        while let Some(event) = next.take() {
            if traps_after == Some(steps) {
                break;
            }
            steps += 1;
            let effects: Vec<Effect> = hub
                .handle(Timestamp::from_millis(self.now), event)
                .collect();
            for effect in effects {
                match self.perform(effect) {
                    Performed::Here(answer) => next = Some(answer),
                    Performed::ByHost(effect) => for_host.push(effect),
                }
            }
        }
        if traps_after.is_some_and(|last| last <= steps) {
            return self.trapped(socket, &event, &settings);
        }
        self.sockets[socket].session = hub.session();
        self.sockets[socket].unapplied = for_host;
        // What the call did to Redis may reach others, and its own client by the room, before the
        // host has its effects.
        if !(self.faulty && matches!(event, Event::Frame(_)) && self.random.percent(30)) {
            self.finish(socket);
        }
    }

    /// The host has the effects of the last call.
    pub fn finish(&mut self, socket: usize) {
        for effect in std::mem::take(&mut self.sockets[socket].unapplied) {
            self.apply(socket, effect);
        }
    }

    /// The old session bytes stay, and no effect is applied.
    fn trapped(&mut self, socket: usize, event: &Event, settings: &Settings) {
        self.meet("trap");
        match event {
            Event::Frame(text) if self.sockets[socket].identified => {
                let reference = reference_of(text, &settings.limits);
                let error = ServerFrame::error(ErrorCode::Internal).answering(reference);
                self.sockets[socket]
                    .down
                    .push_back(ServerFrame::Error(Box::new(error)).encode());
            }
            Event::Closed => {}
            _ => self.cut(socket),
        }
    }

    fn apply(&mut self, socket: usize, effect: Effect) {
        match effect {
            Effect::Send(frame) => self.sockets[socket].down.push_back(frame.encode()),
            Effect::Subscribe { since, .. } => self.attach(socket, since),
            Effect::Unsubscribe { .. } => self.detach(socket),
            Effect::Identify(_) => self.sockets[socket].identified = true,
            Effect::Close(_) => self.cut(socket),
            _ => {}
        }
    }

    fn perform(&mut self, effect: Effect) -> Performed {
        Performed::Here(match effect {
            Effect::Review(message) => Event::Reviewed(self.answer(3, verdict(&message.text))),
            Effect::Record(_) => Event::Recorded(Vec::new()),
            Effect::Append { mode, draft, .. } => {
                if self.faulty && self.random.percent(4) {
                    return Performed::Here(Event::Appended(Err(NoAnswer)));
                }
                let (appended, payload) =
                    self.redis
                        .append(Timestamp::from_millis(self.now), mode, &draft);
                if let Appended::Duplicate { .. } = appended {
                    self.meet("duplicate");
                }
                if let Some(payload) = payload {
                    let edges = self.edges.len();
                    self.channel
                        .publish(self.now, edges, &payload, &mut self.random, self.faulty);
                }
                // It may be done and the answer lost.
                Event::Appended(self.answer(4, appended))
            }
            Effect::Load { range, limit, .. } => {
                let stretch = self.redis.store.read(range, limit);
                Event::Loaded(self.answer(4, Read::Stretch(stretch)))
            }
            Effect::ListRooms { .. } => Event::RoomsListed(self.answer(10, Vec::new())),
            Effect::OpenRoom { .. } => Event::RoomOpened(Ok(true)),
            Effect::Presence { .. } => {
                let counted = Attended::Counted(Box::default());
                Event::PresenceChanged(self.answer(4, counted))
            }
            other => return Performed::ByHost(other),
        })
    }

    fn answer<T>(&mut self, chance: usize, answer: T) -> Result<T, NoAnswer> {
        if self.faulty && self.random.percent(chance) {
            Err(NoAnswer)
        } else {
            Ok(answer)
        }
    }
}

fn verdict(text: &str) -> Verdict {
    let action = match text {
        "spam" => Action::Mask,
        "odd" => Action::Flag,
        "vile" => Action::Block,
        _ => Action::Allow,
    };
    Verdict {
        action,
        replacement: None,
        label: None,
        scores: Vec::new(),
        rule: None,
        model: None,
        policy: None,
    }
}
