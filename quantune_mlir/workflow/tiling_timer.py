"""Times a kernel with several tilings on this machine: one program with a function for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from quantune_mlir.backend.benchmark import Runner, Times, measure, pinned, repeated
from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.emit.executable import Library
from quantune_mlir.kernels.families.dense import DenseKernel
from quantune_mlir.kernels.fusion.group import Group
from quantune_mlir.kernels.fusion.isolate_group import NOTHING, new_module, outline, random_inputs
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.tiling.tuning import Tiling
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.function import entry_block, function_name, functions
from quantune_mlir.workflow.tuning import Site, Timer, Timers

_LEAST_SECONDS: Final = 5e-8
"""No kernel takes less: differences of calls are no more exact than this."""


def host_timers(isa: Isa, target: Target) -> Timers:
    """Timers of kernels for a target, on one thread of this machine."""

    def timer_of(site: Site, tilings: Sequence[Tiling]) -> Timer:
        module, names = tiled_functions(site, tilings, isa)
        inputs = {function_name(f): random_inputs(f) for f in functions(module)}
        program = Program(compile_program(module, target))

        def time(chosen: Sequence[Tiling], seconds: float) -> list[Times]:
            with pinned(1):
                calls = {name: program.bound(*arrays, function=name) for name, arrays in inputs.items()}
                runners: dict[str, Runner] = {NOTHING: repeated(calls[NOTHING])}
                for tiling in chosen:
                    own = [calls[name] for name in names[tiling]]
                    runners[str(tiling)] = repeated(lambda own=own: [call() for call in own])
                times = measure(runners, seconds=seconds)
            call = float(np.median(times[NOTHING])) * len(site.groups)
            return [np.maximum(times[str(tiling)] - call, _LEAST_SECONDS) for tiling in chosen]

        return time

    return timer_of


def tiled_functions(site: Site, tilings: Sequence[Tiling], isa: Isa) -> tuple[ir.Module, dict[Tiling, list[str]]]:
    """A module with a function for each tiling of each group of a kernel, lowered; the functions' names by tiling."""
    context = site.groups[0].op.context
    module = new_module(context)
    names: dict[Tiling, list[str]] = {}
    with context, ir.Location.unknown():
        library = Library(module, isa)
        for number, tiling in enumerate(tilings):
            names[tiling] = [f"tiling_{number}_{index}" for index in range(len(site.groups))]
            for name, group in zip(names[tiling], site.groups, strict=True):
                outline(module, name, group.op)
        wanted = {name: tiling for tiling, own in names.items() for name in own}
        for function in functions(module):
            name = function_name(function)
            if name in wanted:
                _lower(function, wanted[name], isa, library)
    return module, names


def _lower(function: ir.Operation, tiling: Tiling, isa: Isa, library: Library) -> None:
    (fused,) = (view.operation for view in entry_block(function).operations if view.operation.name == FUSED)
    kernel = DenseKernel.plan(Group(fused), isa)
    assert kernel is not None, "only groups that have a kernel are tuned"
    with ir.InsertionPoint(fused):
        result = kernel.cut(tiling).dispatch(library)
    fused.results[0].replace_all_uses_with(result)
    fused.erase()
