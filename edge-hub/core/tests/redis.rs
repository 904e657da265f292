//! The Lua scripts against a real Redis: each test starts a private server and ends it.

mod redis {
    mod append;
    mod changes;
    mod check;
    mod counters;
    mod damage;
    mod deletion;
    mod doc;
    mod erase;
    mod issuer_keys;
    mod mark;
    mod moderation;
    mod presence;
    mod read;
    mod refusals;
    mod room;
    mod room_lists;
    mod room_settings;
    mod rooms;
    mod server;
    mod trimming;
    mod webhooks;
    mod world;
}
