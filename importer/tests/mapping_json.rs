//! JSON without trees against `serde_json` with them, and what real servers were seen to do.

use pannier_importer::mapping::Match;
use pannier_importer::mapping::json::{Fault, MAX_DEPTH, check, compare, compare_text, decode, find, items, number_text, write_string};
use proptest::prelude::*;

/// Sent to 0.40.6 as the string value of a json field: these came back as the value they are.
const TAKEN: &[&str] = &[
    "{\"a\":123456789012345678901234567890}",
    "[1e-400]",
    "[1.7976931348623158e308]",
    "[1.0]",
    "[]",
    "{}",
    "null",
    "true",
    "{\"a\":\"\u{7f}\"}",
    "{\"a\":\"\u{feff}\"}",
    "\"\u{2028}\"",
    "{\"a\" : 1}",
    "\"\"",
    "\"\\/\"",
    "{\"\":1,\"a.b\":2,\"$set\":3,\"__proto__\":4}",
    "{\"A\":1,\"a\":2}",
    "[{\"a\":1},{\"a\":1}]",
    "{\"a\":{\"a\":1}}",
];

/// These became a string that holds the text (or 400).
const NOT_JSON: &[&str] = &[
    "",
    " ",
    "[1,]",
    "[01]",
    "[+1]",
    "[.5]",
    "[1.]",
    "[1e]",
    "tru",
    "{a:1}",
    "['a']",
    "\"",
    "{\"a\":1}x",
    "NaN",
    "[NaN]",
    "[Infinity]",
    "-Infinity",
    "-",
    "\"\\x41\"",
    "{\"a\":1}\0",
    "\u{feff}{}",
    "{\"a\":\"\u{1}\"}",
    "[",
    "]",
    "{\"a\"}",
    "{\"a\":}",
    "{,}",
    "[,]",
    "[1 2]",
    "1 2",
    "{\"a\":1,}",
    "\"\\ud80\"",
    "\"\\",
    "{]",
    "[}",
    ":",
    ",",
    "{1:2}",
];

#[test]
fn strictness_is_that_of_the_server() {
    for text in TAKEN {
        assert!(check(text).is_ok(), "{text:?}");
    }
    for text in NOT_JSON {
        assert_eq!(check(text), Err(Fault::NotJson), "{text:?}");
    }
    for text in ["{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":2}}", "{\"\\u0061\":1,\"a\":2}", "[{\"a\":1,\"a\":1}]"] {
        assert_eq!(check(text), Err(Fault::DuplicateKey), "{text:?}");
    }
    for text in ["1e400", "[1e400]", "{\"a\":-1e309}", "[1.7976931348623159e308]"] {
        assert_eq!(check(text), Err(Fault::NumberRange), "{text:?}");
    }
    assert_eq!(check(&format!("[1e400{}", ",1".repeat(9))), Err(Fault::NotJson), "broken counts more than out of range");
}

#[test]
fn depth_costs_nothing_and_has_a_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(check(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
    assert_eq!(check(&nested(1_000_000)), Err(Fault::TooDeep));
    assert_eq!(compare(&nested(1_000_000), &format!("{} ", nested(1_000_000))), Match::Same);
    let objects = format!("{}1{}", "{\"a\":".repeat(200_000), "}".repeat(200_000));
    assert_eq!(check(&objects), Err(Fault::TooDeep));
}

#[test]
fn many_keys() {
    let keys: Vec<String> = (0..10_000).map(|key| format!("\"k{key}\":{key}")).collect();
    assert!(check(&format!("{{{}}}", keys.join(","))).is_ok());
    assert_eq!(check(&format!("{{{},\"k77\":0}}", keys.join(","))), Err(Fault::DuplicateKey));
}

#[test]
fn equal_is_what_the_server_may_change() {
    for (expected, actual) in [
        ("{\"a\" : [1, 2]}", "{\"a\":[1,2]}"),
        ("\"<&>\"", "\"\\u003c\\u0026\\u003e\""),
        ("\"\\/\"", "\"/\""),
        ("\"\\ud83d\\ude00\"", "\"😀\""),
        ("\"\\ud800\"", "\"\\uD800\""),
        ("\"\\u0000\"", "\"\\u0000\""),
        ("1.0", "1"),
        ("-0.0", "0"),
        ("1e5", "100000"),
        ("4.456407672509218e16", "44564076725092180"),
        ("9223372036854775807", "9223372036854775807"),
    ] {
        assert_eq!(compare(expected, actual), Match::Same, "{expected} {actual}");
    }
    assert_eq!(compare("[\"\\ud800x\"]", "[\"\u{fffd}x\"]"), Match::SameButSurrogates);
    assert!(compare("[\"\\ud800x\"]", "[\"\u{fffd}x\"]").is_same());
}

#[test]
fn different_is_what_nobody_may_change() {
    for (expected, actual) in [
        ("[1.0]", "[1]"),
        ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}"),
        ("{\"a\":1}", "{\"a\":1,\"a\":1}"),
        ("9223372036854775807", "9223372036854775806"),
        ("5191566416123456789", "5191566416123456800"),
        ("null", "\"null\""),
        ("12", "\"12\""),
        ("\"a\"", "\"a \""),
        ("[]", "{}"),
        ("[1]", "[1"),
        ("[1]", "[1,2]"),
        ("\"\u{fffd}\"", "\"\\ud800\""),
        ("[\"\\ud800\",1]", "[\"\u{fffd}\",2]"),
        ("{\"a\":1}", ""),
    ] {
        assert_eq!(compare(expected, actual), Match::Different, "{expected} {actual}");
    }
}

