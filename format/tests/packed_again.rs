//! A bundle that was unpacked and packed again by another program is the same bundle: the order of members, folders, owners,
//! times, extension headers and the blocking of the tar have no meaning.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;

use std::path::Path;
use std::process::Command;

use forge::{Forged, codes, member, pax};
use pannier_format::Bundle;

fn tar(folder: &Path, arguments: &[&str]) {
    let status = Command::new("tar").current_dir(folder).args(arguments).status().unwrap();
    assert!(status.success(), "tar {arguments:?}");
}

#[test]
fn by_gnu_tar_in_its_formats() {
    let folder = tempfile::tempdir().unwrap();
    let whole = forge::write_small(folder.path());
    let identity = Bundle::open(&whole).unwrap().identity().to_owned();
    tar(folder.path(), &["xf", "small.tar"]);
    let formats: [&[&str]; 6] = [
        &["--format=gnu"],
        &["--format=pax"],
        &["--format=ustar", "--owner=someone:1234", "--group=else:4321"],
        &["--format=pax", "--sort=name", "--mtime=@1.5", "--numeric-owner"],
        &["--format=gnu", "--blocking-factor=128", "--mode=u+rwx"],
        &["--format=v7"],
    ];
    for (number, options) in formats.iter().enumerate() {
        let name = format!("again-{number}.tar");
        // The oldest format has no room for the paths of blobs.
        let members: &[&str] = if options.contains(&"--format=v7") { &["small/data/schema"] } else { &["small"] };
        tar(folder.path(), &[&["cf", &name], *options, members].concat());
        let again = folder.path().join(name);
        if members != ["small"] {
            assert!(codes(&again).contains("member-missing"), "{options:?}");
            continue;
        }
        assert_eq!(codes(&again), "whole", "{options:?}");
        assert_eq!(Bundle::open(&again).unwrap().identity(), identity);
    }
}

/// As bsdtar and others write it: folders first or last, pax headers for owners and times, long paths in pax headers.
#[test]
fn in_another_order_with_folders_and_pax_headers() {
    let folder = tempfile::tempdir().unwrap();
    let mut forged = Forged::small();
    let whole = forged.write(folder.path());
    assert_eq!(codes(&whole), "whole");
    let identity = Bundle::open(&whole).unwrap().identity().to_owned();
    forged.members.reverse();
    let mut bytes = member(b"pax_global_header", b'g', b"16 comment=abcd\n");
    for path in ["small/", "small/data/", "small/data/tables", "small/an/empty/folder/"] {
        bytes.extend(member(path.as_bytes(), b'5', b""));
    }
    for (path, content) in &forged.members {
        let path = format!("small/{path}");
        bytes.extend(pax(&[("mtime", "1700000000.123456789"), ("SCHILY.xattr.user.x", "a\nb"), ("path", &path), ("uid", "3000000")]));
        bytes.extend(member(&path.as_bytes()[..path.len().min(100)], b'0', content));
    }
    bytes.resize((bytes.len() + 1024).next_multiple_of(10240), 0);
    std::fs::write(&whole, bytes).unwrap();
    assert_eq!(codes(&whole), "whole");
    assert_eq!(Bundle::open(&whole).unwrap().identity(), identity);
}
