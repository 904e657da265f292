//! Reading: one buffer a thread, and of each connection only what it did not finish.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use crate::{
    queue::Queue,
    stream::Stream,
    websocket::{CloseFrame, Decoder, Message, Violation, encode_pong},
};

/// Pings answered in a row, without a text between them, before reading pauses.
pub(super) const PING_BURST: u8 = 100;

/// Bytes read at once.
const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());
}

/// What a connection has to act on.
pub(super) enum Received {
    Text(String),
    /// The peer closed, with this code if it gave one.
    Close(Option<u16>),
    Violation(Violation),
    /// More than [`PING_BURST`] pings in a row.
    PingFlood,
    /// The peer sends nothing more.
    End,
}

pub(super) struct Input {
    decoder: Decoder,
    /// What was read beyond the last message.
    tail: BytesMut,
    pings: u8,
}

impl Input {
    pub(super) fn new(message_bytes: usize, read_ahead: &[u8]) -> Self {
        Self {
            decoder: Decoder::new(message_bytes),
            tail: BytesMut::from(read_ahead),
            pings: 0,
        }
    }

    /// Reads up to the next thing to act on. Pings are answered on the way.
    pub(super) fn poll_receive(
        &mut self,
        stream: &mut Stream,
        queue: &Queue,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Received>> {
        if !self.tail.is_empty() {
            let mut tail = std::mem::take(&mut self.tail);
            let (used, received) = self.decode(&mut tail, queue);
            if used < tail.len() {
                tail.advance(used);
                self.tail = tail;
            }
            if let Some(received) = received {
                return Poll::Ready(Ok(received));
            }
        }
        SCRATCH.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                let input = buffer.filled_mut();
                if input.is_empty() {
                    return Poll::Ready(Ok(Received::End));
                }
                queue.heard();
                let (used, received) = self.decode(input, queue);
                if used < input.len() {
                    self.tail = BytesMut::from(&input[used..]);
                }
                if let Some(received) = received {
                    return Poll::Ready(Ok(received));
                }
            }
        })
    }

    /// Gives back what was read: it no longer counts.
    pub(super) fn free(&mut self) {
        self.tail = BytesMut::new();
        self.decoder = Decoder::new(0);
    }

    /// Decodes up to the next thing to act on and says how many bytes that took.
    fn decode(&mut self, input: &mut [u8], queue: &Queue) -> (usize, Option<Received>) {
        let mut at = 0;
        while at < input.len() {
            let (used, message) = match self.decoder.decode(&mut input[at..]) {
                Ok(decoded) => decoded,
                Err(violation) => return (input.len(), Some(Received::Violation(violation))),
            };
            at += used;
            let received = match message {
                Some(Message::Text(text)) => {
                    self.pings = 0;
                    Received::Text(text)
                }
                Some(Message::Close(frame)) => {
                    Received::Close(frame.map(|CloseFrame { code, .. }| code))
                }
                Some(Message::Ping(payload)) => {
                    // A queue that cannot take it has closed the connection by itself.
                    let _ = queue.push(encode_pong(&payload));
                    self.pings += 1;
                    if self.pings < PING_BURST {
                        continue;
                    }
                    self.pings = 0;
                    Received::PingFlood
                }
                Some(Message::Pong) | None => continue,
            };
            return (at, Some(received));
        }
        (at, None)
    }
}

/// Reads past what a closing peer sends; ready once it sends no more.
///
/// # Errors
/// The connection is broken, or the peer sent more than `left` bytes.
pub(super) fn poll_discard(
    stream: &mut Stream,
    left: &mut usize,
    context: &mut Context<'_>,
) -> io::Result<Poll<()>> {
    SCRATCH.with_borrow_mut(|scratch| {
        loop {
            let mut buffer = ReadBuf::new(scratch);
            if Pin::new(&mut *stream)
                .poll_read(context, &mut buffer)?
                .is_pending()
            {
                return Ok(Poll::Pending);
            }
            let length = buffer.filled().len();
            if length == 0 {
                return Ok(Poll::Ready(()));
            }
            *left = left
                .checked_sub(length)
                .ok_or(io::ErrorKind::FileTooLarge)?;
        }
    })
}
