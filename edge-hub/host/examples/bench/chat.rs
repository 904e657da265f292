//! Messages from end to end, by the real edge: WebSockets, hub, moderation, analytics, Redis.
//!
//! An edge reads so many frames a second of one user and of one address, so each client comes from
//! an address of its own: all of 127.0.0.0/8 is this machine.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::{TcpSocket, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::Barrier,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{append::process_of, process::cpu_time, report::Report};

const PART: &str = "chat";
const PATIENCE: Duration = Duration::from_secs(60);
/// Below the 20 frames a second of one user, at which an edge would read later.
const PAUSE: Duration = Duration::from_millis(100);

/// An edge with a Redis of its own.
pub struct Edge {
    child: Child,
    address: SocketAddr,
    process: String,
    redis_process: String,
    /// It would write to a pipe without a reader otherwise.
    _output: Lines<BufReader<ChildStdout>>,
    _data: TempDir,
}

impl Edge {
    pub async fn start(host: &Path, manifest: &Path) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let mut child = Command::new(host)
            .args(["up", "--listen", "127.0.0.1:0", "--log", "error"])
            .args(["--limit-messages-per-second=1000", "--limit-burst=10000"])
            .arg("--manifest")
            .arg(manifest)
            .arg("--data")
            .arg(data.path())
            .env_remove("REDIS_URL")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot run {}", host.display()))?;
        let output = child.stdout.take().context("it is piped")?;
        let mut output = BufReader::new(output).lines();
        let mut after = async |words: &str| loop {
            let line = timeout(PATIENCE, output.next_line()).await??;
            let line = line.context("the edge does not start")?;
            if let Some((_, rest)) = line.split_once(words) {
                let word = rest.split(' ').next().unwrap_or_default();
                return anyhow::Ok(word.to_owned());
            }
        };
        let address = after("is up: http://").await?.parse()?;
        let redis = after("Redis: ").await?;
        Ok(Self {
            process: child.id().context("it runs")?.to_string(),
            redis_process: process_of(&redis).await?,
            child,
            address,
            _output: output,
            _data: data,
        })
    }

    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

pub async fn measure(edge: &Edge, share: usize, report: &mut Report) -> Result<()> {
    latency(edge, 200 / share, report).await?;
    throughput(edge, 100 / share, report).await?;
    for followers in [10, 1_000 / share] {
        fan_out(edge, followers, 200 / share, report).await?;
    }
    Ok(())
}

