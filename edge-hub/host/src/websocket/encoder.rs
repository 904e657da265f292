//! Messages of a server to bytes. Each is one whole frame, ready to be shared by many sockets.

use bytes::Bytes;

use super::CONTROL_BYTES;

const FIN: u8 = 0x80;

/// A text message as one frame. Encode once, then send clones of it to any number of sockets.
pub fn encode_text(text: &str) -> Bytes {
    frame(1, &[text.as_bytes()])
}

/// A ping. A payload over 125 bytes is cut.
pub fn encode_ping(payload: &[u8]) -> Bytes {
    frame(9, &[&payload[..payload.len().min(CONTROL_BYTES)]])
}

/// The answer to a ping with this payload. A payload over 125 bytes is cut.
pub fn encode_pong(payload: &[u8]) -> Bytes {
    frame(10, &[&payload[..payload.len().min(CONTROL_BYTES)]])
}

/// The last frame of a connection. A reason over 123 bytes is cut at a character.
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let end = reason.floor_char_boundary(CONTROL_BYTES - 2);
    frame(8, &[&code.to_be_bytes(), &reason.as_bytes()[..end]])
}

fn frame(opcode: u8, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = Vec::with_capacity(length + 10);
    frame.push(FIN | opcode);
    if length < 126 {
        frame.push(length as u8);
    } else if let Ok(length) = u16::try_from(length) {
        frame.push(126);
        frame.extend_from_slice(&length.to_be_bytes());
    } else {
        frame.push(127);
        frame.extend_from_slice(&(length as u64).to_be_bytes());
    }
    for part in parts {
        frame.extend_from_slice(part);
    }
    Bytes::from(frame.into_boxed_slice())
}
