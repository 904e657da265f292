//! Edges behind a certificate.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use clustertalk_host::http_client::{connect, host};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

use super::{
    client::{Client, Handshake, Reader, flood},
    command_line::{run, sentence},
    harness::{Edge, RedisServer, Site, clustertalk, eventually, within},
};

/// An authority of a test's own, and the files of the edge that it certifies.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = "authority of a test";
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("a file");
        Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a new certificate and its key into the edge's files.
    pub fn certify(&self) -> CertificateDer<'static> {
        self.certify_as(&["localhost", "127.0.0.1"], |_| {})
    }

    /// The same for other names, and with what else differs.
    pub fn certify_as(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "edge");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(self.path("edge.pem"), certificate.pem()).expect("a file");
        std::fs::write(self.path("edge.key"), key.serialize_pem()).expect("a file");
        certificate.der().clone()
    }

    pub fn flags(&self) -> [String; 2] {
        let path = |name| self.path(name).display().to_string();
        [
            format!("--tls-certificate={}", path("edge.pem")),
            format!("--tls-key={}", path("edge.key")),
        ]
    }

    async fn edge(&self, site: &Site, redis: &RedisServer) -> Edge {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        site.edge_with(redis, &flags).await
    }

    /// A connection of one who trusts this authority only.
    async fn dial(&self, tcp: TcpStream) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = within("a handshake", connector.connect(name, tcp)).await;
        stream.expect("an edge with a certificate of this authority")
    }

    async fn client(&self, address: SocketAddr) -> Client {
        let tcp = TcpStream::connect(address).await.expect("an edge");
        self.client_on(tcp, address).await
    }

    async fn client_on(&self, tcp: TcpStream, address: SocketAddr) -> Client {
        let stream = Box::new(self.dial(tcp).await);
        let client = Client::over(stream, address, &Handshake::default()).await;
        client.unwrap_or_else(|status| panic!("the upgrade was refused with {status}"))
    }

    /// What the edge shows to who connects next.
    async fn shown(&self, address: SocketAddr) -> CertificateDer<'static> {
        let tcp = TcpStream::connect(address).await.expect("an edge");
        let stream = self.dial(tcp).await;
        let shown = stream.get_ref().1.peer_certificates().expect("a chain");
        shown[0].clone().into_owned()
    }
}

#[tokio::test]
async fn a_chat_over_tls_is_whole_and_a_slow_reader_of_it_is_closed_alone() {
    let redis = RedisServer::start().await;
    let site = Site::new();
    let authority = Authority::new();
    authority.certify();
    let (plain, secure) = tokio::join!(site.edge(&redis), authority.edge(&site, &redis));
    let mut ada = authority.client(secure.address).await;
    let joined = ada.hello("ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let slow = TcpSocket::new_v4().expect("a socket");
    slow.set_recv_buffer_size(4096).expect("a buffer");
    let slow = slow.connect(secure.address).await.expect("an edge");
    let mut slow = authority.client_on(slow, secure.address).await;
    slow.hello("slow", "general", None).await;

    // More than the slow one's queue, TLS and the kernel hold together.
    const MESSAGES: usize = 400;
    let text = "y".repeat(3_500);
    let flooding = flood(plain.address, "general", "x", MESSAGES, &text);
    let reading = async {
        while reader.messages.len() < MESSAGES {
            reader.take(&ada.take("message").await);
        }
    };
    let (stored, ()) = tokio::join!(flooding, reading);
    let (_, last) = stored.last().expect("messages");
    assert_eq!(&reader.position, last);
    assert_eq!(slow.closed().await, 4501);
    assert!(slow.kept("message").len() < stored.len());

    // Pages wait for the socket, of which TLS holds back some.
    let start = serde_json::json!({ "seq": 0, "tag": "0000000000000000" });
    let mut bob = authority.client(secure.address).await;
    let joined = bob.hello("bob", "general", Some(&start)).await;
    let mut reader = Reader::at(start);
    reader.take(&joined);
    assert!(reader.page(&mut bob, &joined).await > 10);
    assert_eq!(&reader.position, last);
    let mine = bob.store("general", "m1", "hello").await;
    reader.follow(&mut bob, &mine).await;

    secure.signal(Signal::TERM);
    bob.take("draining").await;
    assert_eq!(bob.closed().await, 4502);
}

#[tokio::test]
async fn a_page_over_tls_is_told_to_use_tls_and_so_are_the_commands() {
    let redis = RedisServer::start().await;
    let authority = Authority::new();
    authority.certify();
    let edge = authority.edge(&Site::new(), &redis).await;
    let url = format!("https://localhost:{}", edge.address.port());
    let ca = authority.path("ca.pem");
    let parsed = url.parse().expect("a URL");
    let mut sender = connect(&parsed, Some(&ca)).await.expect("a connection");
    let request = Request::get("/api/v1/config").header("host", host(&parsed));
    let request = request.body(Full::default()).expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let config: Value = serde_json::from_slice(&body).expect("JSON");
    let socket = format!("wss://localhost:{}/ws", edge.address.port());
    assert_eq!(config["websocket_url"], socket);

    let send = || {
        let mut command = clustertalk("send");
        command.args(["--url", &url, "hello"]);
        command
    };
    let (code, output, error) = run(send().arg("--ca").arg(&ca)).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(output.starts_with("#general 1-"), "{output}");
    let told = sentence(&mut send()).await;
    assert!(told.contains("UnknownIssuer"), "{told}");
}

#[tokio::test]
async fn certificates_are_replaced_beneath_open_sockets_and_a_broken_one_is_not_taken() {
    let redis = RedisServer::start().await;
    let authority = Authority::new();
    let first = authority.certify();
    let edge = authority.edge(&Site::new(), &redis).await;
    let mut ada = authority.client(edge.address).await;
    ada.hello("ada", "general", None).await;
    assert_eq!(authority.shown(edge.address).await, first);

    let second = authority.certify();
    let serves = async |what: &str, certificate: &CertificateDer<'_>| {
        eventually(what, async || {
            (&authority.shown(edge.address).await == certificate).then_some(())
        })
        .await;
    };
    serves("the second certificate", &second).await;

    std::fs::write(
        authority.path("edge.pem"),
        "-----BEGIN CERTIFICATE-----\nbroken",
    )
    .expect("a file");
    eventually("a word about it", async || {
        let said = edge.log().contains("the new certificate is not taken");
        said.then_some(())
    })
    .await;
    assert_eq!(authority.shown(edge.address).await, second);

    let third = authority.certify();
    edge.signal(Signal::HUP);
    serves("the third certificate", &third).await;
    ada.store("general", "m1", "still the first handshake")
        .await;
}

#[tokio::test]
async fn an_edge_does_not_start_with_the_key_of_another_certificate() {
    let redis = RedisServer::start().await;
    let authority = Authority::new();
    authority.certify();
    let key = std::fs::read(authority.path("edge.key")).expect("a key");
    authority.certify();
    std::fs::write(authority.path("edge.key"), key).expect("a file");
    let site = Site::new();
    let mut up = site.up_on(&redis.url());
    let told = sentence(up.args(authority.flags())).await;
    assert!(told.contains("edge.key: is not the key of "), "{told}");
    std::fs::write(authority.path("edge.pem"), "").expect("a file");
    let told = sentence(&mut up).await;
    assert!(
        told.contains("edge.pem: holds no certificate in PEM"),
        "{told}"
    );
}
