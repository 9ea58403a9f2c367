//! Finds a value inside JSON text by its path, as a piece of that text.

use super::lexer::{Lexer, NotJson, Token};
use super::text::decode;

/// The value at a path of object keys and array positions; `None` if there is none. The text must be sound JSON up to
/// there; with a repeated key the first counts.
pub fn find<'a>(text: &'a str, path: &[String]) -> Result<Option<&'a str>, NotJson> {
    let mut value = text.trim_matches([' ', '\t', '\n', '\r']);
    for step in path {
        let found = match value.as_bytes().first() {
            Some(b'{') => entries(value)?.into_iter().find(|(key, _)| key == step).map(|(_, value)| value),
            Some(b'[') => match step.parse::<usize>() {
                Ok(position) => items(value)?.get(position).copied(),
                Err(_) => None,
            },
            _ => None,
        };
        match found {
            Some(found) => value = found,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// The values of an array, each as its own text; none if the text is not an array.
pub fn items(text: &str) -> Result<Vec<&str>, NotJson> {
    let mut lexer = Lexer::new(text);
    let mut found = Vec::new();
    if lexer.next_token()? != Some(Token::ArrayStart) {
        return Ok(found);
    }
    let broken = |lexer: &Lexer<'_>| NotJson { at_bytes: lexer.offset() };
    loop {
        match value(text, &mut lexer)? {
            Some(value) => found.push(value),
            None if found.is_empty() => break,
            None => return Err(broken(&lexer)),
        }
        match lexer.next_token()? {
            Some(Token::Comma) => {}
            Some(Token::ArrayEnd) => break,
            _ => return Err(broken(&lexer)),
        }
    }
    Ok(found)
}

/// The keys and values of an object; none if the text is not an object.
pub fn entries(text: &str) -> Result<Vec<(String, &str)>, NotJson> {
    let mut lexer = Lexer::new(text);
    let mut found = Vec::new();
    if lexer.next_token()? != Some(Token::ObjectStart) {
        return Ok(found);
    }
    loop {
        let broken = |lexer: &Lexer<'_>| NotJson { at_bytes: lexer.offset() };
        let key = match lexer.next_token()? {
            Some(Token::String(raw)) => decode(raw),
            Some(Token::ObjectEnd) if found.is_empty() => break,
            _ => return Err(broken(&lexer)),
        };
        if lexer.next_token()? != Some(Token::Colon) {
            return Err(broken(&lexer));
        }
        let value = value(text, &mut lexer)?.ok_or_else(|| broken(&lexer))?;
        found.push((key, value));
        match lexer.next_token()? {
            Some(Token::Comma) => {}
            Some(Token::ObjectEnd) => break,
            _ => return Err(broken(&lexer)),
        }
    }
    Ok(found)
}

/// Steps over one value and returns its text; `None` if a container ends here instead.
fn value<'a>(text: &'a str, lexer: &mut Lexer<'a>) -> Result<Option<&'a str>, NotJson> {
    let mut depth = 0_usize;
    let mut start = None;
    loop {
        let Some(token) = lexer.next_token()? else {
            return Err(NotJson { at_bytes: lexer.offset() });
        };
        let length = match token {
            Token::String(raw) | Token::Number(raw) => raw.len(),
            Token::True | Token::Null => 4,
            Token::False => 5,
            _ => 1,
        };
        match token {
            Token::ObjectStart | Token::ArrayStart => depth += 1,
            Token::ObjectEnd | Token::ArrayEnd if depth == 0 => return Ok(None),
            Token::ObjectEnd | Token::ArrayEnd => depth -= 1,
            Token::Colon | Token::Comma if depth == 0 => {
                return Err(NotJson { at_bytes: lexer.offset() });
            }
            _ => {}
        }
        let start = *start.get_or_insert(lexer.offset() - length);
        if depth == 0 {
            return Ok(Some(&text[start..lexer.offset()]));
        }
    }
}
