//! Times of any unit as `PocketBase` writes them. The raw value stays in a field of its own; this feeds `created` and
//! `updated` only.

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
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let mut milliseconds = days_from_civil(year, month, day) * 86_400_000;
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

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant's algorithm; years start in March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn format_milliseconds(milliseconds: i64) -> Option<String> {
    let days = milliseconds.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let rest = milliseconds.rem_euclid(86_400_000);
    let (seconds, fraction) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:03}Z"))
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
