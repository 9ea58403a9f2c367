//! Unpacks one fixture of this repository into a folder: for scripts, which cannot rely on a `zstd` program.
//!
//!     pannier-fixture openwebui-0.12.4 DIR

use std::path::PathBuf;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = arguments.as_slice() else {
        panic!("give the name of a fixture and a folder");
    };
    pannier_tests::fixture::unpack(name, &PathBuf::from(folder));
}
