//! Bytes of a client to messages.

use super::{CONTROL_BYTES, CloseFrame, Message, Opcode, Violation};

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_BYTES: usize = 14;

/// Turns the bytes of one client into messages. It keeps nothing but an unfinished header and the
/// payload of an unfinished message, so an idle one owns no heap memory.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The unfinished message's text so far; the first `checked` bytes are whole UTF-8 characters.
    text: Vec<u8>,
    checked: usize,
    /// A message has begun and its last fragment has not.
    in_message: bool,
    /// The payload of an unfinished control frame, which may come between two fragments.
    control: Vec<u8>,
    message_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Header(Header),
    Payload(Payload),
    /// After a close message or a violation nothing more is read.
    Finished,
}

impl Decoder {
    /// `message_bytes` is the largest message in bytes, over all its fragments.
    pub fn new(message_bytes: usize) -> Self {
        Self {
            state: State::Header(Header::default()),
            text: Vec::new(),
            checked: 0,
            in_message: false,
            control: Vec::new(),
            message_bytes,
        }
    }

    /// Reads `input`, unmasking it in place, up to the end of one message, and says how many bytes
    /// that took. Without a message all of `input` was taken.
    ///
    /// # Errors
    /// The peer broke the protocol. From then on input is swallowed and yields nothing.
    pub fn decode(&mut self, input: &mut [u8]) -> Result<(usize, Option<Message>), Violation> {
        let outcome = self.advance(input);
        if matches!(outcome, Err(_) | Ok((_, Some(Message::Close(_))))) {
            self.state = State::Finished;
            self.text = Vec::new();
            self.control = Vec::new();
        }
        outcome
    }

    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Message>), Violation> {
        let mut at = 0;
        loop {
            match &mut self.state {
                State::Finished => return Ok((input.len(), None)),
                State::Header(header) => {
                    let Some(&byte) = input.get(at) else {
                        return Ok((at, None));
                    };
                    at += 1;
                    if let Some(payload) = header.push(byte, self.in_message, || {
                        self.message_bytes.saturating_sub(self.text.len())
                    })? {
                        self.state = State::Payload(payload);
                    }
                }
                State::Payload(payload) => {
                    let length = payload.left.min(input.len() - at);
                    let piece = &mut input[at..at + length];
                    payload.unmask(piece);
                    at += length;
                    let Payload {
                        opcode, fin, left, ..
                    } = *payload;
                    let whole = left == 0;
                    if opcode.is_control() {
                        self.control.extend_from_slice(piece);
                    } else {
                        self.text.extend_from_slice(piece);
                        if !(whole && fin) {
                            self.check_text()?;
                        }
                    }
                    if !whole {
                        return Ok((at, None));
                    }
                    self.state = State::Header(Header::default());
                    if let Some(message) = self.finish(opcode, fin)? {
                        return Ok((at, Some(message)));
                    }
                }
            }
        }
    }

    /// Refuses a text as soon as no continuation could make it UTF-8.
    fn check_text(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.text[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::TextNotUtf8),
        }
        Ok(())
    }

    fn finish(&mut self, opcode: Opcode, fin: bool) -> Result<Option<Message>, Violation> {
        match opcode {
            Opcode::Text | Opcode::Continuation => {
                self.in_message = !fin;
                if !fin {
                    return Ok(None);
                }
                self.checked = 0;
                String::from_utf8(std::mem::take(&mut self.text))
                    .map(|text| Some(Message::Text(text)))
                    .map_err(|_| Violation::TextNotUtf8)
            }
            Opcode::Ping => Ok(Some(Message::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Message::Pong))
            }
            Opcode::Close => close_message(&self.control).map(Some),
        }
    }
}

/// A header as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
struct Header {
    bytes: [u8; HEADER_BYTES],
    length: u8,
}

