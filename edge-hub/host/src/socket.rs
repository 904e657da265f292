//! One connection after its handshake: a task that reads frames, hands them to a [`Handler`] one
//! at a time, and meanwhile writes what others put into its [`Queue`].
//!
//! - **One event in flight**: while a handler's call runs no further frame is read, so a peer that
//!   sends faster than it is served fills its own socket and nothing here. A call is never
//!   cancelled: if the connection is lost meanwhile, `closed` comes after it.
//! - **Idle is small**: reading goes through one buffer a thread, and a connection owns heap memory
//!   only for an unfinished frame, a running call, frames that wait, and a deadline that it asked
//!   for.
//! - **Pings**: the [`Registry`](crate::server::Registry) sweeps over all connections; there is no
//!   timer a connection.
//! - **The end**: whoever closes first, what was queued and a close frame are written, then the
//!   socket is half closed and read until the peer is done, within bounds of time and bytes.

mod deadlines;
mod input;

use std::{
    future::Future,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{io::AsyncWrite, time::Instant};

use self::{
    deadlines::{Deadline, Deadlines},
    input::{Input, Received, poll_discard},
};
use crate::{
    queue::{self, BATCH_FRAMES, Queue},
    stream::Stream,
    websocket::close_code,
};

/// The application's half of a connection. The calls never overlap; the order is `opened`, any
/// number of `text` and `woken`, then `closed`. Frames are sent, and the connection is closed, by
/// its [`Queue`], also from within a call.
pub trait Handler: Send + 'static {
    /// The first call, before anything is read.
    fn opened(&mut self) -> impl Future<Output = Next> + Send;

    /// One whole text message. Nothing more is read until this is done.
    fn text(&mut self, text: String) -> impl Future<Output = Next> + Send;

    /// [`Queue::nudge`] was called or the time of [`Next::wake_at`] has come.
    fn woken(&mut self) -> impl Future<Output = Next> + Send;

    /// The last call, once the socket is gone. It is left out only if a call panicked.
    fn closed(self, cause: Cause) -> impl Future<Output = ()> + Send;
}

/// How a connection goes on after a call of its handler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Next {
    /// Frames are read again after this time: zero, or how far over its rate the peer is.
    pub read_after: Duration,
    /// Call [`Handler::woken`] at this time in place of the one asked for before; `None` leaves
    /// that as it is.
    pub wake_at: Option<Instant>,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The peer closed, perhaps with a code.
    Peer(Option<u16>),
    /// The peer was gone without a close frame.
    Lost,
    /// This side closed with this code: for a violation of the protocol, or by the queue.
    Host(u16),
}

/// Bounds of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest text message in bytes, over all its fragments; at it the connection is closed
    /// with 1009. 16 KiB.
    pub message_bytes: usize,
    /// How long a closing connection may take to send what was queued and to hear the peer's end;
    /// then it is reset. 2 s.
    pub closing_time: Duration,
    /// How many bytes a closing connection reads past; then it is reset, and
    /// may not see why it was closed. 1 MiB.
    pub closing_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 16 * 1024,
            closing_time: Duration::from_secs(2),
            closing_bytes: 1024 * 1024,
        }
    }
}

/// Serves a connection whose handshake is done until it has ended, and says why it did.
/// `read_ahead` is what came after the handshake and was read with it.
pub fn run<H: Handler>(
    stream: Stream,
    read_ahead: &[u8],
    queue: Arc<Queue>,
    limits: Limits,
    handler: H,
) -> Run<H> {
    Run {
        link: Link::Open(stream),
        queue,
        input: Input::new(limits.message_bytes, read_ahead),
        work: Work::Running(call(handler, Event::Opened)),
        deadlines: Deadlines::default(),
        cause: None,
        discard: limits.closing_bytes,
        closing_time: limits.closing_time,
    }
}

/// The future of [`run`]. Hand written, since an `async fn` would keep room for its largest step
/// in each idle connection.
#[must_use = "futures do nothing unless polled"]
pub struct Run<H> {
    link: Link,
    queue: Arc<Queue>,
    input: Input,
    work: Work<H>,
    deadlines: Deadlines,
    /// Known from the moment that the end begins.
    cause: Option<Cause>,
    /// Bytes that may still be read past while closing.
    discard: usize,
    closing_time: Duration,
}

// Nothing in it is pinned in place: the handler's calls are boxed.
impl<H> Unpin for Run<H> {}

