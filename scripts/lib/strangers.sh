#!/usr/bin/env bash
# Installs the tools of others that check a bundle without ours, bagit.py and DuckDB, and prints the folder to put
# into PYTHONPATH. They come from Python's package index by name, once, into $PANNIER_CACHE.
#
#   scripts/lib/strangers.sh        the folder on stdout, everything else on stderr
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$repository/scripts/lib/setup.sh"

# bagit 1.9.0 is the first that does without setuptools. DuckDB is pinned, as its answers are compared.
packages=(bagit==1.9.0 duckdb==1.4.1)

if ! python3 -m pip --version >/dev/null 2>&1; then
    setup_packages python3 python3-pip ||
        setup_fail "there is no python3 with pip, which the tests with tools of others need" "install python3 and python3-pip"
fi
cache=${PANNIER_CACHE:-$repository/tests/.cache}
# DuckDB is compiled for one version of Python.
python=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=$cache/strangers-python$python-$(printf '%s\n' "${packages[@]}" | cksum | cut -d ' ' -f 1)
if [ ! -f "$folder/complete" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/.strangers.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    printf 'fetching %s with pip\n' "${packages[*]}" >&2
    # --target: no virtual environment is needed, and nothing of the system's Python changes.
    python3 -m pip --disable-pip-version-check --no-input -q install --root-user-action=ignore --target "$work" "${packages[@]}" >&2 ||
        setup_fail "pip could not install ${packages[*]}" "check the network"
    : >"$work/complete"
    # Two of these may run at once: the second one's move fails, and the first one's folder is as good.
    mv -T "$work" "$folder" 2>/dev/null || [ -f "$folder/complete" ]
fi
printf '%s\n' "$folder"
