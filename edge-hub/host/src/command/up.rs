//! `clustertalk up`: the edge, from its parts to its end.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clustertalk_core::{limits::Limits, redis::Keyspace};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    application::Application,
    config::{Environment, Up},
    edge::{Edge, EdgeService},
    local_redis::LocalRedis,
    relay::Relay,
    sandbox::{PoolLimits, RedisPool, Sandbox},
    server::{Options, Origins, Server, listen},
    store::Store,
};

/// How long it may take to clear the presence of this edge at the end; others sweep the rest.
const LEAVING: Duration = Duration::from_secs(2);

/// Runs the edge until Ctrl-C or SIGTERM.
pub async fn run(up: Up, environment: Environment) -> Result<()> {
    // Listened for from the start, so that a Ctrl-C while components compile ends this as well.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let anonymous = anonymous(&up)?;
    let origins = origins(&up)?;
    let listener = listen(up.listen).with_context(|| {
        format!("cannot listen on {}; if another edge runs there, stop it or give `--listen 127.0.0.1:PORT`", up.listen)
    })?;
    std::fs::create_dir_all(&up.data)
        .with_context(|| format!("cannot create {}", up.data.display()))?;

    let (mut local, redis_url) = match environment.redis(up.redis.as_deref()) {
        Some(url) => (None, url),
        None => {
            let local = tokio::select! {
                local = LocalRedis::start(&up.data) => local?,
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            };
            let url = local.url().to_owned();
            (Some(local), url)
        }
    };
    let serving = async {
        tokio::select! {
            started = start(&up, &environment, &redis_url, anonymous) => match started {
                Ok(edge) => serve(&up, edge, listener, origins, &redis_url, &mut interrupt, &mut terminate).await,
                Err(error) => Err(error),
            },
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    };
    let supervising = async {
        match &mut local {
            Some(local) => local.supervise().await,
            None => std::future::pending().await,
        }
    };
    let served = tokio::select! {
        served = serving => served,
        never = supervising => match never {},
    };
    if let Some(local) = local {
        local.stop().await;
    }
    served
}

async fn start(
    up: &Up,
    environment: &Environment,
    redis_url: &str,
    anonymous: bool,
) -> Result<Arc<Edge>> {
    let application = application(up, environment, redis_url, anonymous)?;
    let prefix = application
        .variables
        .get("redis_prefix")
        .map_or("ct", String::as_str);
    let keyspace =
        Keyspace::new(prefix).context("the variable `redis_prefix` of the application")?;
    let id = edge_id();
    let store = Store::new(redis_url, keyspace, id.clone(), Limits::default())
        .with_context(|| format!("`{}` is not the URL of a Redis", shown(redis_url)))?;
    store.version().await.with_context(|| {
        format!("cannot reach Redis at {}; start it, or leave out `--redis` and REDIS_URL for a private one", shown(redis_url))
    })?;
    let pool = Arc::new(RedisPool::new(PoolLimits::default()));
    let sandbox = Sandbox::start(&application, &up.data, pool).await?;
    tokio::spawn(sandbox.clone().watch());
    let relay = Relay::new(store);
    Ok(Edge::new(id, application, sandbox, relay, anonymous))
}

/// Reads the manifest with the variables that the command line and the environment decide.
pub fn application(
    up: &Up,
    environment: &Environment,
    redis_url: &str,
    anonymous: bool,
) -> Result<Application> {
    let mut given: BTreeMap<String, String> = environment.spin_variables.clone();
    given.insert("redis_url".to_owned(), redis_url.to_owned());
    given.insert("anonymous".to_owned(), anonymous.to_string());
    Ok(Application::load(&up.manifest, &given)?)
}

async fn serve(
    up: &Up,
    edge: Arc<Edge>,
    listener: tokio::net::TcpListener,
    origins: Origins,
    redis_url: &str,
    interrupt: &mut tokio::signal::unix::Signal,
    terminate: &mut tokio::signal::unix::Signal,
) -> Result<()> {
    let address = listener.local_addr()?;
    let server = Server::new(
        EdgeService(Arc::clone(&edge), origins.clone()),
        Options {
            origins,
            ..Options::default()
        },
    );
    edge.watch_sockets(Arc::clone(server.registry()));
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (server, shutdown) = (Arc::clone(&server), shutdown.clone());
        async move { server.serve(vec![listener], shutdown).await }
    });
    println!("ClusterTalk Edge is up: http://{address}");
    println!(
        "  Redis: {}   (look inside: {})",
        shown(redis_url),
        redis_cli(redis_url)
    );
    println!("  Stop with Ctrl-C.");

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    println!("stopping: clients are told to resume");
    edge.begin_draining();
    shutdown.cancel();
    let drain = Duration::from_secs(up.drain);
    let _ = timeout(drain, async {
        server.registry().drain(drain / 4).await;
        server.registry().emptied().await;
    })
    .await;
    // Above all for those whose sockets did not close in time.
    let _ = timeout(LEAVING, edge.relay().leave_everywhere()).await;
    serving.abort();
    Ok(())
}

fn anonymous(up: &Up) -> Result<bool> {
    if up.listen.ip().is_loopback() || up.allow_anonymous {
        return Ok(true);
    }
    bail!(
        "{} is not a loopback address, and tokens are not supported yet, so anyone who reaches it could \
         speak under any name; if that is wanted, add `--allow-anonymous`",
        up.listen.ip()
    );
}

fn origins(up: &Up) -> Result<Origins> {
    if up.allow_any_origin {
        return Ok(Origins::Any);
    }
    if let Some(bad) = up.origins.iter().find(|origin| !is_origin(origin)) {
        bail!(
            "`--origin {bad}` is not an origin; give scheme and host without a path, such as https://chat.example.org"
        );
    }
    Ok(match &up.origins[..] {
        [] => Origins::for_address(up.listen),
        listed => Origins::Listed(listed.to_vec()),
    })
}

fn is_origin(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && !text.ends_with('/')
            && url.path() == "/"
    })
}

/// Unpredictable enough that no two starts share one: the members of an earlier run must not be
/// taken for ours.
fn edge_id() -> String {
    let seconds = crate::clock::now().as_millis() / 1000;
    format!("{seconds:x}{:08x}", fastrand::u32(..))
}

/// A URL as it may be shown: without its password, which may stand in the query of a socket's path.
pub fn shown(url: &str) -> String {
    let Ok(mut parsed) = url::Url::parse(url) else {
        return "(not a URL)".to_owned();
    };
    if parsed.password().is_some() {
        let _ = parsed.set_password(Some("***"));
    }
    parsed.set_query(None);
    parsed.to_string()
}

fn redis_cli(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.host_str() == Some("127.0.0.1") && parsed.password().is_none() => {
            format!("redis-cli -p {}", parsed.port().unwrap_or(6379))
        }
        _ => format!("redis-cli -u {}", shown(url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        for (url, expected) in [
            ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
            ("redis://:secret@host:1", "redis://:***@host:1"),
            ("rediss://ada:secret@host/2", "rediss://ada:***@host/2"),
            (
                "unix:///run/redis.sock?pass=secret",
                "unix:///run/redis.sock",
            ),
            ("secret", "(not a URL)"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
