//! `wasi:http` requests: one instance a request, alive while its response streams.

use std::{
    fmt::Display,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use opentelemetry::trace::SpanKind;
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use wasmtime_wasi_http::{
    Error as HttpError, WasiHttpView,
    p2::{bindings::http::types::Scheme, body::HyperOutgoingBody},
};

use super::{Allowance, CallError, Guard, Guarded, Sandbox, State, guarded_store};
use crate::traces;

/// The longest that a component may take until its response begins.
const HEAD_WALL: Duration = Duration::from_secs(10);
/// What it may still do after its response has ended.
const AFTER_RESPONSE: Duration = Duration::from_secs(5);

impl Sandbox {
    /// Gives a request to a component. The response body streams as the component writes it;
    /// dropping it before its end drops the instance.
    ///
    /// # Errors
    /// The component did not begin a response.
    pub async fn http<B>(
        &self,
        component: &str,
        request: http::Request<B>,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Display,
    {
        let guest = self.guest(component)?;
        let began = Instant::now();
        let result = self.respond(component, request).await;
        guest.source.metrics.answered(began.elapsed());
        if let Err(error) = &result {
            guest.source.metrics.failed(error);
        }
        result
    }

    async fn respond<B>(
        &self,
        component: &str,
        request: http::Request<B>,
    ) -> Result<http::Response<ResponseBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Display,
    {
        let guest = self.guest(component)?;
        let build = guest.source.current();
        let proxy = build.prepared.http.clone().ok_or(CallError::NoHandler)?;
        let slot = Arc::clone(&self.0.requests)
            .try_acquire_owned()
            .map_err(|_| CallError::Busy)?;

        let guard = Guard::new(
            guest.caps.memory_bytes,
            Allowance::Streaming(guest.caps.deadline),
        );
        let state = State::new(Arc::clone(&guest.context), guard);
        let mut store = guarded_store(&self.0.runtime.engine, state);
        let (sender, head) = oneshot::channel();
        let request = request.map(|body| {
            body.map_err(|error| {
                tracing::debug!(%error, "request body broke off");
                HttpError::ConnectionTerminated
            })
        });
        let refused = |error: wasmtime::Error| CallError::Refused(error.to_string());
        let scheme = match request.extensions().get::<http::uri::Scheme>() {
            Some(scheme) if *scheme == http::uri::Scheme::HTTPS => Scheme::Https,
            _ => Scheme::Http,
        };
        let mut http = store.data_mut().http();
        let request = http
            .new_incoming_request(scheme, request)
            .map_err(refused)?;
        let response = http.new_response_outparam(sender).map_err(refused)?;

        let sandbox = self.clone();
        let name = component.to_owned();
        let running = async move {
            let _slot = slot;
            let _running = sandbox.0.runtime.running();
            let metrics = &sandbox.guest(&name)?.source.metrics;
            let _call = metrics.begin();
            let call = async {
                let instance = proxy.instantiate_async(&mut store).await?;
                metrics.instantiated();
                instance
                    .wasi_http_incoming_handler()
                    .call_handle(&mut store, request, response)
                    .await
            };
            let call = traces::within("hub", SpanKind::Internal, call, |result| {
                traces::Told::success(result)
            });
            let result = call.await;
            result.map_err(|error| store.data_mut().guard().explain(&error))
        };
        let mut task = RunningTask(Some(tokio::spawn(traces::carried(running))));

        match timeout(HEAD_WALL, head).await {
            Err(_) => Err(CallError::Wall),
            Ok(Ok(Ok(response))) => Ok(response.map(|body| ResponseBody { body, task })),
            Ok(Ok(Err(code))) => Err(CallError::Refused(code.to_string())),
            // The instance ended without a response.
            Ok(Err(_)) => Err(match task.finish().await {
                Err(error) => error,
                Ok(()) => CallError::Trap("it returned without a response".to_owned()),
            }),
        }
    }
}

/// A component's response while it streams.
pub struct ResponseBody {
    body: HyperOutgoingBody,
    task: RunningTask,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(None) = frame {
            self.task.let_end();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // An empty body may never be polled.
        if self.body.is_end_stream() {
            self.task.let_end();
        }
    }
}

/// An instance at work; dropping this stops it.
struct RunningTask(Option<JoinHandle<Result<(), CallError>>>);

impl RunningTask {
    async fn finish(&mut self) -> Result<(), CallError> {
        match self.0.take() {
            None => Ok(()),
            Some(task) => task
                .await
                .unwrap_or_else(|error| Err(CallError::Trap(error.to_string()))),
        }
    }

    /// The response has ended; what the component does afterwards may take a little longer.
    fn let_end(&mut self) {
        if let Some(task) = self.0.take() {
            let stop = task.abort_handle();
            tokio::spawn(async move {
                tokio::select! {
                    _ = task => {}
                    () = sleep(AFTER_RESPONSE) => stop.abort(),
                }
            });
        }
    }
}

impl Drop for RunningTask {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
