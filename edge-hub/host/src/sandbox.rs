//! Components with a trigger, each call in a store of its own.
//!
//! One WebSocket event or one HTTP request is one fresh instance with a memory cap and a CPU
//! deadline; what it leaves behind is its answer. Component files are compiled once, kept on disk
//! by digest, and may be replaced at any time: a call runs wholly on the build it began with.

mod bindings;
mod cache;
mod digest;
mod engine;
mod error;
mod guard;
mod http;
mod metrics;
mod redis;
mod source;
mod stderr;
mod store;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use opentelemetry::trace::SpanKind;
use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::{self, JoinHandle},
    time::{MissedTickBehavior, interval, timeout},
};
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use self::{
    bindings::SocketHandlerPre,
    guard::Allowance,
    redis::RedisFigures,
    stderr::Stderr,
    store::{Context, State},
};
pub use self::{
    bindings::exports::clustertalk::websocket::handler::{
        Announcement, CloseCause, CloseFrame, Connection, Effect, Event, Outcome, Position,
        Subscription, User,
    },
    bindings::{clustertalk::analytics::recorder, clustertalk::moderation::moderator},
    digest::Digest,
    engine::Runtime,
    error::{CallError, LoadError},
    http::ResponseBody,
    metrics::{ComponentMetrics, Histogram, TIME_BOUNDS},
    redis::{Pending, PoolLimits, Redis, RedisConnection, RedisError, RedisPool, RedisValue},
};
pub(crate) use self::{
    guard::{Guard, Guarded, guarded_store},
    source::{Build, Source},
};
use crate::{
    application::{self, Application, Caps, MODERATOR, RECORDER, Triggers},
    policy::{Analytics, Moderation, VERDICTS},
    traces,
};

/// The longest that one event may take, waiting included.
const EVENT_WALL: Duration = Duration::from_secs(5);
/// Events under way at once; more wait, within their wall limit.
const MAX_EVENTS: usize = 256;
/// HTTP requests and streams under way at once; more are refused.
const MAX_REQUESTS: usize = 256;
/// How often component files are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

const SOCKET_HANDLER: &str = "clustertalk:websocket/handler@1.0.0";
const HTTP_HANDLER: &str = "wasi:http/incoming-handler@0.2.";

/// All components of an application. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Inner>);

struct Inner {
    runtime: Arc<Runtime>,
    guests: BTreeMap<String, Guest>,
    policies: Vec<Policy>,
    redis_figures: Arc<RedisFigures>,
    events: Semaphore,
    requests: Arc<Semaphore>,
}

enum Policy {
    Moderation(Arc<Moderation>),
    Analytics(Arc<Analytics>),
}

/// A component with a trigger.
struct Guest {
    source: Source<Prepared>,
    caps: Caps,
    context: Arc<Context>,
}

/// What it exports of what this host calls.
struct Prepared {
    socket: Option<SocketHandlerPre<State>>,
    http: Option<ProxyPre<State>>,
}

impl Sandbox {
    /// Compiles (or loads from `data`) and checks every component of the application.
    ///
    /// # Errors
    /// The first component that cannot be run.
    pub async fn start(
        application: &Application,
        data: &Path,
        redis: Arc<dyn Redis>,
    ) -> Result<Self, LoadError> {
        let runtime = Arc::new(Runtime::start(data)?);
        let redis_figures = Arc::new(RedisFigures::default());
        let mut policies = Vec::new();
        let mut loading = Vec::new();
        for (id, component) in &application.components {
            let moderation = match &component.moderation {
                None => None,
                Some(dependency) => Some(Arc::new(
                    Moderation::load(Arc::clone(&runtime), dependency).await?,
                )),
            };
            let analytics = match &component.analytics {
                None => None,
                Some(dependency) => Some(Arc::new(
                    Analytics::load(Arc::clone(&runtime), dependency).await?,
                )),
            };
            policies.extend(moderation.clone().map(Policy::Moderation));
            policies.extend(analytics.clone().map(Policy::Analytics));
            let context = Arc::new(Context {
                name: id.clone(),
                stderr: Stderr::new(id),
                variables: component.variables.clone(),
                allowed_hosts: Arc::new(component.allowed_hosts.clone()),
                redis: Arc::clone(&redis),
                redis_figures: Arc::clone(&redis_figures),
                moderation,
                analytics,
            });
            let triggers = application.routes.triggers(id);
            loading.push(Guest::load(
                Arc::clone(&runtime),
                component,
                context,
                triggers,
            ));
        }
        let mut guests = BTreeMap::new();
        for guest in loading {
            let guest = guest.await.expect("loading a component does not panic")?;
            guests.insert(guest.source.name.clone(), guest);
        }
        Ok(Self(Arc::new(Inner {
            runtime,
            guests,
            policies,
            redis_figures,
            events: Semaphore::new(MAX_EVENTS),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
        })))
    }

