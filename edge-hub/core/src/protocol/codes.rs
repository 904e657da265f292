//! Error and close codes.
//!
//! Generated from `edge-hub/protocol/codes.json` by `cargo xtask codegen`; change it there.

use serde::{Deserialize, Serialize};

/// Whether it helps to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    Never,
    Now,
    Backoff,
}

/// The stable code of an error frame or an HTTP error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame is not valid JSON.
    BadJson,
    /// The frame does not have the fields that its type needs.
    BadFrame,
    /// The frame's type is not known.
    UnknownType,
    /// The text or frame is larger than the announced limit.
    TooLarge,
    /// The JSON is nested too deeply.
    TooDeep,
    /// The room name is not of the form [a-z0-9][a-z0-9_-]{0,63}.
    BadRoom,
    /// The id is not of the form [A-Za-z0-9._@|:+-]{1,64}.
    BadId,
    /// The user name is not of the form [A-Za-z0-9._@|:+-]{1,64}.
    BadUser,
    /// The first frame must be hello.
    HelloFirst,
    /// Hello was already said on this connection.
    AlreadyHello,
    /// The connection has not joined this room.
    NotJoined,
    /// The connection or the server has as many rooms as it may have.
    TooManyRooms,
    /// Too many messages; wait for retry_after_ms.
    RateLimited,
    /// Moderation refused the message.
    Blocked,
    /// The user is banned from this room.
    Banned,
    /// The user may only read in this room.
    Muted,
    /// The room is archived and takes no messages.
    Archived,
    /// The room is in slow mode; wait for retry_after_ms.
    SlowMode,
    /// There is a room of this name already.
    RoomExists,
    /// As many users are listed in the room as may be.
    RoomFull,
    /// The position belongs to another message.
    StaleTarget,
    /// There is no such message any more.
    TargetMissing,
    /// The message was edited as often as it may be.
    TooManyChanges,
    /// What was masked is not kept, or not any more.
    OriginalGone,
    /// A valid token is needed.
    Unauthorized,
    /// The token has expired; get a new one.
    TokenExpired,
    /// This is not allowed in this room.
    Forbidden,
    /// The request is not HTTP as it should be.
    BadRequest,
    /// The request did not come whole in time.
    RequestTimeout,
    /// The request has too many or too large headers.
    HeadTooLarge,
    /// The request is not a WebSocket handshake of this protocol.
    BadUpgrade,
    /// Pages of this origin may not use this service.
    BadOrigin,
    /// There is no such thing.
    NotFound,
    /// This path does not take this method.
    MethodNotAllowed,
    /// The service cannot take this now; wait for retry_after_ms.
    Unavailable,
    /// The frame could not be handled; send it again at most twice.
    Internal,
}

