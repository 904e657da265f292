//! Alone in its process, since it lowers the process's limit of open files.
#![cfg(target_os = "linux")]

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use clustertalk_host::{
    server::{Body, Options, Refusal, Server, Service, Upgrade, listen},
    socket::{Cause, Handler, Next},
};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, body::Incoming};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// For what must come; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn accepting_goes_on_after_the_process_ran_out_of_files() {
    let server = Server::new(Plain, Options::default());
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Arc::clone(&server);
    tokio::spawn(async move {
        serving
            .serve(vec![listener], CancellationToken::new())
            .await
    });
    ask(address).await.unwrap();

    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let limit = Rlimit {
        current: Some(open + 20),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let mut clients = Vec::new();
    while let Ok(client) = TcpStream::connect(address).await {
        clients.push(client);
    }
    let failed = async {
        while server.counters().accept_errors() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, failed)
        .await
        .expect("accepting fails for want of files");

    clients.clear();
    timeout(PATIENCE, ask(address)).await.unwrap().unwrap();
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut client = TcpStream::connect(address).await?;
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}

/// An application of plain requests.
struct Plain;

struct Nobody;

impl Service for Plain {
    type Handler = Nobody;

    async fn respond(&self, _: Request<Incoming>, _: SocketAddr) -> Response<Body> {
        Response::new(
            Empty::new()
                .map_err(|never: Infallible| match never {})
                .boxed_unsync(),
        )
    }

    fn is_websocket(&self, _: &str) -> bool {
        false
    }

    fn accept_websocket(&self, _: Upgrade<'_>) -> Result<Nobody, Refusal> {
        Ok(Nobody)
    }
}

impl Handler for Nobody {
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
