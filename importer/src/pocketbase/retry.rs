//! When a request is worth another try, and how long to wait before it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// How often and how long a request is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included.
    pub max_tries: u32,
    /// The pause before the second try; it doubles from try to try.
    pub first_pause: Duration,
    /// The longest pause of our own choice.
    pub max_pause: Duration,
    /// All pauses of one request together; a server that asks for more than what is left is not waited for.
    pub max_total_pause: Duration,
    /// How long to wait for the beginning of an answer, or for the next piece of a download. A body that is
    /// sent adds the time that it takes at 64 KiB/s.
    pub answer_timeout: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_tries: 6,
            first_pause: Duration::from_secs(1),
            max_pause: Duration::from_secs(30),
            max_total_pause: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// The policy that sends every request exactly once.
    #[must_use]
    pub fn never() -> Self {
        Self { max_tries: 1, ..Self::default() }
    }

    /// The pause before the next try, or nothing if there shall be none. `tries` counts those made,
    /// `paused` is what this request has waited so far, `asked` what the server asked for.
    pub(super) fn pause(&self, tries: u32, paused: Duration, asked: Option<Duration>) -> Option<Duration> {
        if tries >= self.max_tries {
            return None;
        }
        let left = self.max_total_pause.checked_sub(paused)?;
        if let Some(asked) = asked {
            // Several clients were told the same: the jitter keeps them from coming back at once.
            let pause = asked + self.first_pause.mul_f64(jitter() / 2.0);
            return (pause <= left).then_some(pause);
        }
        let doubled = self.first_pause.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let pause = doubled.min(self.max_pause).mul_f64(0.5 + jitter() / 2.0);
        (!left.is_zero()).then_some(pause.min(left))
    }
}

/// Why a request is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryCause {
    /// No connection could be made.
    CannotConnect,
    /// The connection broke before the whole answer had come.
    ConnectionLost,
    /// No answer came in time.
    TimedOut,
    /// The server, or a proxy before it, answered with this status (429, 500, 502, 503, 504).
    Status(u16),
}

impl fmt::Display for RetryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotConnect => f.write_str("no connection"),
            Self::ConnectionLost => f.write_str("connection lost"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Status(429) => f.write_str("the server asks to slow down"),
            Self::Status(status) => write!(f, "the server answered {status}"),
        }
    }
}

/// One try that failed and will be repeated.
#[derive(Clone, Debug)]
pub struct RetryEvent {
    /// Method and path, without the query.
    pub request: String,
    /// Why.
    pub cause: RetryCause,
    /// How many tries were made, this one included.
    pub tries: u32,
    /// How long the pause is.
    pub pause: Duration,
}

/// Where the client reports every retry. Called before the pause; must not block.
#[derive(Clone)]
pub struct RetryLog(Arc<dyn Fn(&RetryEvent) + Send + Sync>);

impl RetryLog {
    /// A log that calls `report` for each retry.
    pub fn new(report: impl Fn(&RetryEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    /// The log of those who do not want to know.
    #[must_use]
    pub fn ignore() -> Self {
        Self::new(|_| {})
    }

    pub(super) fn report(&self, event: &RetryEvent) {
        (self.0)(event);
    }
}

impl Default for RetryLog {
    fn default() -> Self {
        Self::ignore()
    }
}

impl fmt::Debug for RetryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RetryLog")
    }
}

/// A number in 0.0..1.0. The standard library's hash keys are random enough to spread clients out in time.
fn jitter() -> f64 {
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    f64::from(u32::try_from(bits).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let policy = RetryPolicy::default();
        let mut paused = Duration::ZERO;
        let mut each = Vec::new();
        for tries in 1.. {
            let Some(pause) = policy.pause(tries, paused, None) else {
                break;
            };
            paused += pause;
            each.push(pause);
        }
        assert_eq!(each.len(), 5);
        assert!(each[4] > each[0]);
        assert!(paused <= policy.max_total_pause);
    }

    #[test]
    fn what_the_server_asks_for_is_honoured_or_given_up() {
        let policy = RetryPolicy::default();
        let asked = Duration::from_secs(7);
        assert!(policy.pause(1, Duration::ZERO, Some(asked)).unwrap() >= asked);
        assert_eq!(policy.pause(1, Duration::ZERO, Some(Duration::from_secs(3600))), None);
        assert_eq!(policy.pause(6, Duration::ZERO, Some(asked)), None);
    }
}