/// How far the connection has got.
enum Link {
    Open(Stream),
    /// A close frame is queued. What the peer says no longer counts.
    Flushing {
        stream: Stream,
        peer_ended: bool,
    },
    /// Everything is written and the write half shut.
    Lingering(Stream),
    Gone,
}

type Call<H> = Pin<Box<dyn Future<Output = (H, Next)> + Send>>;

enum Work<H> {
    Idle(H),
    Running(Call<H>),
    Leaving(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// While the handler moves from one of the others to the next.
    Moving,
}

/// Whether a step left something for another round.
#[derive(PartialEq, Eq)]
enum Step {
    Again,
    Waiting,
}

impl<H: Handler> Future for Run<H> {
    type Output = Cause;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Cause> {
        loop {
            let nudged = match self.write(context) {
                Ok(nudged) => nudged,
                Err(_) => {
                    self.lose();
                    false
                }
            };
            if let Work::Leaving(leaving) = &mut self.work {
                ready!(leaving.as_mut().poll(context));
                return Poll::Ready(self.cause.unwrap_or(Cause::Lost));
            }
            let mut step = self.work(context, nudged);
            match self.read(context) {
                Ok(Step::Again) => step = Step::Again,
                Ok(Step::Waiting) => {}
                Err(_) => {
                    self.lose();
                    step = Step::Again;
                }
            }
            if let Some(due) = self.deadlines.poll(context) {
                self.deadline(due);
                step = Step::Again;
            }
            if step == Step::Waiting {
                return Poll::Pending;
            }
        }
    }
}

impl<H: Handler> Run<H> {
    /// Writes what is queued as far as the kernel takes it. Tells whether there was a nudge.
    fn write(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        loop {
            let (Link::Open(stream) | Link::Flushing { stream, .. }) = &mut self.link else {
                return Ok(false);
            };
            let mut batch = [const { Bytes::new() }; BATCH_FRAMES];
            let outgoing = self.queue.outgoing(context.waker(), &mut batch);
            let mut flushed = false;
            if outgoing.frames == 0 {
                flushed = Pin::new(stream).poll_flush(context)?.is_ready();
            } else {
                let slices: [IoSlice<'_>; BATCH_FRAMES] =
                    std::array::from_fn(|at| IoSlice::new(&batch[at]));
                let slices = &slices[..outgoing.frames];
                let outcome = Pin::new(stream).poll_write_vectored(context, slices);
                self.queue.written(match outcome {
                    Poll::Ready(Ok(bytes)) => bytes,
                    Poll::Pending | Poll::Ready(Err(_)) => 0,
                });
                if let Poll::Ready(outcome) = outcome {
                    outcome?;
                    continue;
                }
            }
            if let queue::Phase::Closing(code) = outgoing.phase {
                self.begin_closing(Cause::Host(code));
                if flushed {
                    self.flushed(context)?;
                }
            }
            return Ok(outgoing.nudged);
        }
    }

    /// Goes on with the handler's call, or begins the next that does not come from a frame.
    fn work(&mut self, context: &mut Context<'_>, nudged: bool) -> Step {
        match &mut self.work {
            Work::Running(call) => {
                let Poll::Ready((handler, next)) = call.as_mut().poll(context) else {
                    return Step::Waiting;
                };
                self.work = Work::Idle(handler);
                if matches!(self.link, Link::Open(_)) {
                    // The peer may have answered a ping while nothing was read.
                    self.queue.heard();
                    let read_at =
                        (!next.read_after.is_zero()).then(|| Instant::now() + next.read_after);
                    self.deadlines.set(Deadline::Read, read_at);
                    if next.wake_at.is_some() {
                        self.deadlines.set(Deadline::Wake, next.wake_at);
                    }
                }
                Step::Again
            }
            Work::Idle(_) if matches!(self.link, Link::Gone) => {
                let cause = self.cause.unwrap_or(Cause::Lost);
                if let Work::Idle(handler) = mem::replace(&mut self.work, Work::Moving) {
                    self.work = Work::Leaving(Box::pin(handler.closed(cause)));
                }
                Step::Again
            }
            Work::Idle(_) if nudged && matches!(self.link, Link::Open(_)) => {
                self.queue.take_nudge();
                self.begin(Event::Woken);
                Step::Again
            }
            Work::Idle(_) | Work::Leaving(_) | Work::Moving => Step::Waiting,
        }
    }

    /// Reads one message if it is the peer's turn, or past what a closing peer still says.
    fn read(&mut self, context: &mut Context<'_>) -> io::Result<Step> {
        match &mut self.link {
            Link::Open(stream) => {
                if !matches!(self.work, Work::Idle(_)) || self.deadlines.is_set(Deadline::Read) {
                    return Ok(Step::Waiting);
                }
                let Poll::Ready(received) = self.input.poll_receive(stream, &self.queue, context)
                else {
                    return Ok(Step::Waiting);
                };
                self.received(received?);
            }
            Link::Flushing {
                peer_ended: true, ..
            }
            | Link::Gone => return Ok(Step::Waiting),
            Link::Flushing { stream, peer_ended } => {
                if poll_discard(stream, &mut self.discard, context)?.is_pending() {
                    return Ok(Step::Waiting);
                }
                *peer_ended = true;
            }
            Link::Lingering(stream) => {
                if poll_discard(stream, &mut self.discard, context)?.is_pending() {
                    return Ok(Step::Waiting);
                }
                self.lose();
            }
        }
        Ok(Step::Again)
    }

    fn received(&mut self, received: Received) {
        match received {
            Received::Text(text) => self.begin(Event::Text(text)),
            Received::Close(code) => {
                self.begin_closing(Cause::Peer(code));
                self.queue
                    .close_with(code.unwrap_or(close_code::NORMAL), "");
            }
            Received::Violation(violation) => {
                self.queue
                    .close_with(violation.close_code(), &violation.to_string());
            }
            Received::PingFlood => {
                self.deadlines
                    .set(Deadline::Read, Some(Instant::now() + PING_FLOOD_PAUSE));
            }
            Received::End => self.lose(),
        }
    }

    fn begin(&mut self, event: Event) {
        self.work = match mem::replace(&mut self.work, Work::Moving) {
            Work::Idle(handler) => Work::Running(call(handler, event)),
            busy => busy,
        };
    }

    fn begin_closing(&mut self, cause: Cause) {
        self.link = match mem::replace(&mut self.link, Link::Gone) {
            Link::Open(stream) => {
                self.cause = Some(cause);
                self.input.free();
                self.deadlines.clear();
                self.deadlines
                    .set(Deadline::Close, Some(Instant::now() + self.closing_time));
                Link::Flushing {
                    stream,
                    peer_ended: false,
                }
            }
            closing => closing,
        };
    }

    /// The close frame is written: nothing follows it.
    fn flushed(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match mem::replace(&mut self.link, Link::Gone) {
            Link::Flushing {
                mut stream,
                peer_ended: false,
            } => {
                // TLS says at its end that nothing was cut off, and may have to wait for that.
                self.link = match Pin::new(&mut stream).poll_shutdown(context)? {
                    Poll::Ready(()) => Link::Lingering(stream),
                    Poll::Pending => Link::Flushing {
                        stream,
                        peer_ended: false,
                    },
                };
            }
            Link::Flushing {
                peer_ended: true, ..
            } => self.lose(),
            other => self.link = other,
        }
        Ok(())
    }

    fn deadline(&mut self, due: Deadline) {
        match due {
            // The peer may have answered a ping while nothing was read.
            Deadline::Read => self.queue.heard(),
            Deadline::Wake => self.queue.nudge(),
            Deadline::Close => {
                if let Link::Flushing { stream, .. } | Link::Lingering(stream) = &self.link {
                    // What the peer did not take would otherwise stay in the kernel for minutes.
                    let _ = SockRef::from(stream.tcp()).set_linger(Some(Duration::ZERO));
                }
                self.lose();
            }
        }
    }

    /// Gives the socket back. Nothing can be sent or received any more.
    fn lose(&mut self) {
        self.link = Link::Gone;
        self.cause.get_or_insert(Cause::Lost);
        self.input.free();
        self.deadlines.clear();
        self.queue.end();
    }
}

/// After [`input::PING_BURST`] pings in a row, so that answering them costs little.
const PING_FLOOD_PAUSE: Duration = Duration::from_secs(1);

enum Event {
    Opened,
    Text(String),
    Woken,
}

fn call<H: Handler>(mut handler: H, event: Event) -> Call<H> {
    Box::pin(async move {
        let next = match event {
            Event::Opened => handler.opened().await,
            Event::Text(text) => handler.text(text).await,
            Event::Woken => handler.woken().await,
        };
        (handler, next)
    })
}

#[cfg(test)]
mod tests;
