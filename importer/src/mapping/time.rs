//! Times of any unit as `PocketBase` writes them. The raw value stays in a field of its own; this feeds `created` and
//! `updated` only.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime};
use pannier_format::Value;

/// Numbers below this are seconds: it is the year 5138 in seconds and 1973 in milliseconds.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
/// Numbers from here on are microseconds (1973 again).
const MICROSECONDS_FROM: i64 = 100_000_000_000_000;
/// Numbers from here on are nanoseconds.
const NANOSECONDS_FROM: i64 = 100_000_000_000_000_000;

/// The time that a value stands for, as `2020-01-01 00:00:00.000Z`, fractions cut to milliseconds.
///
/// The unit of a number is told by its size: seconds, milliseconds, microseconds or nanoseconds since 1970. Text is
/// `YYYY-MM-DD[ T]hh:mm[:ss[.fff…]][Z|±hh[:mm]]`, in UTC where it does not say, or digits. `None`: not a time, or not in the years 1
/// to 9999; and 0, which applications write for 'never'.
#[must_use]
pub fn to_pocketbase_time(value: &Value<'_>) -> Option<String> {
    match *value {
        Value::Integer(integer) => from_integer(integer),
        Value::Real(real) => from_real(real),
        Value::Text(_) => {
            let text = value.as_str()?.trim();
            match text.parse::<i64>() {
                Ok(integer) => from_integer(integer),
                Err(_) => from_text(text),
            }
        }
        Value::Null | Value::Boolean(_) | Value::Blob(_) => None,
    }
}

fn from_integer(integer: i64) -> Option<String> {
    let size = integer.checked_abs()?;
    let milliseconds = match size {
        0 => return None,
        _ if size < MILLISECONDS_FROM => integer.checked_mul(1_000)?,
        _ if size < MICROSECONDS_FROM => integer,
        _ if size < NANOSECONDS_FROM => integer.div_euclid(1_000),
        _ => integer.div_euclid(1_000_000),
    };
    format_milliseconds(milliseconds)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // bounded below, and cut to milliseconds anyway
fn from_real(real: f64) -> Option<String> {
    if real.abs() < MILLISECONDS_FROM as f64 && real != 0.0 {
        return format_milliseconds((real * 1_000.0).floor() as i64);
    }
    if real.is_finite() { from_integer(real as i64) } else { None }
}

fn from_text(text: &str) -> Option<String> {
    let date = text.get(..10)?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    let mut milliseconds = date.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    let rest = &text[10..];
    if !rest.is_empty() {
        let clock = rest.strip_prefix(['T', 't', ' '])?;
        let zone_at = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
        milliseconds += clock_milliseconds(clock[..zone_at].trim_end())?;
        milliseconds -= zone_minutes(&clock[zone_at..])? * 60_000;
    }
    format_milliseconds(milliseconds)
}

fn clock_milliseconds(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let (second, milliseconds) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once(['.', ',']) {
            None => (digits(seconds)?, 0),
            Some((second, fraction)) => {
                digits(fraction)?;
                let padded = format!("{fraction:0<3}");
                (digits(second)?, digits(&padded[..3])?)
            }
        },
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds)
}

fn zone_minutes(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first() {
        None => return Some(0),
        Some(b'Z' | b'z') if zone.len() == 1 => return Some(0),
        Some(b'+') => 1,
        Some(b'-') => -1,
        Some(_) => return None,
    };
    let clock: String = zone[1..].chars().filter(|&c| c != ':').collect();
    let number = digits(&clock)?;
    let minutes = match clock.len() {
        2 => number * 60,
        4 => number / 100 * 60 + number % 100,
        _ => return None,
    };
    Some(sign * minutes)
}

/// A number of at most 18 digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let sound = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

fn format_milliseconds(milliseconds: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(milliseconds)?;
    (1..=9999).contains(&time.year()).then(|| time.format("%Y-%m-%d %H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(value: Value<'_>) -> Option<String> {
        to_pocketbase_time(&value)
    }

    #[test]
    fn units_are_told_by_size() {
        let expected = Some("2023-11-14 22:13:20.000Z".to_owned());
        for integer in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, 1_700_000_000_000_000_000] {
            assert_eq!(time(Value::Integer(integer)), expected, "{integer}");
        }
        assert_eq!(time(Value::Integer(1_700_000_000_123_456_789)), Some("2023-11-14 22:13:20.123Z".to_owned()));
        assert_eq!(time(Value::Real(1_700_000_000.75)), Some("2023-11-14 22:13:20.750Z".to_owned()));
        assert_eq!(time(Value::Text(b"1700000000")), expected);
        assert_eq!(time(Value::Integer(-1)), Some("1969-12-31 23:59:59.000Z".to_owned()));
        assert_eq!(time(Value::Integer(951_782_400)), Some("2000-02-29 00:00:00.000Z".to_owned()));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in [
            Value::Null,
            Value::Integer(0),
            Value::Integer(i64::MIN),
            Value::Real(f64::INFINITY),
            Value::Real(f64::NAN),
            Value::Text(b""),
            Value::Text(b"yesterday"),
            Value::Text(b"2023-02-29"),
            Value::Text(b"2023-13-01"),
            Value::Text(b"0000-01-01"),
            Value::Text(b"2023-01-01 25:00"),
            Value::Text(b"2023-01-01x"),
            Value::Text("２０２３-01-01".as_bytes()),
            Value::Blob(b"1700000000"),
        ] {
            assert_eq!(time(value), None, "{value:?}");
        }
        assert_eq!(time(Value::Integer(i64::MAX)), Some("2262-04-11 23:47:16.854Z".to_owned()));
    }

    #[test]
    fn texts_in_their_usual_forms() {
        let expected = Some("2023-11-14 22:13:20.500Z".to_owned());
        for text in [
            "2023-11-14 22:13:20.5",
            "2023-11-14T22:13:20.500999Z",
            "2023-11-14T23:13:20.500+01:00",
            "2023-11-14 17:13:20.50-0500",
            "2023-11-15 00:13:20.5+02",
        ] {
            assert_eq!(time(Value::Text(text.as_bytes())), expected, "{text}");
        }
        assert_eq!(time(Value::Text(b"0001-01-01")), Some("0001-01-01 00:00:00.000Z".to_owned()));
        assert_eq!(time(Value::Text(b"1984-02-29 10:20")), Some("1984-02-29 10:20:00.000Z".to_owned()));
    }
}
