//! Ctrl-C and the signal to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From its making on, the program is no longer ended by these signals, but told: nothing that was begun is left undone.
pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Starts to listen.
    pub fn listen() -> io::Result<Interrupt> {
        Ok(Interrupt { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns when the program is asked to stop, also if it was asked since it started to listen.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
