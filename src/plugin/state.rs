//! What the host keeps for one call: the data of its store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{Deterministic, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::{
    budget::Counter,
    context::{CallContext, Level},
    last_words::LastWords,
    mask::Mask,
    mediator::Mediation,
    output::{LogBudget, Printed},
    tape::{TapedMonotonicClock, TapedWallClock},
};
use crate::ids::ModuleName;

/// Resources (streams, pollables) that one call may hold at once.
pub(super) const MAX_RESOURCES: usize = 1_000;
/// Random bytes that are made at once. They are made in the host's memory, of which all calls share one.
const MAX_RANDOM: u64 = 1 << 20;
/// Core instances, memories and tables of one component.
const MAX_PARTS: usize = 64;
/// Entries of all tables together.
const MAX_TABLE_ELEMENTS: usize = 500_000;

/// What the host keeps for one call.
pub(super) struct State {
    pub(super) context: CallContext,
    pub(super) module: ModuleName,
    /// With its package.
    pub(super) full_name: ModuleName,
    pub(super) usage: Usage,
    pub(super) last_error: Option<LoggedError>,
    pub(super) last_words: Arc<LastWords>,
    pub(super) logs: Arc<LogBudget>,
    /// What the mediator counts.
    pub(super) counter: Counter,
    /// What the mediator does.
    pub(super) mediation: Mediation,
    /// What must not be seen in what is kept of the call.
    pub(super) mask: Mask,
    ends: Instant,
    table: ResourceTable,
    wasi: Option<WasiCtx>,
}

/// The last error that the module logged: what a panic says on its way out.
#[derive(Debug, Clone)]
pub(super) struct LoggedError {
    pub(super) message: String,
    pub(super) place: Option<String>,
}

impl State {
    /// For a call of the module of that short and that full name.
    pub(super) fn new(context: CallContext, module: ModuleName, full_name: ModuleName) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            usage: Usage { limit: context.limits.memory_bytes, ..Usage::default() },
            logs: Arc::new(LogBudget::new(context.limits.log_bytes)),
            ends: Instant::now() + context.deadline,
            last_error: None,
            last_words: Arc::default(),
            counter: Counter::default(),
            mediation: Mediation::new(&context.mode),
            mask: Mask::default(),
            wasi: None,
            context,
            module,
            full_name,
            table,
        }
    }

    /// The call's deadline.
    pub(super) fn ends(&self) -> Instant {
        self.ends
    }

    /// The time left until the call's deadline.
    pub(super) fn remaining(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.context.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn cancellation(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.context.cancelled)
    }

    /// Lets go of what the module printed to, so that a last line without its end is logged.
    pub(super) fn end_printing(&mut self) {
        self.table = ResourceTable::new();
        self.wasi = None;
    }

    pub(super) fn record(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.logs.log(&*self.context.events, level, message, fields);
    }
}

impl WasiView for State {
    /// Made when a module first touches WASI, which most never do.
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (context, logs, mediation) = (&self.context, &self.logs, &self.mediation);
        let last_words = &self.last_words;
        let wasi = self.wasi.get_or_insert_with(|| {
            let printed = |level| Printed::new(level, Arc::clone(&context.events), Arc::clone(logs));
            let mut wasi = WasiCtxBuilder::new();
            if let Mediation::Tape(tape) = mediation {
                wasi.wall_clock(TapedWallClock(tape.clone()))
                    .monotonic_clock(TapedMonotonicClock(tape.clone(), Instant::now()))
                    .secure_random(Deterministic::new(tape.seed()))
                    .insecure_random(Deterministic::new(tape.seed()))
                    .insecure_random_seed(0);
            }
            wasi.max_random_size(MAX_RANDOM)
                .stdout(printed(Level::Info))
                .stderr(printed(Level::Warn).remembered_by(last_words))
                .allow_tcp(false)
                .allow_udp(false)
                .allow_ip_name_lookup(false)
                .build()
        });
        WasiCtxView { ctx: wasi, table: &mut self.table }
    }
}

/// What a call's instance uses, against what it may.
#[derive(Debug, Default)]
pub(super) struct Usage {
    limit: usize,
    memory: usize,
    elements: usize,
    refused: bool,
}

impl Usage {
    /// The most memory there ever was: it is never given back before the end.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether memory was refused at any time.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let memory = self.memory.saturating_add(desired.saturating_sub(current));
        if memory > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.memory = memory;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        let fits = elements <= MAX_TABLE_ELEMENTS;
        if fits {
            self.elements = elements;
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        MAX_PARTS
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}
