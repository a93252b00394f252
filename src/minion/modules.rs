//! The plugin registry as a minion uses it: introspection, lookup, and calls with what the operator
//! grants and sets.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    backend::{Answered, CallOrder, Known, Sealed},
    builtin::RESERVED_MODULES,
    facts,
    rules::RulesInForce,
    sinks::{CallLog, LoadLog},
    view::{MethodView, ModuleState, ModuleView, Stamp},
};
use crate::{
    access::{Bearer, Grant, Grants, Provenance, Signers},
    ids::{Digest, MethodName, MinionJobId, ModuleName},
    plugin::{
        self, CallContext, Clock, Engine, Limits, Method, Module, Plugin, Registry, RegistryConfig, check_arguments,
    },
    wire::{Facts, RemoteError, Value, hidden},
};

/// How much of a trace is logged.
const TRACE_MAX: usize = 16 << 10;

/// The modules of a minion.
pub(super) struct Modules {
    pub(super) registry: Registry,
    pub(super) rules: RulesInForce,
    pub(super) limits: Limits,
    /// What modules keep for themselves.
    pub(super) state: Option<Arc<Path>>,
}

/// A method of one version of a plugin, which stays loaded for as long as this does.
pub(super) struct PluginMethod {
    plugin: Plugin,
    name: MethodName,
    method: Method,
    short: ModuleName,
    full: ModuleName,
    version: String,
    digest: Digest,
    provenance: Provenance,
}

/// Opens the folder of plugins, in which nothing may take the place of a built-in method.
pub(super) async fn open_registry(
    folder: &Path,
    cache: &Path,
    signers: Signers,
    grants: Grants,
) -> Result<Registry, plugin::Error> {
    let mut config = RegistryConfig::new(folder, cache);
    config.reserved = RESERVED_MODULES.iter().filter_map(|name| name.parse().ok()).collect();
    config.signers = signers;
    config.grants = grants;
    Registry::open(config, Engine::serving()?, Arc::new(LoadLog)).await
}

impl PluginMethod {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { version: Some(self.version.clone()), digest: Some(self.digest) }
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// Which arguments are secret is known only of those that fit.
    pub(super) fn seal(&self, args: Vec<Value>) -> Sealed {
        if !self.method.takes_secrets() {
            return Sealed { args, misfit: None };
        }
        match self.check(&args) {
            Ok(()) => Sealed { args: self.method.seal(args), misfit: None },
            Err(misfit) => Sealed { args: args.iter().map(hidden).collect(), misfit: Some(misfit) },
        }
    }

    pub(super) fn check(&self, args: &[Value]) -> Result<(), RemoteError> {
        check_arguments(&self.method, args).map_err(|error| error.to_remote_error())
    }
}

impl Modules {
    pub(super) fn views(&self) -> Vec<Arc<ModuleView>> {
        self.registry.catalog().modules().map(|module| Arc::new(view(module))).collect()
    }

    pub(super) fn view(&self, name: &ModuleName) -> Option<Arc<ModuleView>> {
        self.registry.catalog().module(name).map(|(_, module)| Arc::new(view(module)))
    }

    /// What is served of every file, and what of it is not.
    pub(super) fn states(&self) -> Vec<ModuleState> {
        let catalog = self.registry.catalog();
        let served = catalog.served().iter().flat_map(|served| {
            served.plugin.modules().iter().map(|module| ModuleState::serving(&served.file, module, &served.provenance))
        });
        let files = served.chain(catalog.failures().iter().map(ModuleState::not_served));
        files.chain(self.rules.outdated().as_ref().map(ModuleState::configuration)).collect()
    }

    pub(super) fn known(&self, name: &MethodName) -> Option<Known> {
        let catalog = self.registry.catalog();
        let (_, module) = catalog.module(name.module())?;
        let read_only = module.methods.get(name.method()).is_some_and(|method| method.read_only);
        Some(Known { modules: [module.name.clone(), module.full_name.clone()], read_only })
    }

    pub(super) fn resolve(&self, name: &MethodName) -> Option<PluginMethod> {
        let catalog = self.registry.catalog();
        let found = catalog.resolve(name).ok()?;
        Some(PluginMethod {
            plugin: found.plugin.clone(),
            name: name.clone(),
            method: found.method.clone(),
            short: found.module.name.clone(),
            full: found.module.full_name.clone(),
            version: found.module.version.clone(),
            digest: found.module.digest,
            provenance: found.provenance.clone(),
        })
    }

