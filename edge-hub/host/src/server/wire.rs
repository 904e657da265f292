//! The stream of a connection while hyper speaks HTTP on it.
//!
//! What hyper cannot parse it answers by itself, with a status and no body, and a head that does not come
//! in time with nothing at all. Every error of ours is JSON with a code, so its answers are held back
//! here, and told by ours.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use hyper::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::timeout,
};

use super::Refusal;
use crate::stream::Stream;

/// How long the last words of a connection may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Bytes that a peer may have sent ahead of our refusal. If they stayed unread, the system would take
/// the refusal back from one that has not read it yet.
const UNREAD_BYTES: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    /// Hyper's own answer, which was held back.
    automatic: Option<StatusCode>,
    /// Whether bytes came that were not answered.
    asked: bool,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            automatic: None,
            asked: false,
        }
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    /// Ends a connection on which everything was said.
    pub(super) async fn close(mut self) {
        // The peer may be gone.
        let _ = timeout(FAREWELL, self.stream.shutdown()).await;
    }

    /// Ends a connection that failed, and says why if the peer asked for something.
    pub(super) async fn refuse(mut self, timed_out: bool) {
        let refusal = match self.automatic {
            Some(StatusCode::BAD_REQUEST) => {
                let message = "the request is not HTTP as it should be";
                Refusal::new(StatusCode::BAD_REQUEST, "bad_request", message)
            }
            Some(_) => {
                let message = "the request has too many or too large headers";
                let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                Refusal::new(status, "head_too_large", message)
            }
            None if timed_out && self.asked => {
                let message = "the request did not come whole in time";
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).retry_after(1)
            }
            None => return,
        };
        let farewell = async {
            self.stream.write_all(&refusal.into_bytes()).await?;
            self.stream.shutdown().await?;
            let mut unread = (&mut self.stream).take(UNREAD_BYTES as u64);
            tokio::io::copy(&mut unread, &mut tokio::io::sink()).await
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Whether these bytes are an answer of hyper's own, which is held back then. It has a status and no
    /// header that says anything.
    fn holds_back(&mut self, bytes: &[u8]) -> bool {
        self.asked = false;
        let Some(status) = automatic(bytes) else {
            return false;
        };
        self.automatic = Some(status);
        true
    }
}

/// The status of an answer that hyper makes by itself.
fn automatic(head: &[u8]) -> Option<StatusCode> {
    let head = std::str::from_utf8(head.strip_suffix(b"\r\n\r\n")?).ok()?;
    let mut lines = head.split("\r\n");
    let (version, rest) = lines.next()?.split_once(' ')?;
    if !version.starts_with("HTTP/1.") {
        return None;
    }
    let status: u16 = rest.get(..3)?.parse().ok()?;
    let says_nothing = lines.all(|line| {
        line == "content-length: 0" || line == "connection: close" || line.starts_with("date: ")
    });
    let status = [
        StatusCode::BAD_REQUEST,
        StatusCode::URI_TOO_LONG,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    ]
    .into_iter()
    .find(|known| known.as_u16() == status);
    status.filter(|_| says_nothing)
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.asked |= buffer.filled().len() > before;
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.holds_back(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices
            && self.holds_back(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        self.asked = false;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_says_by_itself_is_held_back() {
        let own = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\
            content-length: 0\r\ndate: Thu, 26 Nov 2026 08:00:00 GMT\r\n\r\n";
        let status = Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_eq!(automatic(own.as_bytes()), status);
        for other in [
            own.replace("431", "404"),
            own.replace("date:", "vary: origin\r\ndate:"),
            own.replace("content-length: 0", "content-length: 2"),
            format!("{own}{{}}"),
            String::new(),
        ] {
            assert_eq!(automatic(other.as_bytes()), None, "{other}");
        }
    }
}
