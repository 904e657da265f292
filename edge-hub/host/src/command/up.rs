//! `clustertalk up`: the edge, from its parts to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clustertalk_core::{protocol::ServerFrame, redis::Keyspace, time::millis};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::Admin,
    application::Application,
    config::{Config, LogFormat, RedisUrl},
    edge::{Edge, EdgeService},
    files,
    local_redis::LocalRedis,
    redis_client::RedisCertificates,
    relay::Relay,
    sandbox::{PoolLimits, RedisPool, Sandbox},
    server::{Options, Origins, Server, Tls, listen},
    socket,
    store::{Store, StoreError},
    traces,
    webhooks::Webhooks,
    websocket::encode_text,
};

/// Runs the edge until Ctrl-C or SIGTERM.
pub async fn run(config: Config) -> Result<()> {
    // Listened for from the start, so that a Ctrl-C while components compile ends this as well.
    let mut signals = Signals::new()?;
    let listeners = Listeners::open(&config).await?;
    // Before anything is started.
    anonymous(&config)?;
    if let Some(files) = files::raise_limit()
        && files < config.connections as u64 + files::SPARE
    {
        let connections = config.connections;
        tracing::warn!(
            files,
            connections,
            "there are too few files for so many connections"
        );
    }
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot create {}", config.data.display()))?;

    let (mut local, redis) = match &config.redis {
        Some(url) => (None, url.clone()),
        None => {
            let local = tokio::select! {
                local = LocalRedis::start(&config.data) => local?,
                () = signals.next() => return Ok(()),
            };
            let url = RedisUrl::new(local.url());
            (Some(local), url)
        }
    };
    let serving = async {
        let edge = tokio::select! {
            edge = start(&config, &redis) => edge?,
            () = signals.next() => return Ok(Ended::InOrder),
        };
        serve(&config, edge, listeners, &redis, &mut signals).await
    };
    let supervising = async {
        match &mut local {
            Some(local) => local.supervise().await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = serving => ended,
        never = supervising => match never {},
    };
    if let Ok(Ended::AtOnce) = ended {
        // The private Redis dies with this process; each of its commands is on the disk.
        bail!("a second signal came: what was not yet done was left");
    }
    if let Some(local) = local {
        local.stop().await;
    }
    ended.map(drop)
}

enum Ended {
    InOrder,
    /// By a second signal.
    AtOnce,
}

/// What asks for the end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

struct Listeners {
    public: TcpListener,
    admin: Option<TcpListener>,
    tls: Option<Arc<Tls>>,
}

impl Listeners {
    async fn open(config: &Config) -> Result<Self> {
        let tls = match config.tls.clone() {
            None => None,
            Some(files) => Some(Tls::load(files).await?),
        };
        let address = config.listen;
        let public = listen(address).with_context(|| {
            format!("cannot listen on {address}; if another edge runs there, stop it or give `--listen 127.0.0.1:PORT`")
        })?;
        let admin = config.admin.map(|address| {
            listen(address).with_context(|| {
                format!("cannot listen on {address} for operators; give `--admin 127.0.0.1:PORT` or `--admin off`")
            })
        });
        Ok(Self {
            public,
            admin: admin.transpose()?,
            tls,
        })
    }
}

async fn start(config: &Config, redis: &RedisUrl) -> Result<Arc<Edge>> {
    let anonymous = anonymous(config)?;
    let application = application(config, redis)?;
    let prefix = application
        .variables
        .get("redis_prefix")
        .map_or("ct", String::as_str);
    let keyspace =
        Keyspace::new(prefix).context("the variable `redis_prefix` of the application")?;
    let id = edge_id();
    if let Some(traces) = &config.traces {
        traces::start(traces, &id)?;
    }
    let limits = config.limits.clone();
    let certificates = RedisCertificates::read(&config.redis_tls)?;
    let client = certificates.client(redis.reveal());
    let store = client
        .map_err(StoreError::from)
        .and_then(|client| Store::new(client, keyspace, id.clone(), limits))
        .with_context(|| format!("`{redis}` is not the URL of a Redis"))?;
    store.version().await.with_context(|| {
        format!("cannot reach Redis at {redis}; start it, or leave out `--redis` and REDIS_URL for a private one")
    })?;
    let pool = Arc::new(RedisPool::new(PoolLimits::default(), certificates));
    let sandbox = Sandbox::start(&application, &config.data, pool).await?;
    tokio::spawn(sandbox.clone().watch());
    let told = config.webhooks.told().as_str();
    if application
        .variables
        .get("webhooks")
        .map_or("", String::as_str)
        != told
    {
        bail!(
            "{}: the hub has no variable `webhooks`, so nothing would be told; add it as in the `spin.toml` of this build",
            config.manifest.display()
        );
    }
    let webhooks = Webhooks::start(&config.webhooks, store.clone()).await?;
    let relay = Relay::new(store, webhooks);
    Ok(Edge::new(id, application, sandbox, relay, anonymous))
}

/// Whether anyone may choose a name: the application says whether tokens count.
fn anonymous(config: &Config) -> Result<bool> {
    // Asked before there is a Redis, whose address does not matter here.
    let application = load(config, "redis://127.0.0.1:6379", false)?;
    let identity = application.variables.get("identity");
    let tokens_count = identity.is_some_and(|issuers| !issuers.trim().is_empty());
    Ok(config.anonymous(tokens_count)?)
}

/// Reads the manifest with the variables that the settings decide.
pub fn application(config: &Config, redis: &RedisUrl) -> Result<Application> {
    load(config, redis.reveal(), anonymous(config)?)
}

fn load(config: &Config, redis: &str, anonymous: bool) -> Result<Application> {
    let mut given = config.spin_variables.clone();
    given.insert("redis_url".to_owned(), redis.to_owned());
    given.insert("anonymous".to_owned(), anonymous.to_string());
    let limits = serde_json::to_string(&config.limits)?;
    given.insert("limits".to_owned(), limits);
    let told = config.webhooks.told().as_str();
    given.insert("webhooks".to_owned(), told.to_owned());
    Ok(Application::load(&config.manifest, &given)?)
}

async fn serve(
    config: &Config,
    edge: Arc<Edge>,
    listeners: Listeners,
    redis: &RedisUrl,
    signals: &mut Signals,
) -> Result<Ended> {
    let address = listeners.public.local_addr()?;
    if let Some(tls) = &listeners.tls {
        tokio::spawn(Arc::clone(tls).watch());
    }
    let options = Options {
        tls: listeners.tls,
        origins: config.origins.clone(),
        socket: socket::Limits {
            message_bytes: config.limits.frame_bytes,
            ..socket::Limits::default()
        },
        connections: config.connections,
        connections_per_address: config.connections_per_address,
        ping_interval: config.limits.ping,
        ..Options::default()
    };
    let server = Server::new(
        EdgeService(Arc::clone(&edge), config.origins.clone()),
        options,
    );
    edge.serve_by(&server);
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (server, shutdown) = (Arc::clone(&server), shutdown.clone());
        async move { server.serve(vec![listeners.public], shutdown).await }
    });
    let admin = match listeners.admin {
        None => None,
        Some(listener) => {
            let address = listener.local_addr()?;
            let server = Admin::server(Arc::clone(&edge), Origins::for_address(address));
            // It answers until the process ends.
            let never = CancellationToken::new();
            tokio::spawn(async move { server.serve(vec![listener], never).await });
            Some(address)
        }
    };
    announce(config, address, admin, redis);

    signals.next().await;
    match config.log_format {
        LogFormat::Text => println!("stopping: clients are told to resume"),
        LogFormat::Json => tracing::info!("stopping: clients are told to resume"),
    }
    edge.begin_draining();
    shutdown.cancel();
    tokio::select! {
        () = drain(config.drain, &edge, &server, serving) => Ok(Ended::InOrder),
        () = signals.next() => Ok(Ended::AtOnce),
    }
}