    pub(super) fn grant(&self, method: &PluginMethod) -> Grant {
        let bearer = Bearer {
            short: &method.short,
            full: &method.full,
            digest: Some(method.digest),
            provenance: &method.provenance,
        };
        self.rules.now().grants.for_bearer(bearer)
    }

    pub(super) fn settings(&self, method: &PluginMethod) -> BTreeMap<String, String> {
        let rules = self.rules.now();
        let of = |name| rules.settings.get(name).cloned().unwrap_or_default();
        let mut settings = of(&method.short);
        settings.extend(of(&method.full));
        settings
    }

    /// What every module that knows facts tells, one after the other, within the time. One that fails hides no other.
    pub(super) async fn facts(&self, want: &[&str], caller: &str, time: Duration) -> Facts {
        let ends = Instant::now() + time;
        let Ok(name) = "minion:host/facts.collect".parse::<MethodName>() else { return Facts::new() };
        let want = Value::Array(want.iter().map(|name| Value::from(*name)).collect());
        let catalog = self.registry.catalog();
        let mut all = Facts::new();
        for served in catalog.served().iter().filter(|served| served.plugin.contributes_facts()) {
            // It is granted what the module beside it is.
            let (short, full, version) = match served.plugin.modules().first() {
                Some(module) => (module.name.clone(), module.full_name.clone(), module.version.clone()),
                None => (name.module().clone(), name.module().clone(), String::new()),
            };
            let (plugin, provenance) = (served.plugin.clone(), served.provenance.clone());
            let digest = plugin.digest();
            let bearer = Bearer { short: &short, full: &full, digest: Some(digest), provenance: &provenance };
            let rules = self.rules.now();
            let mut settings = rules.settings.get(&short).cloned().unwrap_or_default();
            settings.extend(rules.settings.get(&full).cloned().unwrap_or_default());
            let context = CallContext {
                job_id: MinionJobId::fresh().to_string(),
                caller: caller.to_owned(),
                deadline: ends.saturating_duration_since(Instant::now()),
                grant: Arc::new(rules.grants.for_bearer(bearer)),
                settings: Arc::new(settings),
                limits: self.limits.clone(),
                state: self.state.clone(),
                events: Arc::new(CallLog(name.clone())),
                mode: plugin::Mode::Perform,
                cancelled: Arc::default(),
                clock: Clock::Ticks,
            };
            let answer = plugin.call_measured(&name, std::slice::from_ref(&want), context).await.into_answer();
            if let Err(error) = &answer {
                tracing::warn!(module = %short, version, error = error.to_remote_error().message, "a module cannot tell its facts");
            }
            all.extend(facts::read(answer));
        }
        all
    }

    pub(super) async fn call(&self, method: PluginMethod, args: Vec<Value>, order: CallOrder) -> Answered {
        let context = CallContext {
            job_id: order.id.to_string(),
            caller: order.caller,
            deadline: order.deadline,
            grant: Arc::new(self.grant(&method)),
            settings: Arc::new(self.settings(&method)),
            limits: self.limits.clone(),
            state: self.state.clone(),
            events: Arc::new(CallLog(method.name.clone())),
            mode: order.mode,
            cancelled: Arc::default(),
            clock: Clock::Ticks,
        };
        let called = method.plugin.call_measured(&method.name, &args, context).await;
        let budget = Some(called.budget.clone());
        let answer = called.into_answer().map_err(|error| {
            let told = error.to_remote_error();
            if let Some(trace) = error.trace() {
                let trace: String = trace.chars().take(TRACE_MAX).collect();
                tracing::warn!(method = %method.name, error = told.message, trace, "a module broke off");
            }
            told
        });
        Answered { answer, budget }
    }
}

fn view(module: &Module) -> ModuleView {
    let method = |(name, method): (&String, &Method)| {
        let view = MethodView {
            params: method.params.clone(),
            result: method.result.clone(),
            doc: method.doc.clone(),
            read_only: method.read_only,
            types: method.types.clone(),
        };
        (name.clone(), view)
    };
    ModuleView {
        name: module.name.clone(),
        full_name: module.full_name.clone(),
        version: module.version.clone(),
        description: module.description.clone(),
        methods: module.methods.iter().map(method).collect(),
        uncallable: module.uncallable.clone(),
    }
}
