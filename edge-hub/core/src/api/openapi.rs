//! `protocol/openapi.json`: the HTTP API as OpenAPI 3.1, made of [`ROUTES`], the types of the wire and
//! what stands here, for `cargo xtask codegen`.

mod bodies;

use super::{
    Bans, Configuration, Health, MOST_LIMIT, Members, ModerationLog, ModerationQueue, Mutes,
    Operation, Present, ROUTES, ReadOn, RoomFigures, Rooms, Stretch, TotalFigures, status,
};
use crate::ids::{MAX_SEQ, MessageId, Position, RoomName, Seq, User};
use crate::log::Action;
use crate::protocol::{Done, ErrorCode, ErrorFrame, RoomFrame};
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The whole document.
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.contract = Contract::Serialize;
        settings.definitions_path = "/components/schemas".into();
    });
    let mut document = Document {
        generator: settings.into_generator(),
    };
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let description = document.describe(route.operation);
        let operation = document.operation(route.path, description);
        let path = paths.entry(route.path).or_default();
        path.insert(route.method.to_ascii_lowercase(), operation);
    }
    let responses = document.responses();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ClusterTalk Edge",
            "version": "1",
            "description": "Real-time chat over HTTP, beside WebSockets. PROTOCOL.md explains the words; \
                every error has a stable code.",
            "license": { "name": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "messages", "description": "What is said in a room" },
            { "name": "rooms", "description": "Rooms themselves" },
            { "name": "people", "description": "Who may be in a room, and who is" },
            { "name": "moderation", "description": "What moderators see and do" },
            { "name": "service", "description": "The service itself" },
        ],
        // The empty one is there where callers may choose their own name.
        "security": [{}, { "token": [] }, { "serverKey": [] }],
        "paths": paths,
        "components": {
            "schemas": document.generator.take_definitions(true),
            "responses": responses,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of an issuer that is configured. It says who asks.",
                },
                "serverKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "ctk_…",
                    "description": "A server's key. `user` says for whom it asks.",
                },
            },
        },
    })
}

/// What is to be said of an operation beside its route.
struct Description {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    /// Whether anybody may ask.
    public: bool,
    /// Parameters of the query and header.
    parameters: Vec<Value>,
    /// The schema of the body with an example, and whether there has to be one.
    body: Option<(Value, Value, bool)>,
    /// Status, media type, schema.
    answer: (u16, &'static str, Value),
    /// Statuses of refusals beside those that any request may get.
    refusals: &'static [u16],
}

/// What any request may be refused with.
const ANY: [u16; 7] = [400, 403, 408, 429, 431, 500, 503];
const READS: &[u16] = &[404, 405];
const WRITES: &[u16] = &[404, 405, 409, 413];
const SAYS: &[u16] = &[404, 405, 409, 413, 422];

const JSON: &str = "application/json";

struct Document {
    generator: SchemaGenerator,
}

impl Document {
    fn of<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    /// A frame of the server, which is a type of the wire with its name.
    fn frame<T: JsonSchema>(&mut self, kind: &str) -> Value {
        let of = self.of::<T>();
        json!({ "allOf": [of, {
            "type": "object",
            "required": ["type"],
            "properties": { "type": { "const": kind } },
        }] })
    }

    fn ack(&mut self) -> Value {
        let properties = json!({
            "type": { "const": "ack" },
            "room": self.of::<RoomName>(),
            "id": self.of::<MessageId>(),
            "position": self.of::<Position>(),
            "action": self.of::<Action>(),
        });
        whole(properties)
    }

    fn receipt(&mut self) -> Value {
        let properties = json!({
            "type": { "const": "receipt" },
            "room": self.of::<RoomName>(),
            "user": self.of::<User>(),
            "seq": self.of::<Seq>(),
        });
        whole(properties)
    }

