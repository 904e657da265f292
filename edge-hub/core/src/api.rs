//! The HTTP API: which request is which operation, and what the answers hold.
//!
//! [`ROUTES`] is the one list of what there is: a hub serves it, and `openapi` makes
//! `protocol/openapi.json` of it and of the types here. Both match on [`Operation`], so that neither
//! compiles without the other's newest.

mod answers;
#[cfg(feature = "schema")]
pub mod openapi;

pub use answers::{
    Bans, Configuration, Granted, Health, Kept, Members, ModerationLog, ModerationQueue, Mutes,
    Present, ReadOn, RoomFigures, Rooms, Stretch, TotalFigures, Waiting,
};

use crate::protocol::ErrorCode;

/// What `limit` may be at most; an answer has no more than the deployment's page all the same.
pub const MOST_LIMIT: usize = 1_000;

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Health,
    Ready,
    Description,
    Configuration,
    Rooms,
    TotalFigures,
    Room,
    Create,
    Configure,
    DeleteRoom,
    Messages,
    Post,
    Events,
    RoomFigures,
    Presence,
    LookRead,
    Read,
    Members,
    Grant,
    Revoke,
    KickFromRoom,
    Bans,
    Ban,
    Unban,
    Mutes,
    Mute,
    Unmute,
    Direct,
    Kick,
    Report,
    ModerationQueue,
    ModerationLog,
    Dismiss,
}

/// One operation with its method and its path, in which `{room}` and `{user}` stand for one part.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub operation: Operation,
}

const fn route(method: &'static str, path: &'static str, operation: Operation) -> Route {
    Route {
        method,
        path,
        operation,
    }
}

/// Everything there is. Whatever takes `GET` takes `HEAD` as well.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    route("GET",    "/healthz",                                  Operation::Health),
    route("GET",    "/readyz",                                   Operation::Ready),
    route("GET",    "/api/v1/openapi.json",                      Operation::Description),
    route("GET",    "/api/v1/config",                            Operation::Configuration),
    route("GET",    "/api/v1/stats",                             Operation::TotalFigures),
    route("GET",    "/api/v1/rooms",                             Operation::Rooms),
    route("GET",    "/api/v1/rooms/{room}",                      Operation::Room),
    route("PUT",    "/api/v1/rooms/{room}",                      Operation::Create),
    route("PATCH",  "/api/v1/rooms/{room}",                      Operation::Configure),
    route("DELETE", "/api/v1/rooms/{room}",                      Operation::DeleteRoom),
    route("GET",    "/api/v1/rooms/{room}/messages",             Operation::Messages),
    route("POST",   "/api/v1/rooms/{room}/messages",             Operation::Post),
    route("GET",    "/api/v1/rooms/{room}/events",               Operation::Events),
    route("GET",    "/api/v1/rooms/{room}/stats",                Operation::RoomFigures),
    route("GET",    "/api/v1/rooms/{room}/presence",             Operation::Presence),
    route("GET",    "/api/v1/rooms/{room}/read",                 Operation::LookRead),
    route("PUT",    "/api/v1/rooms/{room}/read",                 Operation::Read),
    route("GET",    "/api/v1/rooms/{room}/members",              Operation::Members),
    route("PUT",    "/api/v1/rooms/{room}/members/{user}",       Operation::Grant),
    route("DELETE", "/api/v1/rooms/{room}/members/{user}",       Operation::Revoke),
    route("POST",   "/api/v1/rooms/{room}/members/{user}/kick",  Operation::KickFromRoom),
    route("GET",    "/api/v1/rooms/{room}/bans",                 Operation::Bans),
    route("PUT",    "/api/v1/rooms/{room}/bans/{user}",          Operation::Ban),
    route("DELETE", "/api/v1/rooms/{room}/bans/{user}",          Operation::Unban),
    route("GET",    "/api/v1/rooms/{room}/mutes",                Operation::Mutes),
    route("PUT",    "/api/v1/rooms/{room}/mutes/{user}",         Operation::Mute),
    route("DELETE", "/api/v1/rooms/{room}/mutes/{user}",         Operation::Unmute),
    route("POST",   "/api/v1/rooms/{room}/reports",              Operation::Report),
    route("GET",    "/api/v1/rooms/{room}/moderation/queue",     Operation::ModerationQueue),
    route("POST",   "/api/v1/rooms/{room}/moderation/dismiss",   Operation::Dismiss),
    route("GET",    "/api/v1/rooms/{room}/moderation/log",       Operation::ModerationLog),
    route("PUT",    "/api/v1/direct/{user}",                     Operation::Direct),
    route("POST",   "/api/v1/users/{user}/kick",                 Operation::Kick),
];

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// With the parts of the path that name a room and a user, as they stand.
    Operation {
        operation: Operation,
        room: Option<&'p str>,
        user: Option<&'p str>,
    },
    /// The path takes these methods only, as the header `Allow` says it.
    OtherMethods(String),
    Nothing,
}

/// Finds the operation of a method and a path. A slash at the end of the path makes no difference.
pub fn find<'p>(method: &str, path: &'p str) -> Found<'p> {
    let method = if method == "HEAD" { "GET" } else { method };
    let mut allowed = Vec::new();
    for route in ROUTES {
        let Some((room, user)) = matched(route.path, path) else {
            continue;
        };
        if route.method == method {
            return Found::Operation {
                operation: route.operation,
                room,
                user,
            };
        }
        allowed.push(route.method);
        if route.method == "GET" {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(allowed.join(", "))
    }
}

