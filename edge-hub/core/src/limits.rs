//! What a connection may do. Announced in `welcome` where a client can act on it.

use std::time::Duration;

/// The limits of one connection, with their defaults by [`Limits::default`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of UTF-8 in one message. Default 4 KiB. Above it: error `too_large`.
    pub text_bytes: usize,
    /// Bytes of one frame. Default 16 KiB. Above it the host closes with 1009.
    pub frame_bytes: usize,
    /// Nested arrays and objects in a frame. Default 16. Above it: error `too_deep`.
    pub json_depth: usize,
    /// Rooms a connection may be in. Default 64. Above it: error `too_many_rooms`.
    pub rooms_per_connection: usize,
    /// Rooms a deployment may have. Default 10,000. Above it: error `too_many_rooms`.
    pub rooms: u64,
    /// Messages a second a user may send for long. Default 5. Above it: error `rate_limited`.
    pub messages_per_second: u32,
    /// Messages at once after a pause. Default 20.
    pub burst: u32,
    /// Time for the first frame, `hello`. Default 5 s. Then close 4001.
    pub hello: Duration,
    /// A client sends `ping` after this time without another frame. Default 25 s.
    pub ping: Duration,
    /// At most one `typing` of a connection passes in this time; others are dropped. Default 3 s.
    pub typing: Duration,
    /// At most one `read` of a connection passes in this time; others are dropped. Default 1 s.
    pub read: Duration,
    /// Edits of one message. Default 64. Above it: error `too_many_changes`.
    pub edits: u32,
    /// Frames in a row that may be refused before close 4004. Default 20.
    pub refused_in_a_row: u8,
    /// Messages in one page or `history` answer. Default 100.
    pub page_messages: usize,
    /// Bytes of stored entries in one page. Default 64 KiB.
    pub page_bytes: usize,
    /// Messages that a client without a position gets. Default 50.
    pub recent_messages: usize,
    /// Entries and tombstones a room's log keeps. Default 10,000.
    pub log_entries: u64,
    /// The age at which entries leave a room's log. Default 30 days.
    pub log_age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 4 << 10,
            frame_bytes: 16 << 10,
            json_depth: 16,
            rooms_per_connection: 64,
            rooms: 10_000,
            messages_per_second: 5,
            burst: 20,
            hello: Duration::from_secs(5),
            ping: Duration::from_secs(25),
            typing: Duration::from_secs(3),
            read: Duration::from_secs(1),
            edits: 64,
            refused_in_a_row: 20,
            page_messages: 100,
            page_bytes: 64 << 10,
            recent_messages: 50,
            log_entries: 10_000,
            log_age: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// Private rooms of a deployment, direct ones among them. Above it: error `too_many_rooms`.
pub const PRIVATE_ROOMS: u64 = 100_000;
/// Private rooms that a user may be in who makes another. Above it: error `too_many_rooms`.
pub const PRIVATE_ROOMS_OF_A_USER: u64 = 1_000;
/// Users who have a role in a room: so many may be in a private one. Above it: error `room_full`.
pub const ROOM_ROLES: usize = 1_000;
/// Users who are banned from a room, and as many who are muted there. Above it: error `room_full`.
pub const ROOM_BANS: usize = 10_000;
/// Bytes of a room's topic.
pub const TOPIC_BYTES: usize = 256;
/// The slowest slow mode, in milliseconds: six hours.
pub const SLOW_MODE_MILLIS: u64 = 6 * 3600 * 1000;
/// Rooms listed in one `welcome`.
pub const WELCOME_ROOMS: usize = 50;
/// Members listed in one `joined`.
pub const JOINED_MEMBERS: usize = 50;
/// Users that one message may mention.
pub const MENTIONS: usize = 16;
/// Users of a room whose furthest number is kept; those furthest behind are forgotten first.
pub const READERS: usize = 1000;
/// Above this many such users what one of them read is told to himself only.
pub const RECEIPT_READERS: u64 = 200;
/// Above this many members a room's presence is a count only.
pub const PRESENCE_MEMBERS: u64 = 200;
/// Entries whose tags an edge remembers for a room.
pub const EDGE_TAGS: usize = 1024;
/// Entries whose tags a client remembers for a room.
pub const CLIENT_TAGS: usize = 128;
/// Session bytes that a hub may hand back.
pub const SESSION_BYTES: usize = 8 << 10;
