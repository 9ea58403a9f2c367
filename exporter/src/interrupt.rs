//! Stopping on request: a flag that the data path looks at, and SQLite's own interrupt for what runs inside SQLite.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;

/// Shared by the data path and by whoever may ask it to stop. Clones are the same flag.
#[derive(Clone, Default)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    running: Arc<Mutex<Option<rusqlite::InterruptHandle>>>,
}

impl Interrupt {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Interrupt {
        Interrupt::default()
    }

    /// Asks the export to stop. It does at the next row or the next piece of a file.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        if let Some(handle) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }

    /// Whether somebody has asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// [`Error::Interrupted`] if somebody has asked.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_asked() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Lets [`Interrupt::ask`] stop long statements of this connection too.
    pub(crate) fn watch(&self, connection: &rusqlite::Connection) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection.get_interrupt_handle());
    }
}
