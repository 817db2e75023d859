"""Measures what kernel groups take on this machine, each distinct one once, and keeps what it found."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from quantune_mlir._versions import installed_version
from quantune_mlir.execution.benchmark import measure, pinned, repeated
from quantune_mlir.execution.host_isa import cpu_name, host_isa
from quantune_mlir.execution.program import Program
from quantune_mlir.execution.targets import Target
from quantune_mlir.files import write_atomically
from quantune_mlir.ir.function import function_name, functions
from quantune_mlir.ir.mlir import ir
from quantune_mlir.kernels.outline import NOTHING, new_module, outline, outline_conversion
from quantune_mlir.workflow.compilation import compile_program
from quantune_mlir.workflow.kernel_groups import KernelGroup

CACHE_VARIABLE: Final = "QUANTUNE_CACHE"
"""Names another directory for the cache than the user's own."""
_PER_PROGRAM: Final = 24
"""Groups that are compiled and measured together; after each program the cache is written."""
_LEAST: Final = 0.05
"""No group takes less, in µs: differences of calls are no more exact than this."""

Outline = Callable[[ir.Module, str], None]
"""Adds a function of the given name to a module."""


class LatencyCache:
    """Microseconds by key, in a file for each CPU, instruction set and version of the compiler."""

    def __init__(self, path: Path) -> None:
        """Open the cache in `path`; a missing or broken file is an empty cache."""
        self._path = path
        try:
            self._found: dict[str, float] = {k: float(v) for k, v in json.loads(path.read_text("utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self._found = {}

    @staticmethod
    def of_host(target: Target) -> LatencyCache:
        """The user's cache of what this machine takes for `target`."""
        versions = [installed_version(name) for name in ("quantune-mlir", "iree-base-compiler", "iree-base-runtime")]
        made_of = json.dumps([cpu_name(), host_isa(), versions, target.model_dump()], sort_keys=True)
        name = hashlib.sha256(made_of.encode()).hexdigest()[:16]
        chosen = os.environ.get(CACHE_VARIABLE)
        directory = Path(chosen) if chosen else platformdirs.user_cache_path("quantune")
        return LatencyCache(directory / f"latency-{name}.json")

    def get(self, key: str) -> float | None:
        """Microseconds, if known."""
        return self._found.get(_short(key))

    def add(self, found: Mapping[str, float]) -> None:
        """Keep what was measured. A cache that cannot be written is none: it is measured again next time."""
        self._found |= {_short(key): value for key, value in found.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, (json.dumps(self._found, indent=0) + "\n").encode())
        except OSError:
            pass


def measure_latencies(
    groups: Sequence[KernelGroup],
    conversions: Sequence[tuple[int, ...]],
    target: Target,
    cache: LatencyCache,
    on_groups: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Microseconds by key: of groups, and of making int8 of tensors of some shapes (see `conversion_key`).

    Args:
        groups: what to measure, on one thread; groups of the same key once.
        conversions: shapes.
        target: of this machine.
        cache: what was measured before; added to.
        on_groups: called for each that is known.
    """
    wanted: dict[str, Outline] = {}
    for group in groups:
        wanted.setdefault(group.key, lambda module, name, op=group.op: outline(module, name, op))
    for shape in conversions:
        wanted.setdefault(conversion_key(shape), lambda module, name, s=shape: outline_conversion(module, name, s))
    known = {key: value for key in wanted if (value := cache.get(key)) is not None}
    for _ in known:
        on_groups()
    missing = iter([key for key in wanted if key not in known])
    while batch := list(islice(missing, _PER_PROGRAM)):
        found = _measure({key: wanted[key] for key in batch}, target, groups[0].op.context)
        cache.add(found)
        known |= found
        for _ in found:
            on_groups()
    return known


def conversion_key(shape: Sequence[int]) -> str:
    """The key of a conversion of a tensor of this shape."""
    return f"quantize {'x'.join(map(str, shape))}"


def _measure(outlines: Mapping[str, Outline], target: Target, context: ir.Context) -> dict[str, float]:
    module = new_module(context)
    names = {key: f"group_{index}" for index, key in enumerate(outlines)}
    for key, add in outlines.items():
        add(module, names[key])
    inputs = {function_name(function): _inputs(function) for function in functions(module)}
    program = Program(compile_program(module, target))
    with pinned(1):
        runners = {name: repeated(program.bound(*arrays, function=name)) for name, arrays in inputs.items()}
        times = {name: float(np.median(rounds)) * 1e6 for name, rounds in measure(runners, seconds=0.0).items()}
    return {key: round(max(times[name] - times[NOTHING], _LEAST), 3) for key, name in names.items()}


def _inputs(function: ir.Operation) -> list[NDArray[np.generic]]:
    rng = np.random.default_rng(0)
    kinds = [ir.RankedTensorType(value.type) for value in function.regions[0].blocks[0].arguments]
    return [_random(rng, tuple(kind.shape), str(kind.element_type)) for kind in kinds]


def _random(rng: np.random.Generator, shape: tuple[int, ...], element: str) -> NDArray[np.generic]:
    if element == "f32":
        return rng.standard_normal(shape, np.float32)
    dtype = np.dtype({"i1": "bool"}.get(element, element.replace("i", "int")))
    return rng.integers(0, 2 if element == "i1" else 100, shape).astype(dtype)


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]
