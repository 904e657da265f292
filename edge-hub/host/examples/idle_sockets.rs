//! What a socket costs: resident memory of an idle one, and CPU time of a delivery.
//!
//! `cargo run -p clustertalk-host --example idle_sockets [CONNECTIONS [tls]]` serves that many
//! (10,000) to a second process of itself and prints the figures. Linux only. Each process needs one
//! file a connection.

use std::{
    convert::Infallible, fs, io, net::SocketAddr, path::Path, process::Stdio, sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use clustertalk_host::{
    config::TlsFiles,
    queue::Pushed,
    server::{Body, Options, Refusal, Server, Service, Tls, Upgrade, listen},
    socket::{Cause, Handler, Next},
    websocket::encode_text,
};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    task::{JoinSet, yield_now},
    time::sleep,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 40;
const MESSAGE_BYTES: usize = 200;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [clients, address, count, trusted @ ..] if clients == "clients" => {
            let trusted = trusted.first().map(Path::new);
            run_clients(address.parse()?, count.parse()?, trusted).await
        }
        [] => measure(10_000, false).await,
        [count] => measure(connections(count)?, false).await,
        [count, tls] if tls == "tls" => measure(connections(count)?, true).await,
        _ => anyhow::bail!("usage: idle_sockets [CONNECTIONS [tls]]"),
    }
}

fn connections(text: &str) -> Result<usize> {
    text.parse()
        .context("the argument is a number of connections")
}

async fn measure(count: usize, is_tls: bool) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = TlsFiles {
        certificate: folder.path().join("edge.pem"),
        key: folder.path().join("edge.key"),
    };
    let mut tls = None;
    if is_tls {
        let key = rcgen::KeyPair::generate()?;
        let names = ["localhost".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)?.self_signed(&key)?;
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        tls = Some(Tls::load(files.clone()).await?);
    }
    let options = Options {
        tls,
        connections: count,
        connections_per_address: count,
        ..Options::default()
    };
    let server = Server::new(Silent, options);
    let listener = listen(([127, 0, 0, 1], 0).into())?;
    let address = listener.local_addr()?;
    let serving = Arc::clone(&server);
    tokio::spawn(async move {
        serving
            .serve(vec![listener], CancellationToken::new())
            .await
    });

    let before = resident_bytes()?;
    let trusted = is_tls.then_some(&files.certificate);
    let mut clients = Command::new(std::env::current_exe()?)
        .args(["clients", &address.to_string(), &count.to_string()])
        .args(trusted)
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    while server.registry().len() < count {
        anyhow::ensure!(clients.try_wait()?.is_none(), "the clients have failed");
        sleep(Duration::from_millis(20)).await;
    }
    // The last handshakes end.
    sleep(Duration::from_millis(500)).await;
    let kib = |bytes: u64| (bytes - before) as f64 / 1024.0 / count as f64;
    println!("{count} connections");
    println!(
        "idle: {:.2} KiB resident a connection",
        kib(resident_bytes()?)
    );
    for frames in [1, 8] {
        let micros = deliver(&server, frames).await?.as_secs_f64() * 1e6;
        let deliveries = (ROUNDS / frames * frames * count) as f64;
        println!(
            "{frames} frames a write: {:.2} us of CPU a delivery",
            micros / deliveries
        );
    }
    println!(
        "after traffic: {:.2} KiB resident a connection",
        kib(resident_bytes()?)
    );
    clients.kill().await?;
    Ok(())
}

/// Sends to all sockets in rounds of so many frames; gives the CPU time that took.
async fn deliver(server: &Server<Silent>, frames: usize) -> Result<Duration> {
    let message = "x".repeat(MESSAGE_BYTES);
    let begun = cpu_time()?;
    for _ in 0..ROUNDS / frames {
        let round: Vec<Bytes> = (0..frames).map(|_| encode_text(&message)).collect();
        for queue in server.registry().queues() {
            for frame in &round {
                anyhow::ensure!(
                    queue.push(frame.clone()) == Pushed::Queued,
                    "a client is slow"
                );
            }
        }
        while server.registry().queue_bytes() > 0 {
            yield_now().await;
            sleep(Duration::from_millis(5)).await;
        }
    }
    Ok(cpu_time()? - begun)
}

async fn run_clients(address: SocketAddr, count: usize, trusted: Option<&Path>) -> Result<()> {
    let connector = trusted.map(connector).transpose()?;
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let stream = TcpStream::connect(address).await?;
        match &connector {
            None => clients.spawn(listen_on(stream)),
            Some(connector) => {
                let name = ServerName::try_from("localhost")?;
                clients.spawn(listen_on(connector.connect(name, stream).await?))
            }
        };
    }
    clients
        .join_next()
        .await
        .context("there are no clients")???;
    anyhow::bail!("the server closed a connection")
}

async fn listen_on(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    stream.write_all(HANDSHAKE.as_bytes()).await?;
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn connector(trusted: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: clustertalk.v1\r\n\r\n";

fn resident_bytes() -> Result<u64> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .context("statm has a second field")?
        .parse()?;
    Ok(pages * 4096)
}

fn cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("stat names the process")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    // User and system time, in ticks of 10 ms.
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// An application that says nothing.
struct Silent;

struct SilentHandler;

impl Service for Silent {
    type Handler = SilentHandler;

    async fn respond(&self, _: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        Response::new(
            Empty::new()
                .map_err(|never: Infallible| match never {})
                .boxed_unsync(),
        )
    }

    fn is_websocket(&self, _: &str) -> bool {
        true
    }

    fn accept_websocket(&self, _: Upgrade<'_>) -> Result<SilentHandler, Refusal> {
        Ok(SilentHandler)
    }
}

impl Handler for SilentHandler {
    async fn opened(&mut self) -> Next {
        Next::default()
    }

    async fn text(&mut self, _: String) -> Next {
        Next::default()
    }

    async fn woken(&mut self) -> Next {
        Next::default()
    }

    async fn closed(self, _: Cause) {}
}