impl Header {
    /// Takes one more byte and refuses the frame at the first byte that allows it. Gives the
    /// payload to expect once the header is whole. `room` is how many bytes a message may still
    /// grow by.
    fn push(
        &mut self,
        byte: u8,
        in_message: bool,
        room: impl FnOnce() -> usize,
    ) -> Result<Option<Payload>, Violation> {
        let at = usize::from(self.length);
        self.bytes[at] = byte;
        self.length += 1;
        match at {
            0 => return self.check_first_byte(in_message).map(|()| None),
            1 => self.check_second_byte()?,
            _ => {}
        }
        let length_end = match self.bytes[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        if at + 1 == length_end {
            self.check_length(length_end, room())?;
        }
        if at + 1 < length_end + 4 {
            return Ok(None);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.bytes[length_end..length_end + 4]);
        Ok(Some(Payload {
            opcode: self.opcode()?,
            fin: self.fin(),
            mask,
            left: self.payload_bytes(length_end) as usize,
        }))
    }

    fn check_first_byte(&self, in_message: bool) -> Result<(), Violation> {
        if self.bytes[0] & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let begins = self.bytes[0] & 0x0f;
        if matches!(begins, 1 | 2) && in_message {
            return Err(Violation::MessageInsideMessage);
        }
        let opcode = self.opcode()?;
        if opcode.is_control() && !self.fin() {
            return Err(Violation::ControlFragmented);
        }
        if opcode == Opcode::Continuation && !in_message {
            return Err(Violation::NothingToContinue);
        }
        Ok(())
    }

    fn check_second_byte(&self) -> Result<(), Violation> {
        if self.bytes[1] & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        if self.opcode()?.is_control() && usize::from(self.bytes[1] & 0x7f) > CONTROL_BYTES {
            return Err(Violation::ControlTooLong);
        }
        Ok(())
    }

    fn check_length(&self, length_end: usize, room: usize) -> Result<(), Violation> {
        let bytes = self.payload_bytes(length_end);
        match length_end {
            4 if bytes < 126 => return Err(Violation::LengthNotMinimal),
            10 if bytes <= u64::from(u16::MAX) => return Err(Violation::LengthNotMinimal),
            10 if bytes > i64::MAX as u64 => return Err(Violation::LengthOverflow),
            _ => {}
        }
        if !self.opcode()?.is_control() && bytes > room as u64 {
            return Err(Violation::TooLarge);
        }
        Ok(())
    }

    fn fin(&self) -> bool {
        self.bytes[0] & 0x80 != 0
    }

    fn opcode(&self) -> Result<Opcode, Violation> {
        match self.bytes[0] & 0x0f {
            0 => Ok(Opcode::Continuation),
            1 => Ok(Opcode::Text),
            2 => Err(Violation::Binary),
            8 => Ok(Opcode::Close),
            9 => Ok(Opcode::Ping),
            10 => Ok(Opcode::Pong),
            reserved => Err(Violation::UnknownOpcode(reserved)),
        }
    }

    fn payload_bytes(&self, length_end: usize) -> u64 {
        match length_end {
            2 => u64::from(self.bytes[1] & 0x7f),
            _ => self.bytes[2..length_end]
                .iter()
                .fold(0, |length, &byte| length << 8 | u64::from(byte)),
        }
    }
}

/// A payload as far as it was not read.
#[derive(Debug, Clone, Copy)]
struct Payload {
    opcode: Opcode,
    fin: bool,
    /// Turned so that its first byte belongs to the next byte of the payload.
    mask: [u8; 4],
    left: usize,
}

impl Payload {
    fn unmask(&mut self, piece: &mut [u8]) {
        let (words, rest) = piece.as_chunks_mut::<4>();
        let mask = u32::from_ne_bytes(self.mask);
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ mask).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(rest.len());
        self.left -= piece.len();
    }
}

fn close_message(payload: &[u8]) -> Result<Message, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(Message::Close(None)),
            _ => Err(Violation::CloseTruncated),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCode(code));
    }
    let reason = str::from_utf8(reason).map_err(|_| Violation::ReasonNotUtf8)?;
    Ok(Message::Close(Some(CloseFrame {
        code,
        reason: reason.to_owned(),
    })))
}
