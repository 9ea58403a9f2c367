//! Where a bundle is replayed. So far there is one target: a PocketBase server, over its Web API.

pub mod collections;
pub mod relaxed;
pub mod session;