/// Ten users in five rooms, each ten messages a second: an edge with time to spare.
async fn latency(edge: &Edge, messages: usize, report: &mut Report) -> Result<()> {
    const USERS: usize = 10;
    let mut users = JoinSet::new();
    let ready = Arc::new(Barrier::new(USERS));
    for user in 0..USERS {
        let room = format!("latency-{}", user / 2);
        let (address, ready) = (edge.address, Arc::clone(&ready));
        users.spawn(async move {
            let mut speaker = Client::open(address, user, &format!("ada{user}"), &room).await?;
            let mut follower = Client::open(address, user, &format!("bob{user}"), &room).await?;
            ready.wait().await;
            // Evenly spread, so that they do not wait for each other.
            sleep(PAUSE * u32::try_from(user)? / u32::try_from(USERS)?).await;
            let mut ticks = interval(PAUSE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let (mut acks, mut deliveries) = (Vec::new(), Vec::new());
            for number in 0..messages {
                ticks.tick().await;
                let id = format!("m{user}-{number}");
                let began = Instant::now();
                speaker.say(&room, &id).await?;
                let (ack, delivery) = tokio::join!(
                    speaker.until("ack", &id, began),
                    follower.until("message", &id, began)
                );
                acks.push(ack?);
                deliveries.push(delivery?);
            }
            anyhow::Ok((acks, deliveries))
        });
    }
    let (mut acks, mut deliveries) = (Vec::new(), Vec::new());
    while let Some(done) = users.join_next().await {
        let (acked, delivered) = done??;
        acks.extend(acked);
        deliveries.extend(delivered);
    }
    let what = "from send to ack, 100 messages a second";
    report.times(PART, what, &mut acks);
    let what = "from send to delivery, 100 messages a second";
    report.times(PART, what, &mut deliveries);
    Ok(())
}

/// Two hundred users in forty rooms, each with the next message as soon as the last is acknowledged:
/// more than two cores can do within their paces.
async fn throughput(edge: &Edge, messages: usize, report: &mut Report) -> Result<()> {
    const USERS: usize = 200;
    const ROOMS: usize = 40;
    let mut users = JoinSet::new();
    let ready = Arc::new(Barrier::new(USERS + 1));
    for user in 0..USERS {
        let room = format!("throughput-{}", user % ROOMS);
        let (address, ready) = (edge.address, Arc::clone(&ready));
        users.spawn(async move {
            let mut speaker = Client::open(address, user, &format!("cyd{user}"), &room).await?;
            ready.wait().await;
            for number in 0..messages {
                let id = format!("m{user}-{number}");
                let began = Instant::now();
                speaker.say(&room, &id).await?;
                speaker.until("ack", &id, began).await?;
            }
            anyhow::Ok(())
        });
    }
    ready.wait().await;
    let used = (cpu_time(&edge.process)?, cpu_time(&edge.redis_process)?);
    let began = Instant::now();
    while let Some(done) = users.join_next().await {
        done??;
    }
    let took = began.elapsed().as_secs_f64();
    let count = (USERS * messages) as f64;
    let edge_time = (cpu_time(&edge.process)? - used.0).as_secs_f64();
    let redis_time = (cpu_time(&edge.redis_process)? - used.1).as_secs_f64();
    let what = "acknowledged a second, 200 users in 40 rooms";
    report.add(PART, what, count / took, "messages");
    let what = "acknowledged for each second of the edge's CPU";
    report.add(PART, what, count / edge_time, "messages");
    report.add(
        PART,
        "a message to 5 readers",
        edge_time * 1e6 / count,
        "µs of the edge's CPU",
    );
    report.add(
        PART,
        "a message",
        redis_time * 1e6 / count,
        "µs of Redis' CPU",
    );
    Ok(())
}

/// One room with so many followers.
async fn fan_out(
    edge: &Edge,
    followers: usize,
    messages: usize,
    report: &mut Report,
) -> Result<()> {
    let room = format!("crowd-{followers}");
    let mut reading = JoinSet::new();
    let ready = Arc::new(Barrier::new(followers + 1));
    let last = format!("m{}", messages - 1);
    for follower in 0..followers {
        let (address, ready) = (edge.address, Arc::clone(&ready));
        let (room, last) = (room.clone(), last.clone());
        reading.spawn(async move {
            let name = format!("dan{follower}");
            let mut client = Client::open(address, follower, &name, &room).await?;
            ready.wait().await;
            client.until("message", &last, Instant::now()).await
        });
    }
    let mut speaker = Client::open(edge.address, followers, "eve", &room).await?;
    timeout(PATIENCE, ready.wait()).await?;
    let used = cpu_time(&edge.process)?;
    for number in 0..messages {
        let id = format!("m{number}");
        let began = Instant::now();
        speaker.say(&room, &id).await?;
        speaker.until("ack", &id, began).await?;
    }
    while let Some(done) = reading.join_next().await {
        done??;
    }
    let micros = (cpu_time(&edge.process)? - used).as_secs_f64() * 1e6;
    let what = format!("a message to {followers} readers, alone");
    report.add(PART, what, micros / messages as f64, "µs of the edge's CPU");
    Ok(())
}

/// One connection in one room.
struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// `number` chooses the address that it comes from.
    async fn open(edge: SocketAddr, number: usize, user: &str, room: &str) -> Result<Self> {
        let [high, low] = u16::try_from(number)?.to_be_bytes();
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 1, high, low), 0).into())?;
        let stream = socket.connect(edge).await?;
        stream.set_nodelay(true)?;
        let mut upgrade = format!("ws://{edge}/ws").into_client_request()?;
        let protocol = HeaderValue::from_static("clustertalk.v1");
        upgrade
            .headers_mut()
            .insert("sec-websocket-protocol", protocol);
        let (socket, _) = client_async(upgrade, stream).await?;
        let mut client = Self(socket);
        let hello = json!({ "type": "hello", "user": user, "rooms": [{ "room": room }] });
        client.send(hello).await?;
        while client.next().await?["type"] != "joined" {}
        Ok(client)
    }

    async fn send(&mut self, frame: Value) -> Result<()> {
        Ok(self.0.send(Message::text(frame.to_string())).await?)
    }

    async fn say(&mut self, room: &str, id: &str) -> Result<()> {
        let text = format!("Has anyone tried the new build on the train today? {id}");
        let frame = json!({ "type": "send", "room": room, "id": id, "text": text });
        self.send(frame).await
    }

    /// Reads to the frame of this type and id; answers how long after `began` it came.
    async fn until(&mut self, kind: &str, id: &str, began: Instant) -> Result<Duration> {
        loop {
            let frame = self.next().await?;
            if frame["type"] == kind && frame["id"] == id {
                return Ok(began.elapsed());
            }
            ensure!(frame["type"] != "error", "{frame}");
        }
    }

    async fn next(&mut self) -> Result<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await? {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text)?),
                Some(Ok(Message::Close(frame))) => bail!("closed: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the connection ended"),
            }
        }
    }
}
