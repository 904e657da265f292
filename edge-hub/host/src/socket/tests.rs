use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    queue::{DEFAULT_QUEUE_BYTES, Pushed},
    websocket::{Violation, encode_close, encode_pong, encode_text, tests::client_frame},
};

/// A call of the handler, as the test sees it.
#[derive(Debug, PartialEq, Eq)]
enum Called {
    Opened,
    Text(String),
    /// A text's call has begun that will wait for the gate.
    Waits,
    Woken,
    Closed(Cause),
}

/// Reports its calls. Some texts steer it: `wait` waits for the gate, `delay` delays the next read
/// by [`DELAY`], `wake` asks to be woken after it.
struct Scripted {
    calls: UnboundedSender<Called>,
    gate: Arc<Semaphore>,
}

const DELAY: Duration = Duration::from_millis(60);

/// For what must come; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

impl Scripted {
    fn report(&self, called: Called) {
        // The test may have seen enough.
        let _ = self.calls.send(called);
    }
}

impl Handler for Scripted {
    async fn opened(&mut self) -> Next {
        self.report(Called::Opened);
        Next::default()
    }

    async fn text(&mut self, text: String) -> Next {
        let mut next = Next::default();
        match text.as_str() {
            "wait" => {
                self.report(Called::Waits);
                self.gate.acquire().await.unwrap().forget();
            }
            "delay" => next.read_after = DELAY,
            "wake" => next.wake_at = Some(Instant::now() + DELAY),
            _ => {}
        }
        self.report(Called::Text(text));
        next
    }

    async fn woken(&mut self) -> Next {
        self.report(Called::Woken);
        Next::default()
    }

    async fn closed(self, cause: Cause) {
        self.report(Called::Closed(cause));
    }
}

/// Both ends of a connection.
struct Bench {
    peer: TcpStream,
    queue: Arc<Queue>,
    calls: UnboundedReceiver<Called>,
    gate: Arc<Semaphore>,
    task: JoinHandle<Cause>,
}

impl Bench {
    async fn new() -> Self {
        Self::with(Limits::default(), DEFAULT_QUEUE_BYTES).await
    }

    async fn with(limits: Limits, queue_bytes: usize) -> Self {
        let listener = crate::server::listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let queue = Arc::new(Queue::new(queue_bytes));
        let (sender, calls) = unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let handler = Scripted {
            calls: sender,
            gate: Arc::clone(&gate),
        };
        let task = tokio::spawn(run(
            accepted.unwrap().0.into(),
            b"",
            Arc::clone(&queue),
            limits,
            handler,
        ));
        let mut bench = Self {
            peer: peer.unwrap(),
            queue,
            calls,
            gate,
            task,
        };
        assert_eq!(bench.called().await, Called::Opened);
        bench
    }

    async fn called(&mut self) -> Called {
        timeout(PATIENCE, self.calls.recv()).await.unwrap().unwrap()
    }

    async fn say(&mut self, first: u8, payload: &[u8]) {
        self.peer
            .write_all(&client_frame(first, payload))
            .await
            .unwrap();
    }

    async fn say_text(&mut self, text: &str) {
        self.say(0x81, text.as_bytes()).await;
    }

    async fn hear(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        timeout(PATIENCE, self.peer.read_exact(&mut heard))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(heard, bytes);
    }

    /// Reads to the end; gives nothing if the connection was reset.
    async fn hear_all(&mut self) -> Option<Vec<u8>> {
        let mut heard = Vec::new();
        timeout(PATIENCE, self.peer.read_to_end(&mut heard))
            .await
            .unwrap()
            .ok()
            .map(|_| heard)
    }

    fn send(&self, text: &str) {
        assert_eq!(self.queue.push(encode_text(text)), Pushed::Queued);
    }

    async fn ended(mut self, cause: Cause) {
        while let Some(called) = timeout(PATIENCE, self.calls.recv()).await.unwrap() {
            if let Called::Closed(reported) = called {
                assert_eq!(reported, cause);
            }
        }
        assert_eq!(self.task.await.unwrap(), cause);
        assert_eq!(self.queue.push(encode_text("late")), Pushed::Closed);
        assert_eq!(self.queue.bytes(), 0);
    }
}

