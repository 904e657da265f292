//! Redis over TLS: `rediss://`.

use rustix::process::Signal;

use super::{
    client::{Client, Reader},
    command_line::sentence,
    harness::{RedisServer, Site, ask, free_port},
    http_client::Events,
    tls::Authority,
};

/// A Redis that speaks TLS too, and asks for certificates of the same authority.
pub struct SecureRedis {
    pub server: RedisServer,
    pub authority: Authority,
    pub tls_port: u16,
}

impl SecureRedis {
    pub async fn start() -> Self {
        let authority = Authority::new();
        authority.certify_as(&["localhost"], |_| {});
        let tls_port = free_port();
        let path = |name| authority.path(name).display().to_string();
        let flags = [
            ("--tls-port", tls_port.to_string()),
            ("--tls-cert-file", path("edge.pem")),
            ("--tls-key-file", path("edge.key")),
            ("--tls-ca-cert-file", path("ca.pem")),
        ];
        let flags = flags
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        Self {
            server: RedisServer::start_with(flags.collect()).await,
            authority,
            tls_port,
        }
    }

    pub fn url(&self) -> String {
        format!("rediss://localhost:{}", self.tls_port)
    }

    /// What an edge needs to know of it; its certificate is as good for a client.
    pub fn flags(&self) -> [String; 3] {
        let path = |name| self.authority.path(name).display().to_string();
        [
            format!("--redis-ca={}", path("ca.pem")),
            format!("--redis-certificate={}", path("edge.pem")),
            format!("--redis-key={}", path("edge.key")),
        ]
    }
}

#[tokio::test]
async fn an_edge_a_chat_and_a_stream_go_over_tls_to_redis_and_come_back_after_a_restart() {
    let mut redis = SecureRedis::start().await;
    let site = Site::new();
    let edge = site
        .start(site.up_on(&redis.url()).args(redis.flags()))
        .await;
    let (mut ada, joined) = Client::resume(edge.address, "ada", "general", None).await;
    let mut reader = Reader::new(&joined);
    let mut events = Events::open(edge.address, "general", None).await;
    events.next().await;
    let last = ada.store("general", "m1", "hello").await;
    reader.follow(&mut ada, &last).await;
    assert_eq!(events.next().await.data["id"], "m1");

    // All of it came that way: the plain port has this connection only.
    let mut plain = redis.server.connection().await;
    let clients: String = ask(&mut plain, "CLIENT LIST").await;
    let secure = format!(" laddr=127.0.0.1:{} ", redis.tls_port);
    let (over_tls, other): (Vec<_>, Vec<_>) =
        clients.lines().partition(|line| line.contains(&secure));
    assert!(over_tls.len() >= 3, "{clients}");
    assert_eq!(other.len(), 1, "{clients}");

    redis.server.kill().await;
    redis.server.restart().await;
    let last = ada.persist("general", "m2", "again").await;
    reader.follow(&mut ada, &last).await;
    edge.signal(Signal::TERM);
    assert_eq!(ada.closed().await, 4502);
}

#[tokio::test]
async fn a_redis_that_cannot_prove_itself_is_not_spoken_to() {
    let redis = SecureRedis::start().await;
    let site = Site::new();
    let [ca, certificate, key] = redis.flags();
    let stranger = Authority::new();
    let other = format!("--redis-ca={}", stranger.path("ca.pem").display());

    for authority in [None, Some(&other)] {
        let told = sentence(
            site.up_on(&redis.url())
                .args([&certificate, &key])
                .args(authority),
        )
        .await;
        assert!(told.contains("invalid peer certificate"), "{told}");
    }
    let told = sentence(site.up_on(&redis.url()).arg(&ca)).await;
    assert!(told.contains("cannot reach Redis at rediss://"), "{told}");

    // A name that the certificate does not have.
    let url = format!("rediss://127.0.0.1:{}", redis.tls_port);
    let told = sentence(site.up_on(&url).args(redis.flags())).await;
    assert!(told.contains("invalid peer certificate"), "{told}");

    // Certificates where nothing is encrypted are a misunderstanding.
    let told = sentence(site.up_on(&redis.server.url()).args(redis.flags())).await;
    assert!(
        told.starts_with("--redis-ca: nothing would be encrypted"),
        "{told}"
    );
    let told = sentence(site.up_on(&redis.url()).args([&ca, &key])).await;
    assert_eq!(told, "--redis-key: `redis-certificate` is missing");
}
