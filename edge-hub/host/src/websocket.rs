//! The WebSocket protocol (RFC 6455) for a server of text messages, without input or output.
//!
//! A [`Decoder`] is fed with whatever bytes came and yields [`Message`]s; [`encode_text`] and its
//! siblings give the bytes to send. There are no extensions, so no compression, and no binary
//! messages. Whoever breaks the protocol is told by which [`Violation`], and with which close code
//! the connection has to end; a decoder that failed yields nothing more.

mod decoder;
mod encoder;

pub use decoder::Decoder;
pub use encoder::{encode_close, encode_ping, encode_pong, encode_text};

/// Close codes that this layer sends by itself; `protocol/codes.json` holds the whole table.
pub mod close_code {
    /// The peer closed without saying why.
    pub const NORMAL: u16 = 1000;
    /// The peer broke the WebSocket protocol.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// The peer sent a binary message.
    pub const TEXT_ONLY: u16 = 1003;
    /// A text or a close reason was not UTF-8.
    pub const BAD_UTF8: u16 = 1007;
    /// A message was larger than the limit.
    pub const FRAME_TOO_LARGE: u16 = 1009;
    /// The peer read too slowly and its queue was full.
    pub const SLOW_CONSUMER: u16 = 4501;
    /// The edge goes away.
    pub const DRAINING: u16 = 4502;
    /// The peer did not answer a ping.
    pub const IDLE: u16 = 4505;
}

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A whole text message, put together from its fragments.
    Text(String),
    /// To be answered with a pong of the same payload (at most 125 bytes).
    Ping(Vec<u8>),
    /// An answer to a ping; its payload does not matter here.
    Pong,
    /// The last message of a peer, with a code and a reason unless it gave none.
    Close(Option<CloseFrame>),
}

/// Code and reason of a close message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// One that may stand on the wire: 1000-1003, 1007-1014 or 3000-4999.
    pub code: u16,
    /// At most 123 bytes.
    pub reason: String,
}

/// How a peer broke the protocol. The sentence is sent to it as the reason of the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a reserved bit is set and no extension was agreed on")]
    ReservedBits,
    #[error("opcode {0} is reserved")]
    UnknownOpcode(u8),
    #[error("a client's frame must be masked")]
    Unmasked,
    #[error("the length is not in its shortest form")]
    LengthNotMinimal,
    #[error("the length has its highest bit set")]
    LengthOverflow,
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    #[error("a control frame is fragmented")]
    ControlFragmented,
    #[error("a continuation without a message to continue")]
    NothingToContinue,
    #[error("a message begins inside another one")]
    MessageInsideMessage,
    #[error("a close frame's payload is a single byte")]
    CloseTruncated,
    #[error("close code {0} must not be sent")]
    CloseCode(u16),
    #[error("only text messages are understood")]
    Binary,
    #[error("a text is not UTF-8")]
    TextNotUtf8,
    #[error("a close reason is not UTF-8")]
    ReasonNotUtf8,
    #[error("a message is larger than the limit")]
    TooLarge,
}

impl Violation {
    /// The code with which the connection has to be closed.
    pub fn close_code(self) -> u16 {
        match self {
            Self::ReservedBits
            | Self::UnknownOpcode(_)
            | Self::Unmasked
            | Self::LengthNotMinimal
            | Self::LengthOverflow
            | Self::ControlTooLong
            | Self::ControlFragmented
            | Self::NothingToContinue
            | Self::MessageInsideMessage
            | Self::CloseTruncated
            | Self::CloseCode(_) => close_code::PROTOCOL_ERROR,
            Self::Binary => close_code::TEXT_ONLY,
            Self::TextNotUtf8 | Self::ReasonNotUtf8 => close_code::BAD_UTF8,
            Self::TooLarge => close_code::FRAME_TOO_LARGE,
        }
    }
}

/// What a frame's header says it carries. Binary never gets this far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Text,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The longest payload of a control frame in bytes.
const CONTROL_BYTES: usize = 125;

#[cfg(test)]
pub(crate) mod tests;
