//! A component without imports behind one function.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::Semaphore, task, time::timeout};
use wasmtime::{
    Store,
    component::{
        Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker,
        Lower, TypedFunc,
    },
};

use crate::{
    application::{Caps, Dependency},
    sandbox::{
        Build, CallError, ComponentMetrics, Digest, Guard, Guarded, LoadError, Runtime, Source,
        guarded_store,
    },
};

/// The longest that one call may take, waiting for its turn included.
const WALL: Duration = Duration::from_secs(2);
/// Calls under way at once; more wait.
const MAX_CALLS: usize = 128;
/// How much of a component's own error is passed on.
const MAX_ERROR_CHARACTERS: usize = 200;

/// The function that a component is there for.
#[derive(Clone, Copy)]
pub(super) struct Contract {
    pub interface: &'static str,
    pub function: &'static str,
}

/// The component, called with an `I` for an `O`.
pub(super) struct Pure<I, O> {
    runtime: Arc<Runtime>,
    source: Source<Prepared<I, O>>,
    caps: Caps,
    reuse: u32,
    slots: Semaphore,
}

struct Prepared<I, O> {
    pre: InstancePre<PureState>,
    function: ComponentExportIndex,
    /// Instances that may serve another call.
    idle: Mutex<Vec<Warm<I, O>>>,
}

type Function<I, O> = TypedFunc<(I,), (Result<O, String>,)>;

struct Warm<I, O> {
    store: Store<PureState>,
    function: Function<I, O>,
    calls: u32,
}

struct PureState {
    guard: Guard,
}

impl Guarded for PureState {
    fn guard(&mut self) -> &mut Guard {
        &mut self.guard
    }
}

impl<I, O> Pure<I, O>
where
    I: Lower + Send + Sync + 'static,
    O: Lift + Send + Sync + 'static,
    (I,): ComponentNamedList,
    (Result<O, String>,): ComponentNamedList,
{
    /// `name` is for logs and figures.
    pub async fn load(
        name: String,
        contract: Contract,
        runtime: Arc<Runtime>,
        dependency: &Dependency,
    ) -> Result<Self, LoadError> {
        let Dependency {
            path, caps, reuse, ..
        } = dependency.clone();
        let loading = task::spawn_blocking(move || {
            let prepare = move |runtime: &Runtime, path: &Path, component: Component| {
                Prepared::check(contract, runtime, path, &component, &caps)
            };
            let source = Source::load(name, &runtime, &path, Box::new(prepare))?;
            Ok(Self {
                runtime,
                source,
                caps,
                reuse,
                slots: Semaphore::new(MAX_CALLS),
            })
        });
        loading.await.expect("loading a component does not panic")
    }

    /// Calls the present build. `check` refuses answers that must not be passed on.
    pub async fn call(
        &self,
        input: I,
        check: impl FnOnce(O) -> Result<O, CallError>,
    ) -> (Result<O, CallError>, Digest) {
        let build = self.source.current();
        let began = Instant::now();
        let call = async {
            let Ok(_slot) = self.slots.acquire().await else {
                return Err(CallError::Busy);
            };
            self.run(&build, input).await.and_then(check)
        };
        let result = match timeout(WALL, call).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Wall),
        };
        self.source.metrics.called(began.elapsed(), &result);
        (result, build.digest)
    }

    async fn run(&self, build: &Build<Prepared<I, O>>, input: I) -> Result<O, CallError> {
        let prepared = &build.prepared;
        let _running = self.runtime.running();
        let _call = self.source.metrics.begin();
        let idle = match self.reuse {
            0 => None,
            _ => prepared.idle().pop(),
        };
        let mut warm = match idle {
            Some(warm) => warm,
            None => {
                let warm = prepared.instantiate(&self.runtime, &self.caps).await?;
                self.source.metrics.instantiated();
                warm
            }
        };
        warm.store.data_mut().guard.renew();
        let result = warm.function.call_async(&mut warm.store, (input,)).await;
        match result {
            Ok((Ok(output),)) => {
                warm.calls += 1;
                if warm.calls < self.reuse {
                    prepared.idle().push(warm);
                }
                Ok(output)
            }
            Ok((Err(message),)) => Err(CallError::Refused(
                message.chars().take(MAX_ERROR_CHARACTERS).collect(),
            )),
            Err(error) => Err(warm.store.data_mut().guard.explain(&error)),
        }
    }

    pub fn name(&self) -> &str {
        &self.source.name
    }

    pub fn digest(&self) -> Digest {
        self.source.current().digest
    }

    pub fn refresh(&self) {
        self.source.refresh(&self.runtime);
    }

    pub fn snapshot(&self) -> ComponentMetrics {
        self.source
            .metrics
            .snapshot(&self.source.name, self.digest())
    }
}

impl<I, O> Prepared<I, O>
where
    I: Lower + Send + Sync + 'static,
    O: Lift + Send + Sync + 'static,
    (I,): ComponentNamedList,
    (Result<O, String>,): ComponentNamedList,
{
    /// Refuses what is not pure or not of the contract's type. Other exports are never called.
    fn check(
        contract: Contract,
        runtime: &Runtime,
        path: &Path,
        component: &Component,
        caps: &Caps,
    ) -> Result<Self, LoadError> {
        let kind = component.component_type();
        let imports: Vec<String> = kind
            .imports(&runtime.engine)
            .map(|(name, _)| name.to_owned())
            .collect();
        if !imports.is_empty() {
            return Err(LoadError::Imports {
                path: path.to_owned(),
                imports,
            });
        }
        let not_exported = |reason: String| LoadError::Export {
            path: path.to_owned(),
            export: contract.interface,
            reason,
        };
        let function = component
            .get_export_index(None, contract.interface)
            .and_then(|interface| component.get_export_index(Some(&interface), contract.function))
            .ok_or_else(|| not_exported("it is missing".to_owned()))?;
        let pre = Linker::new(&runtime.engine)
            .instantiate_pre(component)
            .map_err(|error| LoadError::Link {
                path: path.to_owned(),
                reason: format!("{error:#}"),
            })?;
        let prepared = Self {
            pre,
            function,
            idle: Mutex::default(),
        };
        let trial = async {
            let (mut store, instance) =
                prepared.instance(runtime, caps).await.map_err(|reason| {
                    LoadError::Instantiate {
                        path: path.to_owned(),
                        reason,
                    }
                })?;
            prepared
                .function(&mut store, &instance)
                .map_err(|error| not_exported(format!("{error:#}")))
        };
        Handle::current().block_on(trial)?;
        Ok(prepared)
    }

    async fn instantiate(&self, runtime: &Runtime, caps: &Caps) -> Result<Warm<I, O>, CallError> {
        let (mut store, instance) = self.instance(runtime, caps).await?;
        let function = self
            .function(&mut store, &instance)
            .map_err(|error| CallError::Trap(error.to_string()))?;
        Ok(Warm {
            store,
            function,
            calls: 0,
        })
    }

    async fn instance(
        &self,
        runtime: &Runtime,
        caps: &Caps,
    ) -> Result<(Store<PureState>, Instance), CallError> {
        let guard = Guard::of(caps);
        let mut store = guarded_store(&runtime.engine, PureState { guard });
        let _running = runtime.running();
        match self.pre.instantiate_async(&mut store).await {
            Ok(instance) => Ok((store, instance)),
            Err(error) => Err(store.data_mut().guard.explain(&error)),
        }
    }

    fn function(
        &self,
        store: &mut Store<PureState>,
        instance: &Instance,
    ) -> wasmtime::Result<Function<I, O>> {
        instance.get_typed_func(store, self.function)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Warm<I, O>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
