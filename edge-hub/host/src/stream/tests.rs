use std::{sync::Arc, time::Duration};

use rcgen::{CertificateParams, KeyPair};
use tokio::{
    io::AsyncReadExt,
    net::TcpSocket,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{PrivatePkcs8KeyDer, ServerName},
    },
};

use super::*;
use crate::{
    queue::{DEFAULT_QUEUE_BYTES, Pushed, Queue},
    server::listen,
    socket::{self, Cause, Handler, Limits, Next},
    websocket::{close_code, encode_close, encode_text},
};

/// For what must come; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// An application that says nothing.
struct Silent;

impl Handler for Silent {
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

/// Both ends of a TLS connection.
async fn pair() -> (client::TlsStream<TcpStream>, Stream) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let peer = TcpSocket::new_v4().unwrap();
    peer.set_recv_buffer_size(4096).unwrap();
    let (peer, accepted) = tokio::join!(
        peer.connect(listener.local_addr().unwrap()),
        listener.accept()
    );
    let connector = TlsConnector::from(Arc::new(client));
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let (peer, stream) = tokio::join!(
        connector.connect(ServerName::try_from("localhost").unwrap(), peer.unwrap()),
        acceptor.accept(accepted.unwrap().0)
    );
    (peer.unwrap(), Stream::Tls(Box::new(stream.unwrap())))
}

#[tokio::test]
async fn what_tls_holds_back_is_sent_though_nothing_follows_it() {
    let (mut peer, stream) = pair().await;
    let queue = Arc::new(Queue::new(DEFAULT_QUEUE_BYTES));
    let run = socket::run(stream, b"", Arc::clone(&queue), Limits::default(), Silent);
    let task = tokio::spawn(run);
    let frame = encode_text(&"x".repeat(10_000));
    let mut sent = Vec::new();
    // Until the kernel and TLS hold all that they take.
    while queue.bytes() < 50_000 {
        assert_eq!(queue.push(frame.clone()), Pushed::Queued);
        sent.extend_from_slice(&frame);
        sleep(Duration::from_millis(2)).await;
    }
    let mut heard = vec![0; sent.len()];
    timeout(PATIENCE, peer.read_exact(&mut heard))
        .await
        .expect("something was held back")
        .unwrap();
    assert!(heard == sent);

    assert_eq!(queue.push(frame.clone()), Pushed::Queued);
    queue.close_with(close_code::DRAINING, "bye");
    let mut rest = Vec::new();
    // Without TLS' own end this would be an error: what is cut off must not pass for whole.
    let whole = timeout(PATIENCE, peer.read_to_end(&mut rest)).await;
    whole.expect("an end").expect("an end in order");
    let close = encode_close(close_code::DRAINING, "bye");
    assert!(rest == [frame, close].concat());
    drop(peer);
    let cause = timeout(PATIENCE, task).await.unwrap().unwrap();
    assert_eq!(cause, Cause::Host(close_code::DRAINING));
}
