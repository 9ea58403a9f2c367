//! Progress on stderr: a bar on a terminal, a plain line per phase otherwise, nothing when quiet.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How long a phase took.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// Tells how far the work is, and remembers how long each phase took.
pub struct Monitor {
    quiet: bool,
    terminal: bool,
    bar: ProgressBar,
    current: Option<(String, Instant)>,
    phases: Vec<Phase>,
}

impl Monitor {
    /// A monitor that writes to stderr, or not at all.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Monitor { quiet, terminal, bar: ProgressBar::hidden(), current: None, phases: Vec::new() }
    }

    /// Ends the phase before and begins one of `total` units (`rows`, `bytes`, …).
    pub fn phase(&mut self, name: &str, total: u64, unit: &str) {
        self.end();
        self.current = Some((name.to_owned(), Instant::now()));
        if self.quiet {
            return;
        }
        if self.terminal {
            let template = if unit == "bytes" {
                "{msg:24} {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left".to_owned()
            } else {
                format!("{{msg:24}} {{bar:24}} {{human_pos}}/{{human_len}} {unit}  {{per_sec}}  {{eta}} left")
            };
            let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(total).with_style(style).with_message(name.to_owned());
        } else {
            log(&format!("{name}: {total} {unit}"));
        }
    }

    /// So many units more are done.
    pub fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    /// Ends the current phase.
    pub fn end(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
        if let Some((name, start)) = self.current.take() {
            let ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.phases.push(Phase { name, ms });
        }
    }

    /// The phases so far.
    pub fn phases(&mut self) -> Vec<Phase> {
        self.end();
        self.phases.clone()
    }
}

/// A line on stderr; one that cannot be written is nobody's concern.
pub fn log(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
