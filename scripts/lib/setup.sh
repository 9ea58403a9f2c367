#!/usr/bin/env bash
# Sourced by scripts/test, scripts/demo and scripts/bench: where builds and downloads go, and what must be there.
#
#   PANNIER_CACHE      downloads (PocketBase, Python packages); default: tests/.cache, in CI a folder of the user's
#   CARGO_TARGET_DIR   the build; default: target, in CI a folder of the user's
#
# In CI every run has a clone of its own, so both go outside it: the second run finds what the first one built.

setup_fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit 1
}

setup_directories() {
    if [ "${CI:-}" = true ]; then
        local home=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/pannier
        export PANNIER_CACHE=${PANNIER_CACHE:-$home}
        export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$home/target}
    fi
    export PANNIER_CACHE=${PANNIER_CACHE:-$PWD/tests/.cache}
    mkdir -p "$PANNIER_CACHE" ||
        setup_fail "cannot create the cache directory $PANNIER_CACHE" "set PANNIER_CACHE to a directory that can be written"
    PANNIER_CACHE=$(cd "$PANNIER_CACHE" && pwd)
    PANNIER_TARGET=${CARGO_TARGET_DIR:-$PWD/target}/debug
}

# Rust and a C compiler (SQLite and zstd are built from source).
setup_rust() {
    command -v cargo >/dev/null 2>&1 || setup_fail "cargo is not installed" "install Rust 1.90 or newer"
    command -v cc >/dev/null 2>&1 || setup_packages gcc libc6-dev ||
        setup_fail "cc, the C compiler, is not installed" "install gcc and the headers of the C library"
}

# Installs Debian packages; only as root, and only where apt-get is.
setup_packages() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    printf 'installing %s with apt-get\n' "$*" >&2
    { DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"; } >/dev/null 2>&1
    local done=$?
    hash -r
    return $done
}