/// Moves clients elsewhere; takes `time` at most.
async fn drain(
    time: Duration,
    edge: &Edge,
    server: &Server<EdgeService>,
    mut serving: tokio::task::JoinHandle<()>,
) {
    let end = Instant::now() + time;
    let registry = server.registry();
    let moving = async {
        registry
            .drain(time * 3 / 4, |left| {
                let after_ms = millis(left);
                encode_text(&ServerFrame::Draining { after_ms }.encode())
            })
            .await;
        std::future::pending().await
    };
    let gone = async {
        // A plain request may be about to become a socket.
        let _ = (&mut serving).await;
        registry.emptied().await;
    };
    let sockets = async {
        tokio::select! {
            () = gone => {}
            never = moving => never,
        }
    };
    let _ = timeout(time * 7 / 8, sockets).await;
    serving.abort();
    if let Some(webhooks) = edge.relay().webhooks() {
        let _ = timeout_at(end, webhooks.stop()).await;
    }
    // Above all for those whose sockets did not close in time; other edges sweep the rest.
    let _ = timeout_at(end, edge.relay().leave_everywhere()).await;
    traces::stop(end.saturating_duration_since(Instant::now())).await;
}

fn announce(config: &Config, address: SocketAddr, admin: Option<SocketAddr>, redis: &RedisUrl) {
    let shown = redis.to_string();
    let scheme = match config.tls {
        Some(_) => "https",
        None => "http",
    };
    match config.log_format {
        LogFormat::Text => {
            println!("ClusterTalk Edge is up: {scheme}://{address}");
            println!("  Redis: {shown}   (look inside: {})", redis_cli(redis));
            if let Some(admin) = admin {
                println!("  Metrics: http://{admin}/metrics");
            }
            println!("  Stop with Ctrl-C.");
        }
        LogFormat::Json => {
            let admin = admin.map(tracing::field::display);
            tracing::info!(%address, scheme, admin, redis = shown, "ClusterTalk Edge is up");
        }
    }
}

/// Unpredictable enough that no two starts share one: the members of an earlier run must not be
/// taken for ours.
fn edge_id() -> String {
    let seconds = crate::clock::now().as_millis() / 1000;
    format!("{seconds:x}{:08x}", fastrand::u32(..))
}

fn redis_cli(redis: &RedisUrl) -> String {
    match url::Url::parse(redis.reveal()) {
        Ok(parsed) if parsed.host_str() == Some("127.0.0.1") && parsed.password().is_none() => {
            format!("redis-cli -p {}", parsed.port().unwrap_or(6379))
        }
        _ => format!("redis-cli -u {redis}"),
    }
}
