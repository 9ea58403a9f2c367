//! The e-mail addresses that `PocketBase` takes, by the same grammar on 0.23.4 to 0.40.6 (the one of govalidator).

/// True if the server takes the address as it is. Quoted local parts are left out: the server's own tests refuse spaces
/// in them, and a placeholder is safe.
#[must_use]
pub fn is_acceptable_email(address: &str) -> bool {
    let Some((local, domain)) = address.split_once('@') else { return false };
    local.split('.').all(is_atom) && is_domain(domain)
}

fn is_atom(atom: &str) -> bool {
    !atom.is_empty() && atom.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_foreign(c))
}

/// Labels separated by dots, at least two; the last one starts and ends with a letter. One dot at the end is allowed.
fn is_domain(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let Some((labels, top)) = domain.rsplit_once('.') else { return false };
    let letter = |c: char| c.is_ascii_alphabetic() || is_foreign(c);
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c) || is_foreign(c);
    let edge = |c: char| c.is_ascii_alphanumeric() || is_foreign(c);
    top.starts_with(letter)
        && top.ends_with(letter)
        && top.chars().all(inner)
        && labels.split('.').all(|label| label.starts_with(edge) && label.ends_with(edge) && label.chars().all(inner))
}

/// The characters beyond ASCII that the grammar allows.
fn is_foreign(c: char) -> bool {
    matches!(c, '\u{A0}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFEF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of these was sent to 0.23.4, 0.28.4, 0.36.9 and 0.40.6, which agreed.
    #[test]
    fn agrees_with_the_servers() {
        let taken = [
            "o'brien.%$#*?/x@example.com",
            "jürgen@exämple.de",
            "a@b.c",
            "A@Case.example",
            "a@x_y.com",
            "a@x~y.com",
            "a@x.com.",
            "a+b@x.co.uk",
            "a@x.c0m",
            "a@1.com",
            "用户@例子.公司",
            "a@b.xn--p1ai",
            "x@invalid-email.pannier.invalid",
            "\u{a0}@x.com",
            "a`{|}~^_=&!b@x.com",
            "é@x.com",
        ];
        for address in taken {
            assert!(is_acceptable_email(address), "{address}");
        }
        let refused = [
            "local@localhost",
            "a..b@x.com",
            ".a@x.com",
            "a.@x.com",
            "a@x",
            "a@-x.com",
            "a@x-.com",
            "a@127.0.0.1",
            "a@[127.0.0.1]",
            "\"q q\"@x.com",
            "a b@x.com",
            " a@x.com",
            "a@x.com ",
            "a@x.1com",
            "a@x.com1",
            "a@x..com",
            "a@b@c.com",
            "a\u{7f}@x.com",
            "a@😀.com",
            "😀@x.com",
            "",
            "@x.com",
            "a@",
        ];
        for address in refused {
            assert!(!is_acceptable_email(address), "{address}");
        }
    }
}