    fn describe(&mut self, operation: Operation) -> Description {
        let read = |id, tag, summary, schema| Description {
            id,
            tag,
            summary,
            public: false,
            parameters: vec![asking()],
            body: None,
            answer: (200, JSON, schema),
            refusals: READS,
        };
        let write = |id, tag, summary, schema| Description {
            refusals: WRITES,
            ..read(id, tag, summary, schema)
        };
        let public = |id, summary, schema| Description {
            public: true,
            parameters: Vec::new(),
            refusals: &[],
            ..read(id, "service", summary, schema)
        };
        match operation {
            Operation::Health => public("health", "Whether it runs", self.of::<Health>()),
            Operation::Ready => {
                public("readiness", "Whether it can serve now", self.of::<Health>())
            }
            Operation::Description => {
                let schema = json!({ "type": "object", "required": ["openapi", "paths"] });
                public("description", "This document", schema)
            }
            Operation::Configuration => public(
                "configuration",
                "What a client needs before it connects",
                self.of::<Configuration>(),
            ),
            Operation::Rooms => Description {
                refusals: &[],
                ..read(
                    "listRooms",
                    "rooms",
                    "Which rooms there are",
                    self.of::<Rooms>(),
                )
            },
            Operation::TotalFigures => Description {
                refusals: &[],
                parameters: Vec::new(),
                ..read(
                    "totalFigures",
                    "service",
                    "What analytics counted over all rooms",
                    self.of::<TotalFigures>(),
                )
            },
            Operation::Room => read(
                "room",
                "rooms",
                "What is set of a room, and what one is there",
                self.frame::<RoomFrame>("room"),
            ),
            Operation::Create => Description {
                answer: (201, JSON, self.frame::<RoomFrame>("room")),
                body: Some((
                    self.of::<bodies::Create>(),
                    json!({ "topic": "What next?" }),
                    false,
                )),
                ..write(
                    "createRoom",
                    "rooms",
                    "Makes a room; the answer tells the name of a private one",
                    Value::Null,
                )
            },
            Operation::Configure => Description {
                body: Some((
                    self.of::<bodies::Configure>(),
                    json!({ "slow_mode_ms": 5000 }),
                    false,
                )),
                ..write(
                    "configureRoom",
                    "rooms",
                    "Sets what is there and leaves the rest",
                    self.frame::<RoomFrame>("room"),
                )
            },
            Operation::DeleteRoom => write(
                "deleteRoom",
                "rooms",
                "Removes a room with everything in it",
                self.frame::<Done>("done"),
            ),
            Operation::Messages => {
                let either = json!({ "anyOf": [self.of::<ReadOn>(), self.of::<Stretch>()] });
                Description {
                    parameters: vec![
                        asking(),
                        query(
                            "after",
                            "Reads on from this position, `SEQ-TAG`",
                            position(),
                        ),
                        query("before", "Reads back from this number", number()),
                        query("from", "Reads on from this number", number()),
                        query("limit", "At most so many entries", limit()),
                    ],
                    ..read(
                        "readMessages",
                        "messages",
                        "Reads on from a position (`ReadOn`), or by number (`Stretch`); without either the \
                         newest (`ReadOn`)",
                        either,
                    )
                }
            }
            Operation::Post => Description {
                answer: (201, JSON, self.ack()),
                refusals: SAYS,
                body: Some((
                    self.of::<bodies::Post>(),
                    json!({ "user": "ada", "id": "01JD", "text": "Hello" }),
                    true,
                )),
                parameters: Vec::new(),
                ..write(
                    "postMessage",
                    "messages",
                    "Says something, or edits, deletes, restores or reacts to what was said",
                    Value::Null,
                )
            },
            Operation::Events => {
                let last = json!({
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "Goes on after this event; a browser says it by itself",
                    "schema": position(),
                });
                Description {
                    parameters: vec![
                        asking(),
                        query("after", "The same for a first request", position()),
                        last,
                    ],
                    answer: (200, "text/event-stream", json!({ "type": "string" })),
                    ..read(
                        "followRoom",
                        "messages",
                        "Server-sent events without an end: `joined` (as `ReadOn`), then `message` with each \
                         entry's frame; each `id` is `SEQ-TAG`",
                        Value::Null,
                    )
                }
            }
            Operation::RoomFigures => read(
                "roomFigures",
                "rooms",
                "What analytics counted in a room",
                self.of::<RoomFigures>(),
            ),
            Operation::Presence => read(
                "presence",
                "people",
                "Who is in a room now",
                self.of::<Present>(),
            ),
            Operation::LookRead => read(
                "lookRead",
                "messages",
                "How far the user has read",
                self.receipt(),
            ),
            Operation::Read => Description {
                body: Some((self.of::<bodies::Read>(), json!({ "seq": 1 }), true)),
                ..write(
                    "markRead",
                    "messages",
                    "Says how far the user has read",
                    self.receipt(),
                )
            },
            Operation::Members => Description {
                parameters: paged(json!({ "type": "string", "pattern": ID })),
                ..read(
                    "listMembers",
                    "people",
                    "Who has a role in a room; for its moderators and owners",
                    self.of::<Members>(),
                )
            },
            Operation::Grant => Description {
                body: Some((
                    self.of::<bodies::Grant>(),
                    json!({ "role": "member" }),
                    true,
                )),
                ..write(
                    "grantRole",
                    "people",
                    "Makes a user member, moderator or owner",
                    self.frame::<Done>("done"),
                )
            },
            Operation::Revoke => write(
                "revokeRole",
                "people",
                "Takes a user's role away; one's own, too",
                self.frame::<Done>("done"),
            ),
            Operation::KickFromRoom => write(
                "kickFromRoom",
                "people",
                "Has a user leave who may come back",
                self.frame::<Done>("done"),
            ),
            Operation::Bans => Description {
                parameters: paged(term_page()),
                ..read(
                    "listBans",
                    "people",
                    "Who may not be in a room; for its moderators and owners",
                    self.of::<Bans>(),
                )
            },
            Operation::Ban => Description {
                body: Some((self.of::<bodies::Term>(), json!({ "for_ms": 60000 }), false)),
                ..write(
                    "ban",
                    "people",
                    "Keeps a user out",
                    self.frame::<Done>("done"),
                )
            },
            Operation::Unban => write(
                "unban",
                "people",
                "Ends a ban and a mute",
                self.frame::<Done>("done"),
            ),
            Operation::Mutes => Description {
                parameters: paged(term_page()),
                ..read(
                    "listMutes",
                    "people",
                    "Who only reads in a room; for its moderators and owners",
                    self.of::<Mutes>(),
                )
            },
            Operation::Mute => Description {
                body: Some((self.of::<bodies::Term>(), json!({ "for_ms": 60000 }), false)),
                ..write(
                    "mute",
                    "people",
                    "Lets a user only read",
                    self.frame::<Done>("done"),
                )
            },
            Operation::Unmute => write(
                "unmute",
                "people",
                "Ends a mute and a ban",
                self.frame::<Done>("done"),
            ),
            Operation::Report => Description {
                body: Some((
                    self.of::<bodies::Report>(),
                    json!({ "target": { "user": "ada", "id": "01JD" }, "reason": "spam" }),
                    true,
                )),
                ..write(
                    "reportMessage",
                    "moderation",
                    "Tells the moderators of a message; a second time does nothing",
                    self.frame::<Done>("done"),
                )
            },
            Operation::ModerationQueue => Description {
                parameters: paged(number()),
                ..read(
                    "moderationQueue",
                    "moderation",
                    "What was flagged or reported and nobody has looked at; for moderators. A page has at most \
                     50 messages, 20 by default",
                    self.of::<ModerationQueue>(),
                )
            },
            Operation::ModerationLog => Description {
                parameters: paged(number()),
                ..read(
                    "moderationLog",
                    "moderation",
                    "What was decided, reported and done, newest first; for moderators",
                    self.of::<ModerationLog>(),
                )
            },
            Operation::Dismiss => Description {
                body: Some((
                    self.of::<bodies::Dismiss>(),
                    json!({ "target": { "user": "ada", "id": "01JD" } }),
                    true,
                )),
                ..write(
                    "dismiss",
                    "moderation",
                    "Takes a message from the queue: nothing is wrong with it",
                    self.frame::<Done>("done"),
                )
            },
            Operation::Direct => write(
                "directRoom",
                "rooms",
                "Finds or makes the private room of two",
                self.frame::<RoomFrame>("room"),
            ),
            Operation::Kick => write(
                "kick",
                "people",
                "Ends a user's connections; for moderators by their token",
                self.frame::<Done>("done"),
            ),
        }
    }

