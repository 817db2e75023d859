"""Instructions of one run of a C bundle, by function, in the emulator that its target names."""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Final

from quantune_mlir.hardware.targets import CToolchain

_PLUGIN: Final = Path(__file__).with_name("counter.c")
_FUNCTION: Final = re.compile(r"(?P<address>[0-9a-f]+) [tTwW] (?P<name>\S+)")
_ELSEWHERE: Final = "elsewhere"


def build_plugin(folder: Path) -> Path:
    """The plugin, compiled for this machine."""
    made = folder / "counter.so"
    command = ["cc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O2", "-fPIC", "-shared", str(_PLUGIN), "-o", str(made)]
    subprocess.run(command, check=True)
    return made


def instructions_of(bundle: Path, c: CToolchain, plugin: Path) -> Counter[str]:
    """Instructions of one run, by the function in which they stand.

    A self-test that runs the network once is taken from one that runs it twice. Where the emulated CPU waits for
    nothing, and addresses do not depend on how often it runs, this is exact.

    Args:
        bundle: a folder with a C bundle; built in it.
        c: of the target that it was made for, which names an emulator.
        plugin: from `build_plugin`.
    """
    once, twice = (_counted(bundle, c, plugin, runs) for runs in (1, 2))
    return Counter({name: count - once[name] for name, count in twice.items() if count != once[name]})


def _counted(bundle: Path, c: CToolchain, plugin: Path, runs: int) -> Counter[str]:
    """Instructions of a self-test that makes so many runs."""
    build = bundle / f"build{runs}"
    build.mkdir(exist_ok=True)
    counts = build.resolve() / "counts"
    emulator, *arguments = c.emulator.split()
    make = ["make", "-s", "-f", str(bundle.resolve() / "Makefile")]
    make += ["selftest", f"CFLAGS=-O2 -DSELFTEST_RUNS={runs}", "LDFLAGS=-static"]
    make += [f"EMULATOR={emulator} -plugin {plugin.resolve()},out={counts} {' '.join(arguments)}"]
    subprocess.run(make, cwd=build, check=True, stdout=subprocess.DEVNULL)
    names = c.compiler.replace("gcc", "nm")
    listed = subprocess.run([names, str(build / "selftest.elf")], check=True, capture_output=True, text=True).stdout
    return by_function(counts.read_text(), listed)


def by_function(counts: str, symbols: str) -> Counter[str]:
    """Instructions by function.

    Args:
        counts: what the plugin writes.
        symbols: what nm writes.
    """
    found = [_FUNCTION.match(line) for line in symbols.splitlines()]
    functions = sorted((int(match["address"], 16) & ~1, match["name"]) for match in found if match)
    starts = [address for address, _ in functions]
    result: Counter[str] = Counter()
    for line in counts.splitlines():
        address, instructions, times = map(int, line.split())
        at = bisect_right(starts, address) - 1
        result[functions[at][1] if at >= 0 else _ELSEWHERE] += instructions * times
    return result
