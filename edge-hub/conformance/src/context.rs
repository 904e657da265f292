//! What a case works with: the edges, users and rooms of its own, and what it has to clean up.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::http::HeaderMap;

use crate::{
    http::{self, Answer, Events, Query},
    socket::{Handshake, Socket},
    token::Issuer,
    transcript::Transcript,
    transport::Address,
};

/// The deployment that is held to the protocol.
pub struct Target {
    pub first: Address,
    pub second: Option<Address>,
    /// Who may make tokens for it; without one users choose their names.
    pub issuer: Option<Issuer>,
    pub server_key: Option<String>,
    /// How long one answer is waited for.
    pub patience: Duration,
    /// As `welcome` announced them.
    pub limits: Limits,
}

/// What a `welcome` announces.
#[derive(Clone, Copy, Default, Debug, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    pub text_bytes: usize,
    pub frame_bytes: usize,
    pub messages_per_second: usize,
    pub burst: usize,
    pub rooms: usize,
    pub ping_ms: u64,
    pub typing_ms: u64,
}

/// One of the edges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edge {
    First,
    Second,
}

/// A user of one case.
#[derive(Clone)]
pub struct User {
    pub id: String,
    /// The beginning of the id, for transcripts.
    name: String,
    token: Option<String>,
}

impl User {
    /// What `hello` says of this user.
    fn hello(&self) -> Value {
        match &self.token {
            Some(token) => json!({ "type": "hello", "token": token }),
            None => json!({ "type": "hello", "user": self.id }),
        }
    }

    /// The value of `Authorization`.
    pub fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }
}

/// For one case.
#[derive(Clone)]
pub struct Context {
    pub target: Arc<Target>,
    pub transcript: Transcript,
    /// Sets its users and rooms apart from those of other cases, runs and people.
    mark: String,
    /// Rooms with who may delete them.
    created: Arc<Mutex<Vec<(User, String)>>>,
}

impl Context {
    pub fn new(target: &Arc<Target>) -> Self {
        Self {
            target: Arc::clone(target),
            transcript: Transcript::new(),
            mark: (0..8).map(|_| fastrand::lowercase()).collect(),
            created: Arc::default(),
        }
    }

    pub fn limits(&self) -> Limits {
        self.target.limits
    }

    /// A user of this case. The same name gives the same user.
    pub fn user(&self, name: &str) -> Result<User> {
        self.user_with(name, &json!({}))
    }

    /// The same with more claims in the token, where there are tokens.
    pub fn user_with(&self, name: &str, claims: &Value) -> Result<User> {
        let id = self.id(name);
        let issuer = self.target.issuer.as_ref();
        let token = issuer.map(|issuer| issuer.token(&id, claims)).transpose()?;
        Ok(User {
            id,
            name: name.to_owned(),
            token,
        })
    }

    /// The id of the user with this name.
    pub fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    /// The name of a room of this case, which nobody has made.
    pub fn unused_room(&self, name: &str) -> String {
        format!("conformance-{name}-{}", self.mark)
    }

    /// An open room of this case, which is deleted when it ends. Its owner is the user `keeper`.
    pub async fn room(&self) -> Result<String> {
        let keeper = self.user("keeper")?;
        let room = self.unused_room("room");
        self.create(&keeper, json!({ "room": room })).await?;
        Ok(room)
    }

    /// Makes a room, which is deleted when the case ends; gives its `room` frame.
    pub async fn create(&self, owner: &User, mut frame: Value) -> Result<Value> {
        frame["type"] = json!("create");
        let mut socket = self.hello(owner, json!([])).await?.0;
        let made = socket.done(frame).await?;
        ensure!(made["type"] == "room", "`create` is answered with {made}");
        self.will_delete(owner, made["room"].as_str().unwrap_or_default());
        Ok(made)
    }

    /// Has a room deleted when the case ends.
    pub fn will_delete(&self, owner: &User, room: &str) {
        let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created.push((owner.clone(), room.to_owned()));
    }

