//! Shipped modules, compiled once and called directly: no minion, no wire.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use func::{
    access::{Grant, Grants},
    author::SHIPPED_GRANTS,
    plugin::{CallContext, CallError, Called, Engine, Mode, Plugin},
    wire::Value,
};

use super::shipped_modules;

/// A shipped module, compiled.
pub fn compiled(name: &str) -> Arc<Plugin> {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::serving().unwrap());
    static PLUGINS: LazyLock<Mutex<HashMap<String, Arc<Plugin>>>> = LazyLock::new(Mutex::default);
    let mut plugins = PLUGINS.lock().unwrap();
    let plugin = plugins.entry(name.to_owned()).or_insert_with(|| {
        let built = shipped_modules().modules.iter().find(|built| built.name == name);
        let path = &built.unwrap_or_else(|| panic!("no module `{name}` is shipped")).path;
        Arc::new(Plugin::compile(&ENGINE, &std::fs::read(path).unwrap()).unwrap())
    });
    Arc::clone(plugin)
}

/// What is recommended to be granted to a shipped module.
pub fn recommended(module: &str) -> Grant {
    #[derive(serde::Deserialize)]
    struct File {
        grants: Grants,
    }
    let grants: File = toml::from_str(SHIPPED_GRANTS).unwrap();
    let module = module.parse().unwrap();
    grants.grants.for_module(&module, &module)
}

/// A grant as an operator writes it.
pub fn grant(text: &str) -> Grant {
    toml::from_str(text).unwrap()
}

/// Calls a method of a shipped module with this grant.
pub async fn call_granted(method: &str, args: &[Value], grant: Grant) -> Result<Value, CallError> {
    call_in(method, args, grant, &[], false).await
}

/// The same as a check: what would change the machine is planned.
pub async fn check(method: &str, args: &[Value], grant: Grant) -> Result<Value, CallError> {
    call_in(method, args, grant, &[], true).await
}

/// The same as [`call_granted`], with an operator's setting for the module.
pub async fn call_set(method: &str, args: &[Value], grant: Grant, set: (&str, &str)) -> Result<Value, CallError> {
    call_in(method, args, grant, &[set], false).await
}

/// The same as [`call_set`], as a check.
pub async fn check_set(method: &str, args: &[Value], grant: Grant, set: (&str, &str)) -> Result<Value, CallError> {
    call_in(method, args, grant, &[set], true).await
}

async fn call_in(
    method: &str,
    args: &[Value],
    grant: Grant,
    settings: &[(&str, &str)],
    is_check: bool,
) -> Result<Value, CallError> {
    measured(method, args, grant, settings, is_check).await.answer
}

/// The same as [`check_set`], with the plan.
pub async fn planned(method: &str, args: &[Value], grant: Grant, set: (&str, &str)) -> Called {
    measured(method, args, grant, &[set], true).await
}

async fn measured(method: &str, args: &[Value], grant: Grant, settings: &[(&str, &str)], is_check: bool) -> Called {
    let mut context = CallContext::bare("test-minion", "tester", Duration::from_secs(30));
    context.grant = Arc::new(grant);
    context.settings = Arc::new(settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect());
    context.mode = if is_check { Mode::Check } else { Mode::Perform };
    let module = method.split('.').next().unwrap();
    compiled(module).call_measured(&method.parse().unwrap(), args, context).await
}
