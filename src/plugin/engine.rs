//! The two flavours of the wasmtime engine.
//!
//! The daemon *serves*: calls are asynchronous, instances come out of a pool, a thread ticks the
//! epochs, and new modules are compiled. A worker *forks*: its process has one thread until the fork,
//! compiles nothing, and keeps its own deadline by a signal. What the one compiles the other loads:
//! every setting that generated code depends on is made in [`shared`], and pooling is not one.
//!
//! Measured on two cores with `test.ping` of `plugins/test`, everything of a call included: 35 µs with
//! instances made on demand (32 in a worker), 24 from a pool, 9.5 from a pool that asks the kernel which
//! pages are dirty (`PAGEMAP_SCAN`, Linux 6.7) and clears those in place. Support for components that use
//! async types, which we list and do not call, is 2.6 of the 9.5. An engine of either flavour takes less
//! than 0.4 ms to make. A `.cwasm` of 190 kB loads in 62 µs and is reflected and linked in 36 more.
//!
//! The linker is built once for each engine, with everything a module may import. What a module was
//! not granted is denied when it is called, not by leaving it out here.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{Component, Linker},
};

use super::{
    error::Error,
    host,
    state::State,
    ticker::{Ticker, Ticking},
};

/// Calls that may hold an instance at once in the serving engine; more wait for their turn.
const SLOTS: u32 = 128;
/// Core instances and tables in the pool: a component is made of a few of each. Memories are fewer, and
/// each reserves six gigabytes of addresses.
const PARTS: u32 = SLOTS * 32;
const MEMORIES: u32 = SLOTS * 4;
/// What one component may be made of; a larger one is refused when it is loaded. Half of the slots can be
/// taken by the largest, which is as many calls as a minion serves at once unless it is told otherwise: a
/// few calls of one module never leave others without room.
const PARTS_OF_ONE: u32 = PARTS / (SLOTS / 2);
const MEMORIES_OF_ONE: u32 = MEMORIES / (SLOTS / 2);
/// Table entries of one core instance; a Python interpreter has some ten thousand.
const TABLE_ELEMENTS: usize = 100_000;
/// Memory of a slot that is cleared in place for its next user rather than given back and faulted in
/// anew, and the idle slots that keep it: an idle daemon holds at most 4 MiB by this.
const KEPT: usize = 256 << 10;
const WARM: u32 = 16;
/// Stack of the guest's own frames. Deeper recursion is a trap.
const WASM_STACK: usize = 512 << 10;
/// The fiber a call runs on: the guest's stack and room for host functions.
const FIBER_STACK: usize = 2 << 20;

/// A wasmtime engine and the host functions its modules are linked to. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<State>,
    ticker: Option<Ticker>,
    slots: Option<Semaphore>,
    compiles: bool,
}

impl Engine {
    /// The engine of a daemon: starts the thread that ticks epochs while calls are under way.
    pub fn serving() -> Result<Self, Error> {
        let wasmtime = match wasmtime::Engine::new(shared().allocation_strategy(pool())) {
            Ok(engine) => engine,
            Err(error) => {
                // The pool reserves terabytes of addresses, which a tight RLIMIT_AS refuses.
                tracing::warn!(%error, "no pool of instances; making each on demand");
                wasmtime::Engine::new(&shared()).map_err(Error::engine)?
            }
        };
        let ticker = Ticker::start(wasmtime.weak()).map_err(Error::ticker)?;
        Self::new(wasmtime, Some(ticker), Some(Semaphore::new(SLOTS as usize)))
    }

    /// The engine of a fork server and its workers: no thread, no compilation.
    pub fn forking() -> Result<Self, Error> {
        let wasmtime = wasmtime::Engine::new(shared().parallel_compilation(false)).map_err(Error::engine)?;
        Self::new(wasmtime, None, None)
    }

    fn new(wasmtime: wasmtime::Engine, ticker: Option<Ticker>, slots: Option<Semaphore>) -> Result<Self, Error> {
        let compiles = ticker.is_some();
        let linker = host::linker(&wasmtime).map_err(Error::engine)?;
        Ok(Self(Arc::new(Inner { wasmtime, linker, ticker, slots, compiles })))
    }

    /// Makes what this thread needs for a call ahead of it. What is made lives on in forked copies of the thread.
    pub fn prepare_thread() {
        // The first look at a thread makes it known, which takes the dynamic linker.
        drop(std::thread::current());
        wasmtime::Engine::tls_eager_initialize();
    }

    /// Ends the guest code that runs under [`Clock::OneShot`](super::Clock::OneShot). One atomic
    /// addition: fit for a signal handler.
    pub fn advance_epoch(&self) {
        self.0.wasmtime.increment_epoch();
    }

    /// A name for everything that compiled code depends on: version, settings, processor.
    pub fn compatibility(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.0.wasmtime.precompile_compatibility_hash().hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Machine code for a component, as a `.cwasm` holds it. Takes seconds for a large one.
    pub(super) fn precompile(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.0.compiles {
            return Err(Error::NeverCompiles);
        }
        self.0.wasmtime.precompile_component(bytes).map_err(Error::compile)
    }

    /// Compiles a component straight into memory.
    pub(super) fn compile(&self, bytes: &[u8]) -> Result<Component, Error> {
        if !self.0.compiles {
            return Err(Error::NeverCompiles);
        }
        Component::from_binary(&self.0.wasmtime, bytes).map_err(Error::compile)
    }

    /// The engine itself: the alarm of a worker advances its epoch.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    pub(super) fn linker(&self) -> &Linker<State> {
        &self.0.linker
    }

    /// Waits for room for one more instance and keeps the epochs ticking until the result is
    /// dropped.
    pub(super) async fn enter(&self) -> Entered<'_> {
        let slot = match &self.0.slots {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        Entered { _slot: slot, _ticking: self.0.ticker.as_ref().map(Ticker::tick) }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("compiles", &self.0.compiles).finish_non_exhaustive()
    }
}

/// A call's place in the engine.
pub(super) struct Entered<'a> {
    _slot: Option<SemaphorePermit<'a>>,
    _ticking: Option<Ticking<'a>>,
}

/// How often the serving engine's epoch advances.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// The settings that decide what compiled code looks like.
fn shared() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .wasm_component_model_async(true)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true);
    config
}

fn pool() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_stacks(SLOTS)
        .total_core_instances(PARTS)
        .total_memories(MEMORIES)
        .total_tables(PARTS)
        .max_core_instances_per_component(PARTS_OF_ONE)
        .max_memories_per_component(MEMORIES_OF_ONE)
        .max_tables_per_component(PARTS_OF_ONE)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        .max_unused_warm_slots(WARM)
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_flavour_compiles_the_other_loads() {
        let (serving, forking) = (Engine::serving().unwrap(), Engine::forking().unwrap());
        assert_eq!(serving.compatibility(), forking.compatibility());
    }

    #[test]
    fn a_forking_engine_never_compiles() {
        let bytes = wat::parse_str("(component)").unwrap();
        assert!(matches!(Engine::forking().unwrap().precompile(&bytes), Err(Error::NeverCompiles)));
    }
}
