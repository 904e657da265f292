//! What components write to standard error, as lines of the host's log.
//!
//! A component is not trusted with the log: a line is escaped, so that none can look like another
//! event; a call has so many bytes, and a component so many lines a second.

use std::{
    io, mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// Bytes that one call may write; the rest is counted only.
const CALL_BYTES: usize = 4 * 1024;
/// Bytes of one line; a longer one is broken.
const LINE_BYTES: usize = 1024;
/// Lines a second that a component may write for long, and at once after a pause.
const LINES_PER_SECOND: f64 = 10.0;
const BURST: f64 = 50.0;

/// Standard error of a component, over all its calls.
pub(crate) struct Stderr {
    component: String,
    bucket: Mutex<Bucket>,
}

/// Lines that may be logged now, and how many were not.
struct Bucket {
    lines: f64,
    filled: Instant,
    left_out: u64,
}

impl Bucket {
    /// How many lines were left out since the last one, if this one may be logged.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.lines = (self.lines + passed * LINES_PER_SECOND).min(BURST);
        self.filled = now;
        if self.lines < 1.0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1.0;
        Some(mem::take(&mut self.left_out))
    }
}

impl Stderr {
    pub fn new(component: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            component: component.into(),
            bucket: Mutex::new(Bucket {
                lines: BURST,
                filled: Instant::now(),
                left_out: 0,
            }),
        })
    }

    /// Standard error of one call. What is left of it when the call is dropped is logged then.
    pub fn of_call(self: &Arc<Self>) -> CallStderr {
        CallStderr(Arc::new(Mutex::new(Written {
            stderr: Arc::clone(self),
            line: Vec::new(),
            bytes: 0,
        })))
    }

    fn log(&self, line: &[u8]) {
        let taken = lock(&self.bucket).take(Instant::now());
        let Some(left_out) = taken else { return };
        let component = self.component.as_str();
        if left_out > 0 {
            tracing::warn!(target: TARGET, component, left_out, "the component wrote more than is logged");
        }
        let line = escaped(&String::from_utf8_lossy(line));
        tracing::warn!(target: TARGET, component, line, "the component wrote");
    }
}

/// Of its own, so that it can be silenced: `clustertalk_component=off`.
const TARGET: &str = "clustertalk_component";

/// One line, whatever it was: what could end it, colour it, hide or turn around what follows is
/// shown as a sign for it.
fn escaped(line: &str) -> String {
    let shown = |letter: char| match letter {
        '\t' => ' ',
        // Unicode has a picture of each.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + letter as u32).unwrap_or('?'),
        '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    line.chars().map(shown).collect()
}

/// What one call has written.
struct Written {
    stderr: Arc<Stderr>,
    /// The line that has not ended.
    line: Vec<u8>,
    bytes: usize,
}

impl Written {
    fn write(&mut self, bytes: &[u8]) {
        let left = CALL_BYTES.saturating_sub(self.bytes);
        self.bytes = self.bytes.saturating_add(bytes.len());
        for byte in &bytes[..bytes.len().min(left)] {
            match byte {
                b'\n' => self.end_line(),
                byte => self.line.push(*byte),
            }
            if self.line.len() >= LINE_BYTES {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        let line = mem::take(&mut self.line);
        if !line.trim_ascii().is_empty() {
            self.stderr.log(line.trim_ascii_end());
        }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.end_line();
        if self.bytes > CALL_BYTES {
            let more = format!("… and {} bytes more", self.bytes - CALL_BYTES);
            self.stderr.log(more.as_bytes());
        }
    }
}

/// Standard error of one call, to be given to WASI.
#[derive(Clone)]
pub(crate) struct CallStderr(Arc<Mutex<Written>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IsTerminal for CallStderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for CallStderr {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for CallStderr {
    async fn ready(&mut self) {}
}

impl OutputStream for CallStderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        lock(&self.0).write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES)
    }
}

impl AsyncWrite for CallStderr {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracing::subscriber::with_default;

    use super::*;

    /// The lines of the log while something runs.
    fn logged(run: impl FnOnce()) -> Vec<String> {
        #[derive(Clone, Default)]
        struct Log(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Log {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                lock(&self.0).extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        with_default(subscriber, run);
        let text = String::from_utf8(lock(&log.0).clone()).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_component_cannot_forge_an_event() {
        let lines = logged(|| {
            let mut call = Stderr::new("hub").of_call();
            let written = "one\r\u{1b}[2K ERROR all is lost\u{2028}\u{202e}two\nthree\n\n \nfo";
            OutputStream::write(&mut call, Bytes::from_static(written.as_bytes()))
                .expect("a write");
            OutputStream::write(&mut call, Bytes::from_static(b"ur\xff")).expect("a write");
        });
        let said: Vec<&str> = lines
            .iter()
            .map(|line| line.split_once(" line=").expect("a line").1)
            .collect();
        assert_eq!(
            said,
            [
                "\"one␍␛[2K ERROR all is lost\u{fffd}\u{fffd}two\"",
                "\"three\"",
                "\"four\u{fffd}\""
            ]
        );
        for line in lines {
            let begins = r#" WARN clustertalk_component: the component wrote component="hub" "#;
            assert!(line.starts_with(begins), "{line}");
        }
    }

    #[test]
    fn a_call_has_so_many_bytes() {
        let lines = logged(|| {
            let mut call = Stderr::new("hub").of_call();
            let much = Bytes::from("x".repeat(CALL_BYTES));
            for _ in 0..3 {
                OutputStream::write(&mut call, much.clone()).expect("a write");
            }
        });
        assert_eq!(lines.len(), CALL_BYTES / LINE_BYTES + 1, "{lines:?}");
        let last = lines.last().expect("a line");
        assert!(last.contains("… and 8192 bytes more"), "{last}");
    }

    #[test]
    fn a_component_has_so_many_lines_a_second() {
        let began = Instant::now();
        let mut bucket = Bucket {
            lines: BURST,
            filled: began,
            left_out: 0,
        };
        let taken = (0..80).filter(|_| bucket.take(began).is_some()).count();
        assert_eq!(taken, BURST as usize);
        let later = began + Duration::from_secs(1);
        assert_eq!(bucket.take(later), Some(30));
        assert_eq!(bucket.take(later), Some(0));
    }
}
