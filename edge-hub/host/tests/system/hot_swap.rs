//! Another policy while everybody chats: what a demonstration of hot swapping shows.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    time::Instant,
};

use futures_util::future::join_all;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    client::{Client, Reader},
    components::from_text,
    harness::{RedisServer, Site, built, eventually},
};

const ROOMS: [&str; 3] = ["general", "tech", "random"];
const SPEAKERS: usize = 3;
/// Messages of each room before the swap, and after it was seen there.
const AROUND: usize = 4;

/// What our moderation makes of spam, and what another one does.
const CENSORED: &str = "[CENSORED BY AI]";
const OTHERWISE: &str = "[SECOND BUILD]";

/// A component as messages name it.
fn digest(component: &[u8]) -> String {
    let digest = Sha256::digest(component);
    let hexadecimal = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", hexadecimal.collect::<String>())
}

/// One room: its speakers, who say spam as fast as they may, and one who reads.
struct Room {
    name: &'static str,
    speakers: Vec<Client>,
    reader: Client,
    read: Reader,
    /// What was acknowledged, in that order for each speaker.
    stored: Vec<(String, Value)>,
}

impl Room {
    async fn open(edge: std::net::SocketAddr, name: &'static str) -> Self {
        let speakers = (0..SPEAKERS).map(|number| async move {
            let user = format!("{name}-{number}");
            Client::resume(edge, &user, name, None).await.0
        });
        let (reader, joined) = Client::resume(edge, "reader", name, None).await;
        Self {
            name,
            speakers: join_all(speakers).await,
            reader,
            read: Reader::new(&joined),
            stored: Vec::new(),
        }
    }

    /// One speaker after the other, until the new policy has decided a few.
    async fn take_turns(&mut self, ready: &AtomicUsize) {
        let mut left = AROUND;
        for number in 0.. {
            if left == 0 {
                return;
            }
            let speaker = &mut self.speakers[number % SPEAKERS];
            let id = format!("m{number}");
            let last = speaker.persist(self.name, &id, "This is spam").await;
            self.read.follow(&mut self.reader, &last).await;
            self.stored.push((id, last));
            if self.stored.len() == AROUND {
                ready.fetch_add(1, Relaxed);
            }
            let newest = self.read.messages.last().expect("a message");
            if newest["text"] == OTHERWISE {
                left -= 1;
            }
        }
    }

    /// All speakers at once, until the swap is over for the others.
    async fn speak_at_once(&mut self, ready: &AtomicUsize, over: &AtomicBool) {
        let name = self.name;
        let speaking = self
            .speakers
            .iter_mut()
            .enumerate()
            .map(|(speaker, client)| async move {
                let mut stored = Vec::new();
                let mut left = AROUND;
                while left > 0 {
                    let id = format!("s{speaker}-{}", stored.len());
                    let last = client.persist(name, &id, "This is spam").await;
                    stored.push((id, last));
                    if stored.len() == AROUND {
                        ready.fetch_add(1, Relaxed);
                    }
                    if over.load(Relaxed) {
                        left -= 1;
                    }
                }
                stored
            });
        self.stored = join_all(speaking).await.concat();
        self.stored.sort_by_key(|(_, at)| at["seq"].as_u64());
        let (_, last) = self.stored.last().expect("messages").clone();
        self.read.follow(&mut self.reader, &last).await;
    }

    /// Nothing is lost, doubled or out of order, and each text is what the policy makes of it whose
    /// digest it has. Answers with whether the new one decided, message by message.
    fn decided(&self, old: &str, new: &str) -> Vec<bool> {
        assert_eq!(self.read.messages.len(), self.stored.len());
        let decided = self.read.messages.iter().zip(&self.stored);
        decided
            .map(|(message, (id, position))| {
                assert_eq!(&message["id"], id);
                assert_eq!(&message["position"], position);
                let is_new = message["text"] == OTHERWISE;
                let policy = if is_new { new } else { old };
                assert!(is_new || message["text"] == CENSORED, "{message}");
                assert_eq!(message["moderation"]["policy"], policy, "half a policy");
                is_new
            })
            .collect()
    }
}

#[tokio::test]
async fn everybody_chats_on_through_a_swap_and_each_room_has_one_point_of_change() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let edge = site.edge(&redis).await;
    let mut rooms = join_all(ROOMS.map(|name| Room::open(edge.address, name))).await;
    let mut busy = Room::open(edge.address, "busy").await;
    let first = fs::read(built("moderation")).expect("a component");
    let second = from_text("moderation-second-build");
    let (old, new) = (digest(&first), digest(&second));
    let ready = AtomicUsize::new(0);
    let over = AtomicBool::new(false);
    let swapping = async {
        eventually("a chat in every room", async || {
            (ready.load(Relaxed) == ROOMS.len() + SPEAKERS).then_some(())
        })
        .await;
        let began = Instant::now();
        site.replace("moderation", &second);
        eventually("the new policy", async || {
            let swaps = edge.component_metric("swaps_total", "moderation").await;
            (swaps == 1).then_some(())
        })
        .await;
        began.elapsed()
    };
    let turns = async {
        join_all(rooms.iter_mut().map(|room| room.take_turns(&ready))).await;
        over.store(true, Relaxed);
    };
    let (seen, (), ()) = tokio::join!(swapping, turns, busy.speak_at_once(&ready, &over));

    for room in &rooms {
        let decided = room.decided(&old, &new);
        let changes = decided.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 1, "{}: {decided:?}", room.name);
        assert!(!decided[0]);
    }
    // Where several speak at once, what was judged before the swap may be stored after it: one
    // message of each other speaker, since each has one under way.
    let decided = busy.decided(&old, &new);
    let first = decided.iter().position(|is_new| *is_new).expect("a swap");
    let late = decided[first..].iter().filter(|is_new| !**is_new).count();
    assert!(late < SPEAKERS, "{decided:?}");

    for room in rooms.iter_mut().chain([&mut busy]) {
        for client in room.speakers.iter_mut().chain([&mut room.reader]) {
            // It would say that it was closed.
            client.told().await;
        }
    }
    assert_eq!(edge.component_metric("traps_total", "moderation").await, 0);
    assert_eq!(edge.component_metric("errors_total", "moderation").await, 0);
    let page = edge.metrics().await;
    let name = "clustertalk_component_swap_seconds{component=\"moderation\"} ";
    let took = page.lines().find_map(|line| line.strip_prefix(name));
    let took: f64 = took.expect("a figure").parse().expect("a number");
    let log = edge.log();
    let logged = log.lines().find(|line| line.contains("component replaced"));
    assert!(
        logged.is_some_and(|line| line.contains("took_ms=")),
        "{log}"
    );
    // The clock of files may be some milliseconds behind.
    let seen = seen.as_secs_f64() + 0.1;
    assert!(took > 0.0 && took < seen, "{took} s, seen after {seen} s");
    println!("time to effect: {:.0} ms, by its figure", took * 1000.0);
}