#[tokio::test]
async fn texts_come_in_and_frames_go_out() {
    let mut bench = Bench::new().await;
    bench.say_text("hello").await;
    assert_eq!(bench.called().await, Called::Text("hello".to_owned()));
    bench.send("welcome");
    bench.hear(&encode_text("welcome")).await;
}

#[tokio::test]
async fn a_fragmented_text_is_one_message() {
    let mut bench = Bench::new().await;
    bench.say(0x01, "grü".as_bytes()).await;
    bench.say(0x89, b"between").await;
    bench.say(0x80, "ße".as_bytes()).await;
    assert_eq!(bench.called().await, Called::Text("grüße".to_owned()));
    bench.hear(&encode_pong(b"between")).await;
}

#[tokio::test]
async fn ping_is_answered() {
    let mut bench = Bench::new().await;
    bench.say(0x89, b"are you there").await;
    bench.hear(&encode_pong(b"are you there")).await;
}

#[tokio::test]
async fn pings_beyond_a_burst_are_answered_later_but_all_the_same() {
    let mut bench = Bench::new().await;
    let begun = Instant::now();
    let pings = client_frame(0x89, b"").repeat(usize::from(input::PING_BURST) + 1);
    bench.peer.write_all(&pings).await.unwrap();
    bench
        .hear(&encode_pong(b"").repeat(usize::from(input::PING_BURST) + 1))
        .await;
    assert!(begun.elapsed() >= PING_FLOOD_PAUSE);
}

#[tokio::test]
async fn one_call_runs_at_a_time_while_frames_go_out() {
    let mut bench = Bench::new().await;
    bench.say_text("wait").await;
    assert_eq!(bench.called().await, Called::Waits);
    bench.say_text("next").await;
    bench.send("meanwhile");
    bench.hear(&encode_text("meanwhile")).await;
    assert!(bench.calls.try_recv().is_err());
    bench.gate.add_permits(1);
    assert_eq!(bench.called().await, Called::Text("wait".to_owned()));
    assert_eq!(bench.called().await, Called::Text("next".to_owned()));
}

#[tokio::test]
async fn many_texts_read_at_once_come_one_by_one_in_order() {
    let mut bench = Bench::new().await;
    let texts: Vec<String> = (0..100).map(|number| format!("text {number}")).collect();
    let frames: Vec<u8> = texts
        .iter()
        .flat_map(|text| client_frame(0x81, text.as_bytes()))
        .collect();
    bench.peer.write_all(&frames).await.unwrap();
    for text in texts {
        assert_eq!(bench.called().await, Called::Text(text));
    }
}

#[tokio::test]
async fn the_handler_delays_the_next_read() {
    let mut bench = Bench::new().await;
    bench.say_text("delay").await;
    bench.say_text("next").await;
    assert_eq!(bench.called().await, Called::Text("delay".to_owned()));
    let begun = Instant::now();
    bench.send("meanwhile");
    bench.hear(&encode_text("meanwhile")).await;
    assert_eq!(bench.called().await, Called::Text("next".to_owned()));
    assert!(begun.elapsed() >= DELAY / 2);
}

#[tokio::test]
async fn the_handler_is_woken_at_the_time_it_asked_for() {
    let mut bench = Bench::new().await;
    let begun = Instant::now();
    bench.say_text("wake").await;
    assert_eq!(bench.called().await, Called::Text("wake".to_owned()));
    assert_eq!(bench.called().await, Called::Woken);
    assert!(begun.elapsed() >= DELAY);
}

