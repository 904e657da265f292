//! The store of one call of a component with a trigger: what it holds and what it may reach.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opentelemetry::{KeyValue, trace::SpanKind};
use wasmtime::component::{HasSelf, Linker, ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView, default_send_request,
};

use super::{
    bindings::{
        SocketHandler,
        clustertalk::{
            analytics::recorder::{self, Update},
            moderation::moderator::{self, Action, Message, Verdict},
        },
        fermyon::spin::variables::{self, Error as VariableError},
    },
    guard::{Guard, Guarded},
    redis::{Redis, RedisFigures},
    stderr::Stderr,
};
use crate::{
    application::AllowedHosts,
    policy::{Analytics, Moderation},
    traces,
};

/// The most random bytes at once; the host allocates them.
const MAX_RANDOM_BYTES: u64 = 64 * 1024;
/// The longest that an outgoing request waits for a connection, an answer, or more of it.
const OUTGOING_TIMEOUT: Duration = Duration::from_secs(10);

/// What all calls of one component share.
pub(crate) struct Context {
    pub name: String,
    pub stderr: Arc<Stderr>,
    pub variables: BTreeMap<String, String>,
    pub allowed_hosts: Arc<AllowedHosts>,
    pub redis: Arc<dyn Redis>,
    pub redis_figures: Arc<RedisFigures>,
    pub moderation: Option<Arc<Moderation>>,
    pub analytics: Option<Arc<Analytics>>,
}

/// The data of one store.
pub(crate) struct State {
    pub context: Arc<Context>,
    pub table: ResourceTable,
    /// Redis connections that the instance holds.
    pub open_connections: usize,
    guard: Guard,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl State {
    /// No files, no environment, no sockets; standard error is the log, standard output nothing.
    pub fn new(context: Arc<Context>, guard: Guard) -> Self {
        let wasi = WasiCtx::builder()
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(MAX_RANDOM_BYTES)
            .stderr(context.stderr.of_call())
            .build();
        Self {
            table: ResourceTable::new(),
            open_connections: 0,
            guard,
            wasi,
            http: WasiHttpCtx::new(),
            outgoing: Outgoing(Arc::clone(&context.allowed_hosts)),
            context,
        }
    }
}

/// Everything that a component with a trigger can import here.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    SocketHandler::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl Guarded for State {
    fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}

impl variables::Host for State {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, VariableError>> {
        let value = self.context.variables.get(&name).cloned();
        Ok(value.ok_or(VariableError::Undefined(name)))
    }
}

impl moderator::Host for State {
    async fn review(&mut self, message: Message) -> wasmtime::Result<Result<Verdict, String>> {
        match &self.context.moderation {
            Some(moderation) => {
                traces::is_about(&message.room, &message.user, &message.id);
                let review = moderation.review(message);
                let told = |result: &Result<Verdict, String>| match result {
                    Ok(verdict) => traces::Told {
                        attributes: vec![KeyValue::new(
                            "clustertalk.action",
                            shown(verdict.action),
                        )],
                        error: None,
                    },
                    Err(_) => traces::Told::success(result),
                };
                Ok(traces::within("moderation", SpanKind::Internal, review, told).await)
            }
            None => Err(wasmtime::format_err!("no moderation dependency")),
        }
    }
}

impl recorder::Host for State {
    async fn record(
        &mut self,
        event: recorder::Event,
    ) -> wasmtime::Result<Result<Vec<Update>, String>> {
        match &self.context.analytics {
            Some(analytics) => {
                let record = analytics.record(event);
                let told = |result: &Result<_, _>| traces::Told::success(result);
                Ok(traces::within("analytics", SpanKind::Internal, record, told).await)
            }
            None => Err(wasmtime::format_err!("no analytics dependency")),
        }
    }
}

fn shown(action: Action) -> &'static str {
    match action {
        Action::Allow => "allow",
        Action::Flag => "flag",
        Action::Mask => "mask",
        Action::Block => "block",
    }
}

/// Lets outgoing requests through to allowed hosts only.
struct Outgoing(Arc<AllowedHosts>);

type Answer = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), HttpError>> + Send>,
);

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processing: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = wasmtime_wasi_http::Result<Answer>> + Send> {
        let allowed = self.0.allows(&request.uri().to_string());
        Box::new(async move {
            if !allowed {
                return Err(HttpError::HttpRequestDenied);
            }
            let asked = options.unwrap_or_default();
            let shorter = |asked: Option<Duration>| {
                Some(asked.map_or(OUTGOING_TIMEOUT, |asked| asked.min(OUTGOING_TIMEOUT)))
            };
            let options = RequestOptions {
                connect_timeout: shorter(asked.connect_timeout),
                first_byte_timeout: shorter(asked.first_byte_timeout),
                between_bytes_timeout: shorter(asked.between_bytes_timeout),
            };
            let (response, io) = default_send_request(request, Some(options)).await?;
            Ok((
                response.map(http_body_util::BodyExt::boxed_unsync),
                Box::new(io) as Box<_>,
            ))
        })
    }
}