    /// Whether the present build of this component takes WebSockets.
    pub fn takes_websockets(&self, component: &str) -> bool {
        self.0
            .guests
            .get(component)
            .is_some_and(|guest| guest.source.current().prepared.socket.is_some())
    }

    /// Gives one event of a connection to a component. `now` is in milliseconds since the Unix
    /// epoch; `session` is what the connection's last outcome handed back.
    ///
    /// # Errors
    /// The component did not finish: the old session bytes stay valid, no effect is to be applied.
    pub async fn handle(
        &self,
        component: &str,
        now: u64,
        connection: &Connection,
        session: &[u8],
        event: &Event,
    ) -> Result<Outcome, CallError> {
        let guest = self.guest(component)?;
        let began = Instant::now();
        let call = async {
            let Ok(_slot) = self.0.events.acquire().await else {
                return Err(CallError::Busy);
            };
            guest
                .handle(&self.0.runtime, now, connection, session, event)
                .await
        };
        let called = timeout(EVENT_WALL, call);
        let called = traces::within("hub", SpanKind::Internal, called, |called| match called {
            Ok(result) => traces::Told::outcome(result),
            Err(_) => traces::Told::outcome::<()>(&Err(CallError::Wall)),
        });
        let result = match called.await {
            Ok(result) => result,
            Err(_) => Err(CallError::Wall),
        };
        guest.source.metrics.called(began.elapsed(), &result);
        result
    }

    /// Looks once at every component file, and switches to those that were replaced by something
    /// that can be run.
    pub async fn refresh(&self) {
        let sandbox = self.clone();
        let refresh = task::spawn_blocking(move || {
            let inner = &sandbox.0;
            for policy in &inner.policies {
                match policy {
                    Policy::Moderation(moderation) => moderation.refresh(),
                    Policy::Analytics(analytics) => analytics.refresh(),
                }
            }
            for guest in inner.guests.values() {
                guest.source.refresh(&inner.runtime);
            }
        });
        if let Err(error) = refresh.await {
            tracing::error!(%error, "looking for replaced components failed");
        }
    }

    /// Calls [`Sandbox::refresh`] each second until it is dropped.
    pub async fn watch(self) {
        let mut ticks = interval(WATCH_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.refresh().await;
        }
    }

    /// The counters of all components, dependencies included.
    pub fn snapshot(&self) -> Vec<ComponentMetrics> {
        let guests = self.0.guests.values().map(|guest| {
            let source = &guest.source;
            source
                .metrics
                .snapshot(&source.name, source.current().digest)
        });
        let policies = self.0.policies.iter().flat_map(|policy| match policy {
            Policy::Moderation(moderation) => moderation.snapshot(),
            Policy::Analytics(analytics) => vec![analytics.snapshot()],
        });
        guests.chain(policies).collect()
    }

    /// How long Redis took to answer components, commands that block excepted, and how many of
    /// their commands failed.
    pub fn redis(&self) -> (Histogram, u64) {
        self.0.redis_figures.snapshot()
    }

    /// Messages by what moderation decided: each action with its count.
    pub fn verdicts(&self) -> [(&'static str, u64); 4] {
        let mut sums = VERDICTS.map(|action| (action, 0));
        for policy in &self.0.policies {
            if let Policy::Moderation(moderation) = policy {
                for ((_, sum), count) in sums.iter_mut().zip(moderation.verdicts()) {
                    *sum += count;
                }
            }
        }
        sums
    }

    fn guest(&self, component: &str) -> Result<&Guest, CallError> {
        self.0.guests.get(component).ok_or(CallError::NoHandler)
    }
}

impl Guest {
    fn load(
        runtime: Arc<Runtime>,
        component: &application::Component,
        context: Arc<Context>,
        triggers: Triggers,
    ) -> JoinHandle<Result<Self, LoadError>> {
        let path = component.source.clone();
        let caps = component.caps;
        task::spawn_blocking(move || {
            let for_builds = Arc::clone(&context);
            let prepare = move |runtime: &Runtime, path: &Path, component: Component| {
                Prepared::check(runtime, path, &component, &for_builds, caps, triggers)
            };
            let name = context.name.clone();
            Ok(Self {
                source: Source::load(name, &runtime, &path, Box::new(prepare))?,
                caps,
                context,
            })
        })
    }