#[tokio::test]
async fn a_nudge_waits_for_the_call_that_runs() {
    let mut bench = Bench::new().await;
    bench.say_text("wait").await;
    assert_eq!(bench.called().await, Called::Waits);
    bench.queue.nudge();
    bench.queue.nudge();
    bench.gate.add_permits(1);
    assert_eq!(bench.called().await, Called::Text("wait".to_owned()));
    assert_eq!(bench.called().await, Called::Woken);
    bench.say_text("next").await;
    assert_eq!(bench.called().await, Called::Text("next".to_owned()));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn frames_are_coalesced_into_one_write() {
    fn writes() -> u64 {
        let counters = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        let line = counters
            .lines()
            .find_map(|line| line.strip_prefix("syscw: "));
        line.unwrap().parse().unwrap()
    }
    let mut bench = Bench::new().await;
    let before = writes();
    for _ in 0..BATCH_FRAMES {
        bench.send("one of many");
    }
    bench
        .hear(&encode_text("one of many").repeat(BATCH_FRAMES))
        .await;
    assert_eq!(writes() - before, 1);
}

#[tokio::test]
async fn a_violation_is_answered_with_its_close_code() {
    for (frame, violation) in [
        (client_frame(0x82, b"binary"), Violation::Binary),
        (client_frame(0x81, b"\xff"), Violation::TextNotUtf8),
        (client_frame(0x80, b""), Violation::NothingToContinue),
        (
            client_frame(0x81, &[b'x'; 16 * 1024 + 1]),
            Violation::TooLarge,
        ),
    ] {
        let mut bench = Bench::new().await;
        bench.peer.write_all(&frame).await.unwrap();
        let code = violation.close_code();
        assert_eq!(
            bench.hear_all().await.unwrap(),
            encode_close(code, &violation.to_string())
        );
        bench.peer.shutdown().await.unwrap();
        bench.ended(Cause::Host(code)).await;
    }
}

#[tokio::test]
async fn a_close_is_echoed_after_what_was_queued() {
    let mut bench = Bench::new().await;
    bench.send("last words");
    bench.say(0x88, &4321_u16.to_be_bytes()).await;
    let expected = [encode_text("last words"), encode_close(4321, "")].concat();
    assert_eq!(bench.hear_all().await.unwrap(), expected);
    bench.peer.shutdown().await.unwrap();
    bench.ended(Cause::Peer(Some(4321))).await;
}

#[tokio::test]
async fn a_peer_that_closes_and_shuts_at_once_still_hears_the_answer() {
    let mut bench = Bench::new().await;
    bench.say(0x88, b"").await;
    bench.peer.shutdown().await.unwrap();
    assert_eq!(
        bench.hear_all().await.unwrap(),
        encode_close(close_code::NORMAL, "")
    );
    bench.ended(Cause::Peer(None)).await;
}

#[tokio::test]
async fn a_half_closed_peer_is_lost() {
    let mut bench = Bench::new().await;
    bench.peer.shutdown().await.unwrap();
    bench.ended(Cause::Lost).await;
}

#[tokio::test]
async fn a_reset_peer_is_lost() {
    let bench = Bench::new().await;
    SockRef::from(&bench.peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    let Bench {
        peer,
        mut calls,
        task,
        ..
    } = bench;
    drop(peer);
    assert_eq!(
        timeout(PATIENCE, calls.recv()).await.unwrap(),
        Some(Called::Closed(Cause::Lost))
    );
    assert_eq!(task.await.unwrap(), Cause::Lost);
}

#[tokio::test]
async fn a_call_ends_before_closed_though_the_peer_is_gone() {
    let mut bench = Bench::new().await;
    bench.say_text("wait").await;
    assert_eq!(bench.called().await, Called::Waits);
    SockRef::from(&bench.peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    let Bench {
        peer,
        queue,
        mut calls,
        gate,
        task,
    } = bench;
    drop(peer);
    // The reset is noticed by a write.
    while queue.push(encode_text("anyone?")) == Pushed::Queued {
        tokio::task::yield_now().await;
    }
    assert!(calls.try_recv().is_err());
    gate.add_permits(1);
    assert_eq!(calls.recv().await, Some(Called::Text("wait".to_owned())));
    assert_eq!(calls.recv().await, Some(Called::Closed(Cause::Lost)));
    assert_eq!(task.await.unwrap(), Cause::Lost);
}

#[tokio::test]
async fn no_text_is_handled_after_the_host_closed() {
    let mut bench = Bench::new().await;
    bench.send("last words");
    bench.queue.close_with(close_code::DRAINING, "bye");
    bench.say_text("too late").await;
    let expected = [
        encode_text("last words"),
        encode_close(close_code::DRAINING, "bye"),
    ]
    .concat();
    assert_eq!(bench.hear_all().await.unwrap(), expected);
    bench.say(0x88, &close_code::DRAINING.to_be_bytes()).await;
    bench.peer.shutdown().await.unwrap();
    assert_eq!(
        bench.called().await,
        Called::Closed(Cause::Host(close_code::DRAINING))
    );
    bench.ended(Cause::Host(close_code::DRAINING)).await;
}

#[tokio::test]
async fn a_peer_that_never_closes_is_cut_off_after_a_time() {
    let limits = Limits {
        closing_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let bench = Bench::with(limits, DEFAULT_QUEUE_BYTES).await;
    bench.queue.close_with(close_code::DRAINING, "bye");
    bench.ended(Cause::Host(close_code::DRAINING)).await;
}

#[tokio::test]
async fn a_closing_peer_that_goes_on_sending_is_cut_off_after_some_bytes() {
    let limits = Limits {
        closing_time: PATIENCE * 2,
        ..Limits::default()
    };
    let mut bench = Bench::with(limits, DEFAULT_QUEUE_BYTES).await;
    bench.queue.close_with(close_code::DRAINING, "bye");
    let frame = client_frame(0x81, &[b'x'; 4096]);
    while bench.peer.write_all(&frame).await.is_ok() {}
    bench.ended(Cause::Host(close_code::DRAINING)).await;
}

#[tokio::test]
async fn stuck_reader_is_closed_alone() {
    let limits = Limits {
        closing_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let stuck = Bench::with(limits, 64 * 1024).await;
    let mut reader = Bench::with(limits, 64 * 1024).await;
    let frame = encode_text(&"x".repeat(8 * 1024));
    let mut sent = 0;
    loop {
        let pushed = stuck.queue.push(frame.clone());
        assert_eq!(reader.queue.push(frame.clone()), Pushed::Queued);
        reader.hear(&frame).await;
        sent += frame.len();
        if pushed == Pushed::Full {
            break;
        }
        // Both kernels' buffers are bounded, so that a stuck reader is noticed soon.
        assert!(sent < 16 * 1024 * 1024);
    }
    stuck.ended(Cause::Host(close_code::SLOW_CONSUMER)).await;
    reader.send("still here");
    reader.hear(&encode_text("still here")).await;
}

#[tokio::test]
async fn a_slow_reader_that_wakes_up_is_told_why_it_was_closed() {
    let mut bench = Bench::with(Limits::default(), 64 * 1024).await;
    let frame = encode_text(&"x".repeat(8 * 1024));
    while bench.queue.push(frame.clone()) == Pushed::Queued {
        tokio::task::yield_now().await;
    }
    let heard = bench.hear_all().await.unwrap();
    let close = encode_close(
        close_code::SLOW_CONSUMER,
        "the client read too slowly and its queue was full",
    );
    assert!(heard.ends_with(&close));
    assert_eq!(
        (heard.len() - close.len()) % frame.len(),
        0,
        "each frame is whole"
    );
    bench.peer.shutdown().await.unwrap();
    bench.ended(Cause::Host(close_code::SLOW_CONSUMER)).await;
}

#[tokio::test]
async fn a_pager_waits_until_its_page_is_written() {
    let mut bench = Bench::with(Limits::default(), 1 << 24).await;
    let page = encode_text(&"x".repeat(12_000_000));
    assert_eq!(bench.queue.push(page.clone()), Pushed::Queued);
    let queue = Arc::clone(&bench.queue);
    let mut pager = tokio::spawn(async move { queue.drained().await });
    assert!(timeout(DELAY, &mut pager).await.is_err(), "nobody reads");
    bench.hear(&page).await;
    assert_eq!(pager.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn what_was_read_with_the_handshake_is_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (sender, mut calls) = unbounded_channel();
    let handler = Scripted {
        calls: sender,
        gate: Arc::new(Semaphore::new(0)),
    };
    let read_ahead = [client_frame(0x81, b"one"), client_frame(0x81, b"two")].concat();
    let queue = Arc::new(Queue::new(DEFAULT_QUEUE_BYTES));
    tokio::spawn(run(
        accepted.unwrap().0.into(),
        &read_ahead,
        queue,
        Limits::default(),
        handler,
    ));
    assert_eq!(calls.recv().await, Some(Called::Opened));
    assert_eq!(calls.recv().await, Some(Called::Text("one".to_owned())));
    assert_eq!(calls.recv().await, Some(Called::Text("two".to_owned())));
}

#[test]
fn an_idle_connection_is_small() {
    assert!(
        size_of::<Run<Arc<()>>>() <= 320,
        "{}",
        size_of::<Run<Arc<()>>>()
    );
    assert!(size_of::<Queue>() <= 192, "{}", size_of::<Queue>());
}
