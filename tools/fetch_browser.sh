#!/usr/bin/env bash
# Fetches Chromium, in which reports are tested, where that is possible (Debian, as root); never fails: the tests that
# need it say that it is missing.
set -uo pipefail

for program in chromium chromium-browser google-chrome; do
    command -v "$program" >/dev/null && exit 0
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "reports are not tested in a browser: install chromium" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
{ apt-get -qq update && apt-get -qq install --no-install-recommends chromium; } >/dev/null ||
    echo "reports are not tested in a browser: apt-get cannot install chromium" >&2
exit 0
