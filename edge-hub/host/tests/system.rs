//! The whole system: the binary `clustertalk`, a real Redis, real sockets and the built components.
//! Each test provokes one kind of failure and says in its name what must hold all the same.
//!
//! `cargo xtask build` makes the components; `redis-server` must be installed. One binary, so that
//! it links once; each test has a Redis and edges of its own, so that any may run beside any other.

mod system {
    mod attacks;
    mod bad_input;
    mod chat;
    mod client;
    mod command_line;
    mod command_line_doc;
    mod components;
    mod configuration;
    mod crashes;
    mod doctor;
    mod drain;
    mod harness;
    mod hot_swap;
    mod http;
    mod http_client;
    mod logs;
    mod moderation;
    mod moderators;
    mod monitoring;
    mod operations_doc;
    mod operators;
    mod origins;
    mod policy;
    mod presence;
    mod private_rooms;
    mod rates;
    mod raw;
    mod redis_doc;
    mod redis_tls;
    mod resume;
    mod rooms;
    mod security_doc;
    mod slow_consumer;
    mod tls;
    mod traces;
    mod transcript;
    mod two_edges;
    mod webhooks;
}