    /// Deletes what was made. What cannot be deleted is left: the case has said by then what is
    /// wrong.
    pub async fn clean_up(&self) {
        let created = {
            let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *created)
        };
        for (owner, room) in created {
            let delete = async {
                let mut socket = self.hello(&owner, json!([])).await?.0;
                socket
                    .ask(json!({ "type": "delete_room", "room": room }))
                    .await
            };
            if let Err(error) = delete.await {
                self.transcript
                    .note("clean up", '!', &format!("{room}: {error:#}"));
            }
        }
    }

    pub fn address(&self, edge: Edge) -> Result<&Address> {
        match edge {
            Edge::First => Ok(&self.target.first),
            Edge::Second => {
                let second = self.target.second.as_ref();
                second.ok_or_else(|| anyhow::anyhow!("there is no second edge"))
            }
        }
    }

    /// Opens a connection and says nothing.
    pub async fn open(&self, name: &str) -> Result<Socket> {
        let (socket, _) = self.dial(Edge::First, name, &Handshake::default()).await?;
        Ok(socket)
    }

    pub async fn dial(
        &self,
        edge: Edge,
        name: &str,
        handshake: &Handshake<'_>,
    ) -> Result<(Socket, HeaderMap)> {
        let address = self.address(edge)?;
        let patience = self.target.patience;
        Socket::open(name, address, handshake, &self.transcript, patience).await
    }

    /// Connects and says hello with these rooms; gives the `welcome`.
    pub async fn hello(&self, user: &User, rooms: Value) -> Result<(Socket, Value)> {
        self.hello_on(Edge::First, user, rooms).await
    }

    pub async fn hello_on(&self, edge: Edge, user: &User, rooms: Value) -> Result<(Socket, Value)> {
        let (mut socket, _) = self.dial(edge, &user.name, &Handshake::default()).await?;
        let welcome = greet(&mut socket, user, rooms).await?;
        Ok((socket, welcome))
    }

    /// Connects and joins a room.
    pub async fn join(&self, user: &User, room: &str) -> Result<Socket> {
        Ok(self.resume(user, room, None).await?.0)
    }

    pub async fn join_on(&self, edge: Edge, user: &User, room: &str) -> Result<Socket> {
        Ok(self.resume_on(edge, user, room, None).await?.0)
    }

    /// Connects and joins a room from a position on; gives the `joined`.
    pub async fn resume(
        &self,
        user: &User,
        room: &str,
        since: Option<&Value>,
    ) -> Result<(Socket, Value)> {
        self.resume_on(Edge::First, user, room, since).await
    }

    pub async fn resume_on(
        &self,
        edge: Edge,
        user: &User,
        room: &str,
        since: Option<&Value>,
    ) -> Result<(Socket, Value)> {
        let rooms = json!([{ "room": room, "since": since }]);
        let (mut socket, _) = self.hello_on(edge, user, rooms).await?;
        let joined = socket
            .find(&format!("`joined` of {room}"), |frame| {
                frame["room"] == room && (frame["type"] == "joined" || frame["type"] == "error")
            })
            .await?;
        ensure!(joined["type"] == "joined", "not let into {room}: {joined}");
        Ok((socket, joined))
    }

    /// A request for a user: with his token, or with his name in the body or the query.
    pub async fn http(
        &self,
        user: &User,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        self.http_on(Edge::First, user, method, path, body).await
    }

    pub async fn http_on(
        &self,
        edge: Edge,
        user: &User,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer> {
        let (path, headers, body) = signed(user, path, body);
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.request_on(edge, method, &path, headers, body).await
    }

    /// A request as it stands, for nobody.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: Vec<(&str, String)>,
        body: String,
    ) -> Result<Answer> {
        self.request_on(Edge::First, method, path, headers, body)
            .await
    }

    async fn request_on(
        &self,
        edge: Edge,
        method: &str,
        path: &str,
        headers: Vec<(&str, String)>,
        body: String,
    ) -> Result<Answer> {
        let address = self.address(edge)?;
        let query = Query {
            method,
            path,
            headers,
            body,
        };
        http::request(address, query, &self.transcript, self.target.patience).await
    }

    /// A room's events for a user, after the event with this id.
    pub async fn events(&self, user: &User, room: &str, last: Option<&str>) -> Result<Events> {
        let path = format!("/api/v1/rooms/{room}/events");
        let (path, mut headers, _) = signed(user, &path, None);
        headers.extend(last.map(|last| ("last-event-id", last.to_owned())));
        self.stream(&path, headers).await
    }

    pub async fn stream(&self, path: &str, headers: Vec<(&str, String)>) -> Result<Events> {
        let query = Query {
            method: "GET",
            path,
            headers,
            body: String::new(),
        };
        let first = &self.target.first;
        Events::open(first, query, &self.transcript, self.target.patience).await
    }

    /// Posts a message; gives the position of its `ack`.
    pub async fn post(&self, user: &User, room: &str, id: &str, text: &str) -> Result<Value> {
        let path = format!("/api/v1/rooms/{room}/messages");
        let body = json!({ "id": id, "text": text });
        let answer = self.http(user, "POST", &path, Some(body)).await?;
        Ok(answer.with(201)?["position"].clone())
    }

    /// What `GET messages` answers a user.
    pub async fn messages(&self, user: &User, room: &str, query: &str) -> Result<Value> {
        let path = format!("/api/v1/rooms/{room}/messages{query}");
        self.http(user, "GET", &path, None).await?.with(200)
    }
}

/// Says hello on an open connection; gives the `welcome`.
pub async fn greet(socket: &mut Socket, user: &User, rooms: Value) -> Result<Value> {
    let mut hello = user.hello();
    hello["rooms"] = rooms;
    socket.send(hello).await?;
    let answer = socket
        .find("`welcome`", |frame| {
            frame["type"] == "welcome" || frame["type"] == "error"
        })
        .await?;
    ensure!(answer["type"] == "welcome", "not welcomed: {answer}");
    Ok(answer)
}

/// Path, headers and body of a request for a user.
fn signed(
    user: &User,
    path: &str,
    body: Option<Value>,
) -> (String, Vec<(&'static str, String)>, Option<Value>) {
    if let Some(bearer) = user.bearer() {
        return (path.to_owned(), vec![("authorization", bearer)], body);
    }
    match body {
        Some(mut body) => {
            body["user"] = json!(user.id);
            (path.to_owned(), Vec::new(), Some(body))
        }
        None => {
            let separator = if path.contains('?') { '&' } else { '?' };
            (
                format!("{path}{separator}user={}", user.id),
                Vec::new(),
                None,
            )
        }
    }
}
