"""Measures what kernel groups take on this machine, each distinct one once, and keeps what it found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import numpy as np

from quantune_mlir.backend.benchmark import measure, pinned, repeated
from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.host_cache import HostCache
from quantune_mlir.backend.kernel_groups import KernelGroup
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.fusion.isolate_group import NOTHING, new_module, outline, outline_conversion, random_inputs
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import function_name, functions

_PER_PROGRAM: Final = 24
"""Groups that are compiled and measured together; after each program the cache is written."""
_LEAST: Final = 0.05
"""No group takes less, in µs: differences of calls are no more exact than this."""

Outline = Callable[[ir.Module, str], None]
"""Adds a function of the given name to a module."""


def latency_cache(target: Target) -> HostCache[float]:
    """The user's cache of what this machine takes for `target`."""
    return HostCache.of_host("latency", target, float)


def measure_latencies(
    groups: Sequence[KernelGroup],
    conversions: Sequence[tuple[int, ...]],
    target: Target,
    cache: HostCache[float],
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
    inputs = {function_name(function): random_inputs(function) for function in functions(module)}
    program = Program(compile_program(module, target))
    with pinned(1):
        runners = {name: repeated(program.bound(*arrays, function=name)) for name, arrays in inputs.items()}
        times = {name: float(np.median(rounds)) * 1e6 for name, rounds in measure(runners, seconds=0.0).items()}
    return {key: round(max(times[name] - times[NOTHING], _LEAST), 3) for key, name in names.items()}
