use std::{task::Waker, time::Duration};

use bytes::Bytes;
use clustertalk_core::{ids::UserId, limits::Limits, redis::Keyspace};
use tokio::{task::yield_now, time::timeout};

use super::*;
use crate::queue::{BATCH_FRAMES, DEFAULT_QUEUE_BYTES, Phase};

const PATIENCE: Duration = Duration::from_secs(20);

/// A relay whose Redis never answers.
fn relay() -> Arc<Relay> {
    let keyspace = Keyspace::new("ct").unwrap();
    let url = "redis://127.0.0.1:1";
    let client = redis::Client::open(url).unwrap();
    let store = Store::new(client, keyspace, "e1".to_owned(), Limits::default()).unwrap();
    Relay::new(store, None)
}

fn follower(number: u64) -> Follower {
    let queue = Arc::new(Queue::new(DEFAULT_QUEUE_BYTES));
    Follower {
        number,
        id: format!("e1-{number}").into(),
        user: User {
            id: UserId::parse("ada").unwrap(),
            name: "ada".to_owned(),
        },
        mailbox: Mailbox::new(Arc::clone(&queue)),
        queue,
        turn: Arc::new(Semaphore::new(1)),
    }
}

/// The code that a connection is being closed with.
fn closing(queue: &Queue) -> Option<u16> {
    let mut batch = [const { Bytes::new() }; BATCH_FRAMES];
    let outgoing = queue.outgoing(Waker::noop(), &mut batch);
    match outgoing.phase {
        Phase::Closing(code) => Some(code),
        Phase::Open | Phase::Closed => None,
    }
}

#[tokio::test]
async fn a_room_that_failed_is_opened_anew_and_its_followers_resume() {
    let relay = relay();
    let room = RoomName::parse("general").unwrap();
    let (control, mut commands) = mpsc::unbounded_channel();
    let handle = RoomHandle {
        control,
        publications: mpsc::channel(1).0,
        position: Arc::default(),
    };
    relay.rooms().insert(room.clone(), handle.clone());
    let [followed, waiting] = [follower(1), follower(2)];
    for follower in [&followed, &waiting] {
        relay.attach(&room, follower.clone(), None);
    }
    relay.supervise(room.clone(), handle, async move {
        let _followed = commands.recv().await;
        panic!("as a bug in the room would");
    });
    let failed = async {
        while relay.rooms_followed() > 0 {
            yield_now().await;
        }
    };
    timeout(PATIENCE, failed).await.expect("the room is gone");
    assert_eq!(relay.figures.failures.load(Ordering::Relaxed), 1);
    for follower in [followed, waiting] {
        assert_eq!(closing(&follower.queue), Some(4503));
    }

    let next = follower(3);
    relay.attach(&room, next.clone(), None);
    assert_eq!(relay.rooms_followed(), 1);
    assert_eq!(closing(&next.queue), None);
}

#[tokio::test]
async fn who_comes_while_a_room_fails_is_not_left_in_silence() {
    let relay = relay();
    let room = RoomName::parse("general").unwrap();
    let handle = RoomHandle {
        // Its task is gone, and nobody has noticed yet.
        control: mpsc::unbounded_channel().0,
        publications: mpsc::channel(1).0,
        position: Arc::default(),
    };
    relay.rooms().insert(room.clone(), handle);
    let late = follower(1);
    relay.attach(&room, late.clone(), None);
    assert_eq!(closing(&late.queue), Some(4503));
}
