//! Of which rooms servers of the operator are told.

use crate::ids::RoomName;

/// Whose events are queued for webhooks. Of a room that is left out nothing is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Webhooks {
    #[default]
    Off,
    /// All but private rooms and direct messages.
    PublicRooms,
    AllRooms,
}

impl Webhooks {
    /// As the hub's variable `webhooks` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "",
            Self::PublicRooms => "public",
            Self::AllRooms => "all",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::PublicRooms, Self::AllRooms]
            .into_iter()
            .find(|webhooks| webhooks.as_str() == text)
    }

    pub fn include(self, room: &RoomName) -> bool {
        match self {
            Self::Off => false,
            Self::PublicRooms => !room.is_private(),
            Self::AllRooms => true,
        }
    }
}
