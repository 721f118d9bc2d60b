//! Giving the user's console or terminal back, whatever ends the program.
//!
//! A sink that changes how the machine looks registers how to undo that. Dropping the [`Guard`] undoes it, and so
//! does a panic of any thread, before the panic is told, so that its message can be read. Signals are not handled
//! here: the main loop ends on them by returning. After SIGKILL nobody can undo anything but the next start.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

/// The name of the painter's thread. Its panics are caught by the painter itself, which reports them; so the hook
/// neither tells nor restores anything for it.
pub(crate) const PAINTER_THREAD: &str = "painter";
/// The name of the decoder's thread, whose panics `decode.rs` catches: they are this or that frame's.
pub(crate) const DECODER_THREAD: &str = "decoder";

static REGISTERED: Mutex<Vec<Arc<Undo>>> = Mutex::new(Vec::new());

/// How long undoing waits for a painting that is under way: a sink that blocks may take for ever.
const PATIENCE: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

struct Undo {
    done: AtomicBool,
    painting: Mutex<()>,
    action: Box<dyn Fn() + Send + Sync>,
}

impl Undo {
    fn run(&self) {
        if self.done.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut waited = Duration::ZERO;
        while let Err(TryLockError::WouldBlock) = self.painting.try_lock()
            && waited < PATIENCE
        {
            thread::sleep(LOOK_AGAIN);
            waited += LOOK_AGAIN;
        }
        (self.action)();
    }
}

/// Undoes one change when it is dropped, unless that has been done.
pub(crate) struct Guard(Arc<Undo>);

impl Guard {
    /// To be held while painting: keeps the change from being undone in the middle of it. `None` once it is undone;
    /// painting would then spoil what was given back.
    pub(crate) fn hold(&self) -> Option<MutexGuard<'_, ()>> {
        let painting = self.0.painting.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.0.done.load(Ordering::SeqCst)).then_some(painting)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.run();
        registered().retain(|undo| !Arc::ptr_eq(undo, &self.0));
    }
}

/// Registers how to undo a change that is about to be made. `action` runs once at most, on any thread.
pub(crate) fn on_exit(action: impl Fn() + Send + Sync + 'static) -> Guard {
    let undo =
        Arc::new(Undo { done: AtomicBool::new(false), painting: Mutex::new(()), action: Box::new(action) });
    registered().push(Arc::clone(&undo));
    Guard(undo)
}

/// Undoes all that is registered: before a message that must be readable, or an exit that drops nothing.
pub(crate) fn now() {
    let all = registered().clone();
    for undo in all.iter().rev() {
        undo.run();
    }
}

/// Makes panics restore first and be told afterwards. Any number of calls count as one.
pub(crate) fn before_panic_messages() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !matches!(thread::current().name(), Some(PAINTER_THREAD | DECODER_THREAD)) {
                now();
                tell(info);
            }
        }));
    });
}

fn registered() -> MutexGuard<'static, Vec<Arc<Undo>>> {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn counted() -> (Arc<AtomicU32>, Guard) {
        let count = Arc::new(AtomicU32::new(0));
        let inside = Arc::clone(&count);
        let guard = on_exit(move || {
            inside.fetch_add(1, Ordering::SeqCst);
        });
        (count, guard)
    }

    #[test]
    fn dropping_undoes_and_so_does_a_panic_elsewhere_but_only_once() {
        // One test, because a panic undoes what all tests of this process have registered.
        let (count, guard) = counted();
        assert_eq!(count.load(Ordering::SeqCst), 0);
        drop(guard);
        assert_eq!(count.load(Ordering::SeqCst), 1);

        before_panic_messages();
        let (count, guard) = counted();
        assert!(guard.hold().is_some());
        let panicked = thread::spawn(|| panic!("expected by this test")).join();
        assert!(panicked.is_err());
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(guard.hold().is_none(), "painting over what was given back");
        drop(guard);
        assert_eq!(count.load(Ordering::SeqCst), 1, "undone twice");
    }
}
