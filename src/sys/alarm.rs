//! A deadline without a thread: a timer's signal moves the WebAssembly engine's epoch.
//!
//! A forked worker has one thread, which may be deep in guest code. The guest looks at the epoch at
//! every loop and call, so the signal handler only has to add one to it.

use std::{
    io,
    mem::MaybeUninit,
    ptr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// The engine whose epoch the handler advances. Set once in the life of a process.
static ENGINE: OnceLock<wasmtime::Engine> = OnceLock::new();
/// How many times the timer may still fire before the process is ended.
static CHANCES: AtomicU32 = AtomicU32::new(0);

/// What [`when_cancelled`] sets.
static CANCELLED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Tells a worker that its job is cancelled. Not SIGTERM, which others send as well: what ends because the machine is
/// shut down was not cancelled.
pub const CANCEL: Signal = Signal::SIGUSR1;
/// What guest code has from then on to ask whether it is cancelled, before it is ended wherever it is.
const CANCEL_GRACE: Duration = Duration::from_millis(300);
/// After that the epoch advances so often.
const CANCEL_REMINDER: Duration = Duration::from_millis(100);

/// How a process keeps its deadline.
#[derive(Debug, Clone, Copy)]
pub struct Alarm {
    /// When the epoch advances for the first time.
    pub after: Duration,
    /// How often it advances again after that.
    pub every: Duration,
    /// After so many times the process is ended on the spot: it did not react, so it hangs in the host.
    pub chances: u32,
}

/// Starts the timer for this process. A process can do so for one engine only; another one is an error.
pub fn start(engine: &wasmtime::Engine, alarm: Alarm) -> io::Result<()> {
    let mine = ENGINE.get_or_init(|| engine.clone());
    if !wasmtime::Engine::same(mine, engine) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the alarm serves another engine already"));
    }
    CHANCES.store(alarm.chances.max(1), Ordering::Relaxed);
    let action = SigAction::new(
        SigHandler::Handler(on_alarm),
        // wasmtime runs guests on stacks of their own: use the one set apart for signals.
        SaFlags::SA_RESTART | SaFlags::SA_ONSTACK,
        SigSet::empty(),
    );
    // SAFETY: the handler does only what a signal handler may: see there.
    unsafe { sigaction(Signal::SIGALRM, &action) }?;
    set_timer(alarm.after.max(Duration::from_micros(1)), alarm.every)
}

/// From here on the first [`CANCEL`] sets `cancelled`, and a little later ends guest code by the epoch of the engine that
/// [`start`] was given.
pub fn when_cancelled(cancelled: &Arc<AtomicBool>) -> io::Result<()> {
    let mine = CANCELLED.get_or_init(|| Arc::clone(cancelled));
    if !Arc::ptr_eq(mine, cancelled) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the signal cancels another call already"));
    }
    let action =
        SigAction::new(SigHandler::Handler(on_cancel), SaFlags::SA_RESTART | SaFlags::SA_ONSTACK, SigSet::empty());
    // SAFETY: the handler does only what a signal handler may: see there.
    unsafe { sigaction(CANCEL, &action) }?;
    Ok(())
}

/// Stops the timer.
pub fn stop() -> io::Result<()> {
    set_timer(Duration::ZERO, Duration::ZERO)
}

extern "C" fn on_alarm(_: libc::c_int) {
    // Atomic operations and `_exit`, all of them safe in a signal handler. (`OnceLock::get` is one load;
    // `Engine::increment_epoch` promises to be one atomic addition.)
    if let Some(engine) = ENGINE.get() {
        engine.increment_epoch();
    }
    if CHANCES.fetch_sub(1, Ordering::Relaxed) <= 1 {
        super::fork::exit_now(1);
    }
}

extern "C" fn on_cancel(_: libc::c_int) {
    // `OnceLock::get` is one load, the rest one atomic operation and setitimer(2), a plain system call that does not
    // fail, and so leaves errno alone.
    if let Some(cancelled) = CANCELLED.get()
        && !cancelled.swap(true, Ordering::Relaxed)
    {
        let _ = set_timer(CANCEL_GRACE, CANCEL_REMINDER);
    }
}

fn set_timer(first: Duration, interval: Duration) -> io::Result<()> {
    let value = libc::itimerval { it_interval: timeval(interval), it_value: timeval(first) };
    let mut old = MaybeUninit::<libc::itimerval>::uninit();
    // SAFETY: both pointers are to itimervals of ours.
    let result = unsafe { libc::setitimer(libc::ITIMER_REAL, ptr::from_ref(&value), old.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The timer takes at most some 8 years here; nobody waits longer.
fn timeval(duration: Duration) -> libc::timeval {
    let seconds = libc::time_t::try_from(duration.as_secs()).unwrap_or(i64::MAX).min(1 << 28);
    libc::timeval { tv_sec: seconds, tv_usec: libc::suseconds_t::from(duration.subsec_micros()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_deadlines_are_cut_to_what_the_timer_takes() {
        assert_eq!(timeval(Duration::MAX).tv_sec, 1 << 28);
        let short = timeval(Duration::from_millis(1500));
        assert_eq!((short.tv_sec, short.tv_usec), (1, 500_000));
    }

    #[test]
    fn the_alarm_advances_its_engine_and_no_other() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let engine = wasmtime::Engine::new(&config).unwrap();
        let module =
            wasmtime::Module::new(&engine, wat::parse_str("(module (func (export \"spin\") (loop br 0)))").unwrap())
                .unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").unwrap();
        let alarm = Alarm { after: Duration::from_millis(20), every: Duration::from_millis(20), chances: u32::MAX };
        start(&engine, alarm).unwrap();
        let trap = spin.call(&mut store, ()).unwrap_err();
        stop().unwrap();
        assert_eq!(trap.downcast_ref::<wasmtime::Trap>(), Some(&wasmtime::Trap::Interrupt));
        assert!(start(&wasmtime::Engine::new(&config).unwrap(), alarm).is_err());
    }
}