impl ErrorCode {
    pub const ALL: &[Self] = &[
        Self::BadJson,
        Self::BadFrame,
        Self::UnknownType,
        Self::TooLarge,
        Self::TooDeep,
        Self::BadRoom,
        Self::BadId,
        Self::BadUser,
        Self::HelloFirst,
        Self::AlreadyHello,
        Self::NotJoined,
        Self::TooManyRooms,
        Self::RateLimited,
        Self::Blocked,
        Self::Banned,
        Self::Muted,
        Self::Archived,
        Self::SlowMode,
        Self::RoomExists,
        Self::RoomFull,
        Self::StaleTarget,
        Self::TargetMissing,
        Self::TooManyChanges,
        Self::OriginalGone,
        Self::Unauthorized,
        Self::TokenExpired,
        Self::Forbidden,
        Self::BadRequest,
        Self::RequestTimeout,
        Self::HeadTooLarge,
        Self::BadUpgrade,
        Self::BadOrigin,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code as it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadFrame => "bad_frame",
            Self::UnknownType => "unknown_type",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::BadRoom => "bad_room",
            Self::BadId => "bad_id",
            Self::BadUser => "bad_user",
            Self::HelloFirst => "hello_first",
            Self::AlreadyHello => "already_hello",
            Self::NotJoined => "not_joined",
            Self::TooManyRooms => "too_many_rooms",
            Self::RateLimited => "rate_limited",
            Self::Blocked => "blocked",
            Self::Banned => "banned",
            Self::Muted => "muted",
            Self::Archived => "archived",
            Self::SlowMode => "slow_mode",
            Self::RoomExists => "room_exists",
            Self::RoomFull => "room_full",
            Self::StaleTarget => "stale_target",
            Self::TargetMissing => "target_missing",
            Self::TooManyChanges => "too_many_changes",
            Self::OriginalGone => "original_gone",
            Self::Unauthorized => "unauthorized",
            Self::TokenExpired => "token_expired",
            Self::Forbidden => "forbidden",
            Self::BadRequest => "bad_request",
            Self::RequestTimeout => "request_timeout",
            Self::HeadTooLarge => "head_too_large",
            Self::BadUpgrade => "bad_upgrade",
            Self::BadOrigin => "bad_origin",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    pub const fn sentence(self) -> &'static str {
        match self {
            Self::BadJson => "the frame is not valid JSON",
            Self::BadFrame => "the frame does not have the fields that its type needs",
            Self::UnknownType => "the frame's type is not known",
            Self::TooLarge => "the text or frame is larger than the announced limit",
            Self::TooDeep => "the JSON is nested too deeply",
            Self::BadRoom => "the room name is not of the form [a-z0-9][a-z0-9_-]{0,63}",
            Self::BadId => "the id is not of the form [A-Za-z0-9._@|:+-]{1,64}",
            Self::BadUser => "the user name is not of the form [A-Za-z0-9._@|:+-]{1,64}",
            Self::HelloFirst => "the first frame must be hello",
            Self::AlreadyHello => "hello was already said on this connection",
            Self::NotJoined => "the connection has not joined this room",
            Self::TooManyRooms => "the connection or the server has as many rooms as it may have",
            Self::RateLimited => "too many messages; wait for retry_after_ms",
            Self::Blocked => "moderation refused the message",
            Self::Banned => "the user is banned from this room",
            Self::Muted => "the user may only read in this room",
            Self::Archived => "the room is archived and takes no messages",
            Self::SlowMode => "the room is in slow mode; wait for retry_after_ms",
            Self::RoomExists => "there is a room of this name already",
            Self::RoomFull => "as many users are listed in the room as may be",
            Self::StaleTarget => "the position belongs to another message",
            Self::TargetMissing => "there is no such message any more",
            Self::TooManyChanges => "the message was edited as often as it may be",
            Self::OriginalGone => "what was masked is not kept, or not any more",
            Self::Unauthorized => "a valid token is needed",
            Self::TokenExpired => "the token has expired; get a new one",
            Self::Forbidden => "this is not allowed in this room",
            Self::BadRequest => "the request is not HTTP as it should be",
            Self::RequestTimeout => "the request did not come whole in time",
            Self::HeadTooLarge => "the request has too many or too large headers",
            Self::BadUpgrade => "the request is not a WebSocket handshake of this protocol",
            Self::BadOrigin => "pages of this origin may not use this service",
            Self::NotFound => "there is no such thing",
            Self::MethodNotAllowed => "this path does not take this method",
            Self::Unavailable => "the service cannot take this now; wait for retry_after_ms",
            Self::Internal => "the frame could not be handled; send it again at most twice",
        }
    }

    pub const fn retry(self) -> Retry {
        match self {
            Self::BadJson => Retry::Never,
            Self::BadFrame => Retry::Never,
            Self::UnknownType => Retry::Never,
            Self::TooLarge => Retry::Never,
            Self::TooDeep => Retry::Never,
            Self::BadRoom => Retry::Never,
            Self::BadId => Retry::Never,
            Self::BadUser => Retry::Never,
            Self::HelloFirst => Retry::Never,
            Self::AlreadyHello => Retry::Never,
            Self::NotJoined => Retry::Never,
            Self::TooManyRooms => Retry::Never,
            Self::RateLimited => Retry::Backoff,
            Self::Blocked => Retry::Never,
            Self::Banned => Retry::Never,
            Self::Muted => Retry::Never,
            Self::Archived => Retry::Never,
            Self::SlowMode => Retry::Backoff,
            Self::RoomExists => Retry::Never,
            Self::RoomFull => Retry::Never,
            Self::StaleTarget => Retry::Never,
            Self::TargetMissing => Retry::Never,
            Self::TooManyChanges => Retry::Never,
            Self::OriginalGone => Retry::Never,
            Self::Unauthorized => Retry::Never,
            Self::TokenExpired => Retry::Never,
            Self::Forbidden => Retry::Never,
            Self::BadRequest => Retry::Never,
            Self::RequestTimeout => Retry::Backoff,
            Self::HeadTooLarge => Retry::Never,
            Self::BadUpgrade => Retry::Never,
            Self::BadOrigin => Retry::Never,
            Self::NotFound => Retry::Never,
            Self::MethodNotAllowed => Retry::Never,
            Self::Unavailable => Retry::Backoff,
            Self::Internal => Retry::Backoff,
        }
    }
}