    fn operation(&mut self, path: &str, description: Description) -> Value {
        let room = self.of::<RoomName>();
        let mut parameters = Vec::new();
        if path.contains("{room}") {
            parameters.push(json!({
                "name": "room", "in": "path", "required": true, "schema": room, "example": "general",
            }));
        }
        if path.contains("{user}") {
            parameters.push(json!({
                "name": "user", "in": "path", "required": true,
                "description": "Whom it is about",
                "schema": { "type": "string", "pattern": ID },
                "example": "bob",
            }));
        }
        // Whom it is about stands in the path, and who asks in the query.
        parameters.extend(description.parameters);
        let (status, media, schema) = description.answer;
        let mut responses = json!({ status.to_string(): {
            "description": "Done",
            "content": { media: { "schema": schema } },
        } });
        let own = (!description.public).then_some(401);
        for refusal in ANY.iter().chain(&own).chain(description.refusals) {
            responses[refusal.to_string()] =
                json!({ "$ref": format!("#/components/responses/{refusal}") });
        }
        let mut described = json!({
            "operationId": description.id,
            "tags": [description.tag],
            "summary": description.summary,
            "parameters": parameters,
            "responses": responses,
        });
        if description.public {
            described["security"] = json!([]);
        }
        if let Some((schema, example, required)) = description.body {
            described["requestBody"] = json!({
                "required": required,
                "content": { JSON: { "schema": schema, "example": example } },
            });
        }
        described
    }