    async fn handle(
        &self,
        runtime: &Runtime,
        now: u64,
        connection: &Connection,
        session: &[u8],
        event: &Event,
    ) -> Result<Outcome, CallError> {
        let build = self.source.current();
        let socket = build.prepared.socket.as_ref().ok_or(CallError::NoHandler)?;
        let state = State::new(Arc::clone(&self.context), Guard::of(&self.caps));
        let mut store = guarded_store(&runtime.engine, state);
        let _running = runtime.running();
        let _call = self.source.metrics.begin();
        let call = async {
            let instance = socket.instantiate_async(&mut store).await?;
            self.source.metrics.instantiated();
            instance
                .clustertalk_websocket_handler()
                .call_handle(&mut store, now, connection, session, event)
                .await
        };
        match call.await {
            Ok(outcome) => Ok(outcome),
            Err(error) => Err(store.data_mut().guard().explain(&error)),
        }
    }
}

impl Prepared {
    /// Links a compiled component, and makes one instance to see that its types fit.
    fn check(
        runtime: &Runtime,
        path: &Path,
        component: &Component,
        context: &Arc<Context>,
        caps: Caps,
        triggers: Triggers,
    ) -> Result<Self, LoadError> {
        let kind = component.component_type();
        for (import, present) in [
            (MODERATOR, context.moderation.is_some()),
            (RECORDER, context.analytics.is_some()),
        ] {
            if !present && kind.get_import(&runtime.engine, import).is_some() {
                return Err(LoadError::Dependency {
                    path: path.to_owned(),
                    import,
                });
            }
        }
        let mut linker = Linker::new(&runtime.engine);
        let link = |reason: wasmtime::Error| LoadError::Link {
            path: path.to_owned(),
            reason: format!("{reason:#}"),
        };
        store::link(&mut linker).map_err(link)?;
        let pre = linker.instantiate_pre(component).map_err(link)?;

        let exports = |name: &str| {
            kind.exports(&runtime.engine)
                .any(|(export, _)| export.starts_with(name))
        };
        let export = |export, reason: wasmtime::Error| LoadError::Export {
            path: path.to_owned(),
            export,
            reason: format!("{reason:#}"),
        };
        let mut prepared = Self {
            socket: None,
            http: None,
        };
        if exports(SOCKET_HANDLER) {
            let socket = SocketHandlerPre::new(pre.clone());
            prepared.socket = Some(socket.map_err(|error| export(SOCKET_HANDLER, error))?);
        }
        if exports(HTTP_HANDLER) {
            let http = ProxyPre::new(pre);
            prepared.http = Some(http.map_err(|error| export(HTTP_HANDLER, error))?);
        }
        let missing = |trigger, export| LoadError::Trigger {
            path: path.to_owned(),
            trigger,
            export,
        };
        if triggers.websocket && prepared.socket.is_none() {
            return Err(missing("websocket", SOCKET_HANDLER));
        }
        if triggers.http && prepared.socket.is_none() && prepared.http.is_none() {
            return Err(missing("http", HTTP_HANDLER));
        }
        Handle::current().block_on(prepared.instantiate(runtime, path, context, caps))?;
        Ok(prepared)
    }

    async fn instantiate(
        &self,
        runtime: &Runtime,
        path: &Path,
        context: &Arc<Context>,
        caps: Caps,
    ) -> Result<(), LoadError> {
        let state = State::new(Arc::clone(context), Guard::of(&caps));
        let mut store = guarded_store(&runtime.engine, state);
        let _running = runtime.running();
        let made = match (&self.socket, &self.http) {
            (Some(socket), _) => socket.instantiate_async(&mut store).await.map(drop),
            (None, Some(http)) => http.instantiate_async(&mut store).await.map(drop),
            (None, None) => Ok(()),
        };
        made.map_err(|error| LoadError::Instantiate {
            path: path.to_owned(),
            reason: store.data_mut().guard().explain(&error),
        })
    }
}

#[cfg(test)]
mod tests;
