use std::{
    future::Future,
    pin::pin,
    sync::{Arc, atomic::AtomicUsize},
    task::Wake,
};

use super::*;

const EMPTY: Bytes = Bytes::new();

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A queue and the connection's task, as far as it matters here.
struct Bench {
    queue: Queue,
    bell: Arc<Bell>,
    batch: [Bytes; BATCH_FRAMES],
}

impl Bench {
    fn new(limit: usize) -> Self {
        let bell = Arc::new(Bell::default());
        Self {
            queue: Queue::new(limit),
            bell,
            batch: [EMPTY; BATCH_FRAMES],
        }
    }

    fn outgoing(&mut self) -> Vec<Bytes> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let outgoing = self.queue.outgoing(&waker, &mut self.batch);
        self.batch[..outgoing.frames].to_vec()
    }
}

fn frame(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[test]
fn the_task_is_woken_once_until_it_has_written_everything() {
    let mut bench = Bench::new(1000);
    assert!(bench.outgoing().is_empty());
    for text in ["one", "two", "three"] {
        assert_eq!(bench.queue.push(frame(text)), Pushed::Queued);
    }
    assert_eq!(bench.bell.rings(), 1);
    assert_eq!(bench.outgoing(), ["one", "two", "three"]);
    bench.queue.written(11);
    assert!(bench.outgoing().is_empty());
    assert_eq!(bench.queue.push(frame("four")), Pushed::Queued);
    assert_eq!(bench.bell.rings(), 2);
}

#[test]
fn at_most_32_frames_are_given_to_one_write() {
    let mut bench = Bench::new(10_000);
    for _ in 0..40 {
        assert_eq!(bench.queue.push(frame("x")), Pushed::Queued);
    }
    assert_eq!(bench.outgoing().len(), 32);
    bench.queue.written(32);
    assert_eq!(bench.outgoing().len(), 8);
}

#[test]
fn a_write_in_part_goes_on_where_it_stopped() {
    let mut bench = Bench::new(1000);
    assert_eq!(bench.queue.push(frame("one")), Pushed::Queued);
    assert_eq!(bench.queue.push(frame("two")), Pushed::Queued);
    assert_eq!(bench.outgoing().len(), 2);
    bench.queue.written(4);
    assert_eq!(bench.outgoing(), ["wo"]);
    bench.queue.written(0);
    assert_eq!(bench.outgoing(), ["wo"]);
    bench.queue.written(2);
    assert!(bench.outgoing().is_empty());
    assert_eq!(bench.queue.bytes(), 0);
}

#[test]
fn memory_is_given_back_when_all_is_written() {
    let mut bench = Bench::new(10_000);
    for _ in 0..20 {
        assert_eq!(bench.queue.push(frame("x")), Pushed::Queued);
    }
    bench.outgoing();
    bench.queue.written(20);
    assert_eq!(bench.queue.state().frames.capacity(), 0);
}

#[test]
fn a_full_queue_closes_as_a_slow_consumer() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.queue.push(frame("first")), Pushed::Queued);
    assert_eq!(bench.queue.push(frame("second")), Pushed::Queued);
    assert_eq!(bench.queue.push(frame("third")), Pushed::Full);
    assert_eq!(bench.queue.push(frame("fourth")), Pushed::Closed);
    let [close] = bench.outgoing().try_into().unwrap();
    assert_eq!(close[..2], [0x88, close.len() as u8 - 2]);
    assert_eq!(close[2..4], 4501_u16.to_be_bytes());
}

#[test]
fn a_frame_that_has_begun_ends_before_the_close_of_a_slow_consumer() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.queue.push(frame("first")), Pushed::Queued);
    assert_eq!(bench.queue.push(frame("second")), Pushed::Queued);
    bench.outgoing();
    bench.queue.written(2);
    assert_eq!(
        bench.queue.push(frame("third, which is too long")),
        Pushed::Full
    );
    let frames = bench.outgoing();
    assert_eq!(frames[0], "rst");
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[1][2..4], 4501_u16.to_be_bytes());
}

