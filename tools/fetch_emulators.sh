#!/usr/bin/env bash
# Fetches what runs programs for other CPUs on this one, where that is possible; never fails: the tests that need it say
# what is missing.
#
#   fetch_emulators.sh PYTHON DIRECTORY
#
# qemu, C libraries and cross compilers come from Debian's packages (as root), IREE's aarch64 runtime from the Python
# package index into DIRECTORY.
set -uo pipefail

python=$1
directory=$2
packages=(
    qemu-user libc6-arm64-cross libstdc++6-arm64-cross libgcc-s1-arm64-cross
    qemu-system-arm qemu-system-misc gcc libc6-dev make
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-arm-none-eabi libnewlib-arm-none-eabi
    gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf
)
programs=(
    qemu-aarch64 qemu-arm qemu-riscv64 qemu-system-arm qemu-system-riscv32 cc make
    aarch64-linux-gnu-gcc arm-linux-gnueabihf-gcc riscv64-linux-gnu-gcc arm-none-eabi-gcc riscv64-unknown-elf-gcc
)
runner=$directory/iree/_runtime_libs/iree-run-module

say() { echo "not all CPUs can be emulated: $*" >&2; }

all_there() {
    command -v "${programs[@]}" >/dev/null && [ -d /usr/aarch64-linux-gnu/lib ] &&
        [ "$(command -v "${programs[@]}" | wc -l)" = "${#programs[@]}" ]
}

if ! all_there; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "install ${packages[*]}"
    else
        export DEBIAN_FRONTEND=noninteractive
        if ! { apt-get -qq update && apt-get -qq install --no-install-recommends "${packages[@]}"; } >/dev/null; then
            say "apt-get cannot install ${packages[*]}"
        fi
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
