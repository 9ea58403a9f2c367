//! Progress on stderr: a bar on a terminal, a few plain lines anywhere else, nothing when quiet.

use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use pannier_exporter::files::shown;
use pannier_exporter::progress::{Phase, Progress, WRITERS_WAIT};

/// Seconds between two plain lines.
const LINE_S: u64 = 30;

/// Where progress goes.
enum Output {
    Bar(ProgressBar),
    Lines { next: Duration },
    Nothing,
}

/// Shows progress to people.
pub struct Terminal {
    output: Output,
    started: Instant,
    rows: u64,
    bytes: u64,
    total_bytes: u64,
    what: String,
}

impl Terminal {
    pub fn new(quiet: bool) -> Terminal {
        let output = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Output::Nothing,
            (false, true) => Output::Bar(bar()),
            (false, false) => Output::Lines { next: Duration::from_secs(LINE_S) },
        };
        Terminal { output, started: Instant::now(), rows: 0, bytes: 0, total_bytes: 0, what: String::new() }
    }

    /// Takes the bar away: what follows on the terminal is the summary or an error.
    pub fn clear(&self) {
        if let Output::Bar(bar) = &self.output {
            bar.finish_and_clear();
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn line(&self, text: &str) {
        let text = shown(text);
        match &self.output {
            Output::Lines { .. } => drop(writeln!(std::io::stderr(), "{text}")),
            Output::Bar(bar) => bar.println(&text),
            Output::Nothing => {}
        }
    }

    fn refresh(&mut self) {
        match &mut self.output {
            Output::Bar(bar) => {
                bar.set_position(self.bytes);
                bar.set_message(shown(&format!("{} rows, {}", HumanCount(self.rows), self.what)));
            }
            Output::Lines { next } if self.started.elapsed() >= *next => {
                *next = self.started.elapsed() + Duration::from_secs(LINE_S);
                let percent = (self.bytes * 100).checked_div(self.total_bytes).unwrap_or(0).min(100);
                let text = format!("{}: {} rows, {} bytes, {percent} %", self.what, self.rows, self.bytes);
                self.line(&text);
            }
            Output::Lines { .. } | Output::Nothing => {}
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{bar:24} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

impl Progress for Terminal {
    fn total_bytes(&mut self, bytes: u64) {
        self.total_bytes = bytes;
        if let Output::Bar(bar) = &self.output {
            bar.set_length(bytes);
        }
    }

    fn phase(&mut self, phase: &Phase<'_>) {
        match phase {
            Phase::Frozen { opened_by, writers_wait } => {
                if *writers_wait {
                    self.line(WRITERS_WAIT);
                }
                for holder in *opened_by {
                    self.line(&format!("process {} ({}) has the database open: files may be newer than rows", holder.pid, holder.command));
                }
            }
            Phase::Table { name } => self.what = format!("table {name}"),
            Phase::Files { files } => {
                self.line(&format!("tables: {} rows", self.rows));
                self.what = format!("{files} files");
            }
            Phase::Finishing => self.what = "manifests".into(),
        }
        self.refresh();
    }

    fn advance(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        self.refresh();
    }

    fn tables_done(&mut self, database_bytes: u64) {
        // Indexes and free pages are never read: the bar goes on from where the tables end.
        self.bytes = database_bytes;
        self.refresh();
    }
}
