//! What a socket costs: resident memory of an idle one, and CPU time of a delivery.
//!
//! They are served to a second process of this program. Each process needs one file a connection.

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

use crate::{
    process::{cpu_time, resident_bytes},
    report::Report,
};

const PART: &str = "sockets";
const ROUNDS: usize = 40;
const MESSAGE_BYTES: usize = 200;

/// The first argument of the second process.
pub const CLIENTS: &str = "clients";

/// Resident memory of so many idle connections, and CPU time of deliveries to all of them.
pub async fn measure(count: usize, is_tls: bool, report: &mut Report) -> Result<()> {
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
        .args([CLIENTS, &address.to_string(), &count.to_string()])
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
    let name = |what: &str| match is_tls {
        true => format!("{what}, TLS"),
        false => what.to_owned(),
    };
    let idle = kib(resident_bytes()?);
    report.add(PART, name("an idle connection"), idle, "KiB resident");
    for frames in [1, 8] {
        let micros = deliver(&server, frames).await?.as_secs_f64() * 1e6;
        let deliveries = (ROUNDS / frames * frames * count) as f64;
        let what = match frames {
            1 => name("a delivery alone"),
            frames => name(&format!("a delivery, {frames} a write")),
        };
        report.add(PART, what, micros / deliveries, "µs of CPU");
    }
    clients.kill().await?;
    Ok(())
}

/// Sends to all sockets in rounds of so many frames; gives the CPU time that took.
async fn deliver(server: &Server<Silent>, frames: usize) -> Result<Duration> {
    let message = "x".repeat(MESSAGE_BYTES);
    let begun = cpu_time("self")?;
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
    Ok(cpu_time("self")? - begun)
}

/// The second process: opens connections and reads what comes.
pub async fn run_clients(address: SocketAddr, count: usize, trusted: Option<&Path>) -> Result<()> {
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
