//! Runs `edge-hub/protocol/vectors`; README.md there describes the format.

mod vectors {
    mod cursor;
    mod files;
    mod frames;
    mod hub;
    mod log;
    mod outbox;
    mod resume;
    mod room;
    mod room_actions;
    mod signer;
    mod stored;
    mod tokens;
}
