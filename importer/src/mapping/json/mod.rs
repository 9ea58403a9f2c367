//! JSON as text: tokens, strictness, equality and look-up, without trees and without recursion, so that neither 50 MiB
//! in one value nor nesting of any depth costs more than the text itself.

mod check;
mod compare;
mod lexer;
mod lookup;
mod text;
mod write;

pub use check::{Fault, MAX_DEPTH, Summary, check};
pub use compare::{Match, compare, compare_text};
pub use lexer::{Lexer, NotJson, Token};
pub use lookup::{entries, find, items};
pub use text::{decode, units};
pub use write::{number_text, write_string};