#[test]
fn frames_of_a_write_under_way_are_kept_when_the_queue_overflows() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.queue.push(frame("first")), Pushed::Queued);
    assert_eq!(bench.queue.push(frame("second")), Pushed::Queued);
    bench.outgoing();
    assert_eq!(bench.queue.push(frame("third")), Pushed::Full);
    bench.queue.written(7);
    let frames = bench.outgoing();
    assert_eq!(frames[0], "cond");
    assert_eq!(frames[1][2..4], 4501_u16.to_be_bytes());
}

#[test]
fn a_close_follows_what_was_queued_and_only_the_first_counts() {
    let mut bench = Bench::new(1000);
    assert_eq!(bench.queue.push(frame("last words")), Pushed::Queued);
    bench.queue.close_with(4502, "draining");
    bench.queue.close_with(4503, "internal");
    assert_eq!(bench.queue.push(frame("late")), Pushed::Closed);
    let frames = bench.outgoing();
    assert_eq!(frames[0], "last words");
    assert_eq!(frames[1][2..4], 4502_u16.to_be_bytes());
    assert_eq!(frames.len(), 2);
}

#[test]
fn many_tiny_frames_are_bounded_too() {
    let queue = Queue::new(1024);
    let taken = (0..1024)
        .take_while(|_| queue.push(frame("x")) == Pushed::Queued)
        .count();
    assert_eq!(taken, 1024 / (1 + FRAME_OVERHEAD));
}

#[test]
fn an_empty_frame_does_not_stay() {
    let mut bench = Bench::new(1000);
    assert_eq!(bench.queue.push(EMPTY), Pushed::Queued);
    bench.outgoing();
    bench.queue.written(0);
    assert!(bench.outgoing().is_empty());
}

#[test]
fn who_waits_goes_on_when_his_frames_are_written_whatever_came_later() {
    let mut bench = Bench::new(1000);
    assert_eq!(bench.queue.push(frame("page")), Pushed::Queued);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    {
        let mut drained = pin!(bench.queue.drained());
        assert!(drained.as_mut().poll(&mut context).is_pending());
        assert!(drained.as_mut().poll(&mut context).is_pending());
        assert_eq!(bench.queue.push(frame("later")), Pushed::Queued);
        let task = Waker::from(Arc::clone(&bench.bell));
        bench.queue.outgoing(&task, &mut bench.batch);
        bench.queue.written(3);
        assert_eq!(bell.rings(), 0);
        bench.queue.outgoing(&task, &mut bench.batch);
        bench.queue.written(1);
        assert_eq!(bell.rings(), 1);
        assert_eq!(drained.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    }
    assert_eq!(bench.outgoing(), ["later"]);
}

#[test]
fn who_waits_is_told_when_the_connection_ends() {
    for end in [Queue::end, |queue: &Queue| {
        queue.close_with(4502, "draining")
    }] {
        let queue = Queue::new(1000);
        assert_eq!(queue.push(frame("page")), Pushed::Queued);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let mut drained = pin!(queue.drained());
        assert!(drained.as_mut().poll(&mut context).is_pending());
        end(&queue);
        assert_eq!(bell.rings(), 1);
        assert_eq!(
            drained.as_mut().poll(&mut context),
            Poll::Ready(Err(Closed))
        );
    }
}

#[test]
fn nudges_before_the_task_looks_are_one() {
    let mut bench = Bench::new(1000);
    bench.outgoing();
    bench.queue.nudge();
    bench.queue.nudge();
    assert_eq!(bench.bell.rings(), 1);
    let waker = Waker::from(Arc::clone(&bench.bell));
    assert!(bench.queue.outgoing(&waker, &mut bench.batch).nudged);
    bench.queue.take_nudge();
    assert!(!bench.queue.outgoing(&waker, &mut bench.batch).nudged);
}
