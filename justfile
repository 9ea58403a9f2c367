# `just check` is exactly what CI runs.
check:
    scripts/test

# The whole way with a real database, against a server of its own.
demo *options:
    scripts/demo {{options}}

# Licences, advisories, duplicates. Needs `cargo install cargo-deny --locked` (minutes) and, for advisories, the network.
deny:
    cargo deny check

# Memory and time of snapshot and apply on sources of two sizes.
bench *sizes:
    scripts/bench {{sizes}}

# What is expensive to build.
timings:
    cargo build --workspace --timings

format:
    cargo fmt --all
