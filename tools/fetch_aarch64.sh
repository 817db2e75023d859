#!/usr/bin/env bash
# Fetches what runs programs for 64-bit Arm on another CPU, where that is possible; never fails: the tests that need it
# say what is missing.
#
#   fetch_aarch64.sh PYTHON DIRECTORY
#
# qemu and Arm's C library come from Debian's packages (as root), IREE's aarch64 runtime from the Python package index
# into DIRECTORY.
set -uo pipefail

python=$1
directory=$2
packages=(qemu-user libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross)
runner=$directory/iree/_runtime_libs/iree-run-module

say() { echo "64-bit Arm cannot be emulated: $*" >&2; }

if ! command -v qemu-aarch64 >/dev/null || [ ! -d /usr/aarch64-linux-gnu/lib ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "install ${packages[*]}"
        exit 0
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -qq update && apt-get -qq install --no-install-recommends "${packages[@]}"; } >/dev/null; then
        say "apt-get cannot install ${packages[*]}"
        exit 0
    fi
fi

version=$("$python" -c 'from importlib.metadata import version; print(version("iree-base-runtime"))')
if [ ! -x "$runner" ] || [ "$(cat "$directory/version" 2>/dev/null)" != "$version" ]; then
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    if ! "$python" -m pip download --quiet --platform manylinux_2_28_aarch64 --only-binary=:all: --no-deps \
        --dest "$wheels" "iree-base-runtime==$version"; then
        say "no aarch64 wheel of iree-base-runtime $version"
        exit 0
    fi
    rm -rf "$directory"
    "$python" -m zipfile --extract "$wheels"/*.whl "$directory" && chmod +x "$runner" && echo "$version" >"$directory/version"
fi