    /// A response for each status that some error has, with the codes that it may have.
    fn responses(&mut self) -> Value {
        let mut codes: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        for code in ErrorCode::ALL {
            codes.entry(status(*code)).or_default().push(*code);
        }
        let error = self.of::<ErrorFrame>();
        let responses = codes.into_iter().map(|(status, codes)| {
            let names: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
            let sentences: Vec<String> = codes
                .iter()
                .map(|code| format!("`{}`: {}", code.as_str(), code.sentence()))
                .collect();
            let mut response = json!({
                "description": sentences.join("; "),
                "content": { JSON: {
                    "schema": { "allOf": [error, {
                        "type": "object",
                        "required": ["type"],
                        "properties": { "type": { "const": "error" }, "code": { "enum": names } },
                    }] },
                    "example": {
                        "type": "error", "code": codes[0].as_str(), "message": codes[0].sentence(),
                    },
                } },
            });
            let header = match status {
                401 => Some(("WWW-Authenticate", "string", true)),
                405 => Some(("Allow", "string", true)),
                403 | 408 => Some(("Retry-After", "integer", false)),
                429 | 500 | 503 => Some(("Retry-After", "integer", true)),
                _ => None,
            };
            if let Some((name, kind, required)) = header {
                response["headers"] =
                    json!({ name: { "required": required, "schema": { "type": kind } } });
            }
            (status.to_string(), response)
        });
        Value::Object(responses.collect())
    }
}

/// The form of a user id.
const ID: &str = "^[A-Za-z0-9._@|:+-]{1,64}$";

/// An object of which every field is there.
fn whole(properties: Value) -> Value {
    let names: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": description, "schema": schema })
}

/// Who asks.
fn asking() -> Value {
    query(
        "user",
        "For whom a server, or a caller who chooses his own name, asks. A token says it itself",
        json!({ "type": "string", "pattern": ID }),
    )
}

fn paged(after: Value) -> Vec<Value> {
    vec![
        asking(),
        query("after", "The `next` of the page before", after),
        query(
            "limit",
            "At most so many, 100 if nothing else is said",
            limit(),
        ),
    ]
}

fn term_page() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]{1,16}|inf):[A-Za-z0-9._@|:+-]{1,64}$" })
}

fn limit() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": MOST_LIMIT })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": MAX_SEQ })
}

fn position() -> Value {
    json!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,14})-[0-9a-f]{16}$" })
}
