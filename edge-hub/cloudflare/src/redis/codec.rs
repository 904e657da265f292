//! Commands as bytes, and bytes as replies: RESP 2.

use super::RedisError;
use clustertalk_core::redis::Value;
use redis_protocol::resp2::{decode::decode, types::OwnedFrame};

/// Bytes that one reply may have; a page of a log is far below. Beyond it the peer is no Redis of ours.
const MOST: usize = 8 << 20;

pub fn pack<'a>(command: &'a [u8], arguments: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len() + 1).into_bytes();
    for part in std::iter::once(command).chain(arguments) {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// A command whose parts are text, its name first.
pub fn pack_text(command: &[String]) -> Vec<u8> {
    let (name, arguments) = command
        .split_first()
        .map_or((&[][..], &[][..]), |(name, rest)| (name.as_bytes(), rest));
    pack(name, arguments.iter().map(|part| part.as_bytes()))
}

/// Takes bytes as they come and yields whole replies.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub fn next(&mut self) -> Result<Option<OwnedFrame>, RedisError> {
        let malformed = |reason: String| RedisError::Malformed(reason);
        let found = decode(&self.bytes).map_err(|error| malformed(error.to_string()))?;
        match found {
            Some((frame, length)) => {
                self.bytes.drain(..length);
                Ok(Some(frame))
            }
            None if self.bytes.len() > MOST => Err(malformed("a reply without an end".to_owned())),
            None => Ok(None),
        }
    }
}

/// The elements of a reply, one after the other; an error, wherever it stands, is that of the reply.
pub fn flatten(frame: OwnedFrame) -> Result<Vec<Value>, RedisError> {
    let mut values = Vec::new();
    flatten_into(frame, &mut values)?;
    Ok(values)
}

fn flatten_into(frame: OwnedFrame, values: &mut Vec<Value>) -> Result<(), RedisError> {
    match frame {
        OwnedFrame::SimpleString(bytes) | OwnedFrame::BulkString(bytes) => {
            values.push(Value::Bytes(bytes));
        }
        OwnedFrame::Integer(number) => values.push(Value::Integer(number)),
        OwnedFrame::Null => values.push(Value::Nil),
        OwnedFrame::Error(sentence) => return Err(RedisError::Refused(sentence)),
        OwnedFrame::Array(frames) => {
            for frame in frames {
                flatten_into(frame, values)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_the_same_wherever_it_is_cut() {
        let bytes = b"*3\r\n$5\r\nhello\r\n:42\r\n*2\r\n$-1\r\n+OK\r\n-ERR no\r\n";
        for cut in 0..bytes.len() {
            let mut decoder = Decoder::default();
            let mut frames = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(frame) = decoder.next().unwrap() {
                    frames.push(frame);
                }
            }
            let mut frames = frames.into_iter();
            let values = flatten(frames.next().unwrap()).unwrap();
            let text = |text: &str| Value::Bytes(text.as_bytes().to_vec());
            assert_eq!(
                values,
                [text("hello"), Value::Integer(42), Value::Nil, text("OK")]
            );
            let error = flatten(frames.next().unwrap()).unwrap_err();
            assert_eq!(error.code(), Some("ERR"), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_reply_ends_the_connection() {
        let mut decoder = Decoder::default();
        decoder.push(b"HTTP/1.1 400 Bad Request\r\n");
        assert!(matches!(decoder.next(), Err(RedisError::Malformed(_))));
    }

    #[test]
    fn a_command_may_hold_any_bytes() {
        let packed = pack(b"SET", [&b"key"[..], &b"a\r\nb"[..]].into_iter());
        assert_eq!(packed, b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\na\r\nb\r\n");
        assert_eq!(pack_text(&["PING".to_owned()]), b"*1\r\n$4\r\nPING\r\n");
    }
}