/// Why the server closes a connection. 4000 to 4499: do not reconnect; 4500 to 4999: reconnect and resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The peer broke the WebSocket protocol.
    ProtocolError,
    /// Only text frames are understood.
    TextOnly,
    /// A text frame was not UTF-8.
    BadUtf8,
    /// A frame was larger than the limit.
    FrameTooLarge,
    /// No hello came in time.
    HelloTimeout,
    /// The token is missing or not valid.
    Unauthorized,
    /// The hello frame was refused.
    BadHello,
    /// Too many frames were refused in a row.
    TooManyErrors,
    /// The token has expired; connect again with a new one.
    TokenExpired,
    /// A moderator ended the connection.
    Kicked,
    /// The client read too slowly and its queue was full; resume.
    SlowConsumer,
    /// The edge is going away; resume, elsewhere if possible.
    Draining,
    /// The edge could not go on with this connection; resume.
    Internal,
    /// The session is of another version; resume.
    SessionUnknown,
    /// No answer to a ping; resume.
    Idle,
    /// The edge is full; resume later.
    Overloaded,
}

impl CloseCode {
    pub const ALL: &[Self] = &[
        Self::ProtocolError,
        Self::TextOnly,
        Self::BadUtf8,
        Self::FrameTooLarge,
        Self::HelloTimeout,
        Self::Unauthorized,
        Self::BadHello,
        Self::TooManyErrors,
        Self::TokenExpired,
        Self::Kicked,
        Self::SlowConsumer,
        Self::Draining,
        Self::Internal,
        Self::SessionUnknown,
        Self::Idle,
        Self::Overloaded,
    ];

    /// The number in the close frame.
    pub const fn code(self) -> u16 {
        match self {
            Self::ProtocolError => 1002,
            Self::TextOnly => 1003,
            Self::BadUtf8 => 1007,
            Self::FrameTooLarge => 1009,
            Self::HelloTimeout => 4001,
            Self::Unauthorized => 4002,
            Self::BadHello => 4003,
            Self::TooManyErrors => 4004,
            Self::TokenExpired => 4005,
            Self::Kicked => 4006,
            Self::SlowConsumer => 4501,
            Self::Draining => 4502,
            Self::Internal => 4503,
            Self::SessionUnknown => 4504,
            Self::Idle => 4505,
            Self::Overloaded => 4506,
        }
    }

    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ProtocolError => "the peer broke the WebSocket protocol",
            Self::TextOnly => "only text frames are understood",
            Self::BadUtf8 => "a text frame was not UTF-8",
            Self::FrameTooLarge => "a frame was larger than the limit",
            Self::HelloTimeout => "no hello came in time",
            Self::Unauthorized => "the token is missing or not valid",
            Self::BadHello => "the hello frame was refused",
            Self::TooManyErrors => "too many frames were refused in a row",
            Self::TokenExpired => "the token has expired; connect again with a new one",
            Self::Kicked => "a moderator ended the connection",
            Self::SlowConsumer => "the client read too slowly and its queue was full; resume",
            Self::Draining => "the edge is going away; resume, elsewhere if possible",
            Self::Internal => "the edge could not go on with this connection; resume",
            Self::SessionUnknown => "the session is of another version; resume",
            Self::Idle => "no answer to a ping; resume",
            Self::Overloaded => "the edge is full; resume later",
        }
    }

    pub const fn retry(self) -> Retry {
        match self {
            Self::ProtocolError => Retry::Never,
            Self::TextOnly => Retry::Never,
            Self::BadUtf8 => Retry::Never,
            Self::FrameTooLarge => Retry::Never,
            Self::HelloTimeout => Retry::Never,
            Self::Unauthorized => Retry::Never,
            Self::BadHello => Retry::Never,
            Self::TooManyErrors => Retry::Never,
            Self::TokenExpired => Retry::Never,
            Self::Kicked => Retry::Never,
            Self::SlowConsumer => Retry::Now,
            Self::Draining => Retry::Backoff,
            Self::Internal => Retry::Backoff,
            Self::SessionUnknown => Retry::Now,
            Self::Idle => Retry::Backoff,
            Self::Overloaded => Retry::Backoff,
        }
    }
}