/// What stands in the path for `{room}` and `{user}`, if it is of this form.
fn matched<'p>(form: &str, path: &'p str) -> Option<(Option<&'p str>, Option<&'p str>)> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.split('/');
    let (mut room, mut user) = (None, None);
    for expected in form.trim_start_matches('/').split('/') {
        let part = parts.next()?;
        match expected {
            "{room}" => room = Some(part),
            "{user}" => user = Some(part),
            literal if literal == part => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some((room, user))
}

/// The HTTP status of an error.
pub const fn status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::BadJson
        | ErrorCode::BadFrame
        | ErrorCode::BadRequest
        | ErrorCode::UnknownType
        | ErrorCode::TooDeep
        | ErrorCode::BadRoom
        | ErrorCode::BadId
        | ErrorCode::BadUser
        | ErrorCode::HelloFirst
        | ErrorCode::AlreadyHello
        | ErrorCode::BadUpgrade => 400,
        ErrorCode::Unauthorized | ErrorCode::TokenExpired => 401,
        ErrorCode::NotJoined
        | ErrorCode::Banned
        | ErrorCode::Muted
        | ErrorCode::Forbidden
        | ErrorCode::BadOrigin => 403,
        ErrorCode::NotFound | ErrorCode::TargetMissing | ErrorCode::OriginalGone => 404,
        ErrorCode::MethodNotAllowed => 405,
        ErrorCode::RequestTimeout => 408,
        ErrorCode::TooManyRooms
        | ErrorCode::RoomExists
        | ErrorCode::RoomFull
        | ErrorCode::Archived
        | ErrorCode::StaleTarget
        | ErrorCode::TooManyChanges => 409,
        ErrorCode::TooLarge => 413,
        ErrorCode::Blocked => 422,
        ErrorCode::RateLimited | ErrorCode::SlowMode => 429,
        ErrorCode::HeadTooLarge => 431,
        ErrorCode::Internal => 500,
        ErrorCode::Unavailable => 503,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// As it is checked in; `cargo xtask codegen` keeps it fresh.
    const DOCUMENT: &str = include_str!("../../protocol/openapi.json");

    #[test]
    fn a_request_is_found_by_method_and_path() {
        let found = |operation, room, user| Found::Operation {
            operation,
            room,
            user,
        };
        let others = |methods: &str| Found::OtherMethods(methods.to_owned());
        #[rustfmt::skip]
        let cases = [
            ("GET",    "/healthz",                     found(Operation::Health, None, None)),
            ("HEAD",   "/api/v1/rooms",                found(Operation::Rooms, None, None)),
            ("GET",    "/api/v1/rooms/",               found(Operation::Rooms, None, None)),
            ("GET",    "/api/v1/rooms/a",              found(Operation::Room, Some("a"), None)),
            ("DELETE", "/api/v1/rooms/a/bans/b%40c",   found(Operation::Unban, Some("a"), Some("b%40c"))),
            ("PUT",    "/api/v1/direct/bob",           found(Operation::Direct, None, Some("bob"))),
            ("GET",    "/api/v1/rooms//messages",      found(Operation::Messages, Some(""), None)),
            ("PUT",    "/api/v1/config",               others("GET, HEAD")),
            ("BREW",   "/api/v1/rooms/a/messages",     others("GET, HEAD, POST")),
            ("OPTIONS", "/api/v1/rooms/a",             others("GET, HEAD, PUT, PATCH, DELETE")),
            ("GET",    "/api/v1/rooms/a/bans/b/c",     Found::Nothing),
            ("GET",    "/api/v1",                      Found::Nothing),
            ("GET",    "//healthz",                    Found::Nothing),
            ("GET",    "",                             Found::Nothing),
        ];
        for (method, path, expected) in cases {
            assert_eq!(find(method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_two_routes_are_the_same() {
        for (index, route) in ROUTES.iter().enumerate() {
            for other in &ROUTES[index + 1..] {
                assert_ne!((route.method, route.path), (other.method, other.path));
                assert_ne!(route.operation, other.operation);
            }
        }
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys() {
                described.insert((method.to_ascii_uppercase(), path.clone()));
            }
        }
        let routes = ROUTES
            .iter()
            .map(|route| (route.method.to_owned(), route.path.to_owned()));
        assert_eq!(described, routes.collect());
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_id_is_one() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut ids = BTreeSet::new();
        let mut values = vec![&document];
        while let Some(value) = values.pop() {
            match value {
                Value::Array(items) => values.extend(items),
                Value::Object(fields) => {
                    if let Some(Value::String(reference)) = fields.get("$ref") {
                        let pointer = reference.strip_prefix('#').unwrap();
                        assert!(document.pointer(pointer).is_some(), "{reference}");
                    }
                    if let Some(Value::String(id)) = fields.get("operationId") {
                        assert!(ids.insert(id), "{id} twice");
                    }
                    values.extend(fields.values());
                }
                _ => {}
            }
        }
        assert_eq!(ids.len(), ROUTES.len());
    }
}