#[test]
fn texts() {
    assert_eq!(compare_text("a\"\0<😀", "\"a\\\"\\u0000\\u003c\\ud83d\\ude00\""), Match::Same);
    assert_eq!(compare_text("a", "a"), Match::Different);
    assert_eq!(compare_text("a", "\"a\" 1"), Match::Different);
    assert_eq!(compare_text("", "null"), Match::Different);
    assert_eq!(compare_text("", "\"\""), Match::Same);
}

#[test]
fn values_are_found_by_path() {
    let text = " {\"x\":[{\"tags\":[1]}], \"tags\": [\"a\\u0000b\", \"\", {\"b\":[]}, -1.5e3, true] }";
    let tags = find(text, &["tags".to_owned()]).expect("sound").expect("there");
    assert_eq!(items(tags).expect("sound"), ["\"a\\u0000b\"", "\"\"", "{\"b\":[]}", "-1.5e3", "true"]);
    assert_eq!(decode("\"a\\u0000b\""), "a\0b");
    let inner = find(text, &["x".to_owned(), "0".to_owned(), "tags".to_owned()]).expect("sound");
    assert_eq!(inner, Some("[1]"));
    assert_eq!(find(text, &["y".to_owned()]), Ok(None));
    assert_eq!(find("null", &["tags".to_owned()]), Ok(None));
    assert_eq!(items("[ ]"), Ok(Vec::new()));
    assert_eq!(items("{}"), Ok(Vec::new()));
    for broken in ["[1", "[1 2]", "[,]", "[1,]"] {
        assert!(items(broken).is_err(), "{broken}");
    }
    assert!(find("{\"a\" 1}", &["a".to_owned()]).is_err());
}

#[test]
fn numbers_are_written_short() {
    for (number, text) in [(1.0, "1"), (0.5, "0.5"), (1e300, "1e300"), (-0.0, "-0"), (0.1 + 0.2, "0.30000000000000004"), (f64::NAN, "null")]
    {
        assert_eq!(number_text(number), text);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(serde_json::Value::from),
        ".*".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..8).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The same value with every character escaped and white space wherever it may stand.
fn spread(text: &str) -> String {
    let mut out = String::new();
    let mut in_string = false;
    let mut escaped = false;
    for c in text.chars() {
        if in_string {
            if !escaped && c == '"' {
                in_string = false;
                out.push(c);
            } else if escaped || c == '\\' {
                escaped = !escaped;
                out.push(c);
            } else {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        } else {
            in_string = c == '"';
            if "{}[],:".contains(c) {
                out.push_str(" \n");
                out.push(c);
                out.push_str("\t\r");
            } else {
                out.push(c);
            }
        }
    }
    out
}

/// `spread` without touching `\uXXXX`: the escapes of `serde_json` are short ones and these.
fn has_long_escape(text: &str) -> bool {
    text.contains("\\u")
}

proptest! {
    #[test]
    fn sound_json_is_taken(value in json_value()) {
        prop_assert!(check(&value.to_string()).is_ok());
    }

    #[test]
    fn form_does_not_count(value in json_value()) {
        let text = value.to_string();
        prop_assume!(!has_long_escape(&text));
        let spread = spread(&text);
        prop_assert!(check(&spread).is_ok(), "{}", spread);
        prop_assert_eq!(compare(&text, &spread), Match::Same);
    }

    #[test]
    fn equal_texts_are_equal_values(left in json_value(), right in json_value()) {
        let same = compare(&left.to_string(), &right.to_string()) == Match::Same;
        let bare = left.is_number() && right.is_number();
        prop_assert!(bare || same == (left == right));
    }

    #[test]
    fn any_text_is_judged_as_serde_json_does(text in "[\\[\\]{}:,\"\\\\a-c0-2.eE+\\-tu \\n]{0,12}") {
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        let ours = check(&text);
        prop_assert_eq!(ours != Err(Fault::NotJson), theirs, "{:?} {:?}", text, ours);
    }

    #[test]
    fn strings_survive(text in ".*") {
        let mut out = Vec::new();
        write_string(&mut out, &text);
        let written = String::from_utf8(out).expect("UTF-8");
        prop_assert_eq!(&serde_json::from_str::<String>(&written).expect("sound"), &text);
        prop_assert_eq!(&decode(&written), &text);
        prop_assert_eq!(compare_text(&text, &written), Match::Same);
    }

    #[test]
    fn numbers_survive(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        let read: f64 = number_text(number).parse().expect("a number");
        prop_assert_eq!(read.to_bits(), number.to_bits());
    }

    #[test]
    fn nothing_makes_them_fail(left in ".*", right in ".*") {
        let _ = (check(&left), compare(&left, &right), items(&left), find(&right, &["a".to_owned()]));
    }
}
