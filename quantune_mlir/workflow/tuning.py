"""Finds the tiles that are quickest on this machine: the model's best guesses for each dense kernel, timed in turns."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from quantune_mlir.backend.benchmark import Times
from quantune_mlir.backend.compilation import isa_of
from quantune_mlir.backend.host_cache import HostCache
from quantune_mlir.backend.kernel_groups import KernelGroup, kernel_groups
from quantune_mlir.errors import TilesError
from quantune_mlir.hardware.host_isa import cpu_name, host_flags, needs
from quantune_mlir.hardware.targets import Target, throughput_of
from quantune_mlir.kernels.families.dense import DenseKernel
from quantune_mlir.kernels.fusion.group import CONVOLUTION, Group
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.by_name import kernel_isa
from quantune_mlir.kernels.tiling.tiles import Tile, Workgroup
from quantune_mlir.kernels.tiling.tuned_tiles import TunedKernel, TunedTiles
from quantune_mlir.kernels.tiling.tuning import Kernel, Tiling, candidates
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.text import module_bytecode, parse_module

_WORTHWHILE: Final = 0.97
"""Another tiling takes the place of the model's if its time is below this part of it, and lower in 3 rounds of 4.

Of 20 rounds, the fewest there are, chance has so many on one side once in 50 times."""
_ROUNDS_WON: Final = 75
"""Percent."""
_FINALISTS: Final = 4
"""So many are timed again, beside the model's: the first comparison is too short, and favours the lucky."""
_FINAL_SECONDS: Final = 0.5

Timer = Callable[[Sequence[Tiling], float], Sequence[Times]]
"""(tilings, seconds): what a kernel takes with each of them, in seconds, an element for each round that they shared."""
Timers = Callable[["Site", Sequence[Tiling]], Timer]
"""Makes ready to time a kernel with some tilings: compiles it."""


@dataclass(frozen=True)
class Site:
    """A kernel, and where networks have it.

    Attributes:
        kernel: the convolution.
        groups: kernel groups that compute it, each epilogue once.
        counts: dispatches in each program that has it.
        cycles: what these take, as the throughput model tells.
    """

    kernel: Kernel
    groups: tuple[KernelGroup, ...]
    counts: Mapping[str, int]
    cycles: float


@dataclass(frozen=True)
class Choice:
    """What was found for a kernel: times are of one call in µs, averaged over its epilogues."""

    model: Tiling
    best: Tiling
    model_us: float
    best_us: float

    @property
    def gain(self) -> float:
        """The model's time over that of the best."""
        return self.model_us / self.best_us


def tuned_isa(target: Target) -> Isa:
    """The instruction set whose kernels are measured for a target.

    Raises:
        TilesError: the target has no kernels, or this machine cannot run them.
    """
    isa = isa_of(target)
    if isa is None:
        raise TilesError(f"target {target.name} has no kernels of ours", remedy="choose another target")
    if target.cpu != "host" and not (needs(isa) and needs(isa) <= host_flags()):
        raise TilesError(
            f"the kernels of {target.name} cannot be measured on this machine",
            where=f"--target {target.name}",
            remedy="run `quantune tune --target host` on the machine that the program is for",
        )
    return kernel_isa(isa, target.memory)


def find_sites(modules: Mapping[str, ir.Module], isa: Isa) -> list[Site]:
    """The distinct dense kernels of some programs, TOSA by name; those that take the most time first."""
    groups: dict[Kernel, list[KernelGroup]] = {}
    counts: dict[Kernel, Counter[str]] = defaultdict(Counter)
    context: ir.Context | None = None
    for name, module in modules.items():
        context = context or module.context
        for group in kernel_groups(parse_module(module_bytecode(module), context)):
            if (kernel := _kernel_of(group.op, isa)) is not None:
                groups.setdefault(kernel.kind, []).append(group)
                counts[kernel.kind][name] += 1
    speed = throughput_of(isa.name)
    sites = [
        Site(
            kernel,
            tuple({group.key: group for group in found}.values()),
            counts[kernel],
            sum(speed.cycles(group.work) for group in found),
        )
        for kernel, found in groups.items()
    ]
    return sorted(sites, key=lambda site: -site.cycles)


def _kernel_of(op: ir.Operation, isa: Isa) -> DenseKernel | None:
    if op.name != FUSED or Group(op).family != CONVOLUTION:
        return None
    return DenseKernel.plan(Group(op), isa)


def choice_cache(target: Target) -> HostCache[Choice]:
    """The user's cache of what was found on this machine for `target`."""
    return HostCache.of_host("tiles", target, _read, _write)


def tune(
    sites: Sequence[Site],
    isa: Isa,
    cache: HostCache[Choice],
    timers: Timers,
    *,
    seconds: float | None = None,
    on_site: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[Kernel, Choice]:
    """The best tiling of each kernel; what was found is in the cache at once, so that an interrupted search goes on.

    Args:
        sites: the kernels, in the order in which they are measured.
        isa: what they are made for.
        cache: what was found before; added to.
        timers: how a kernel is timed.
        seconds: after so many no other kernel is begun; None: all are measured.
        on_site: called for each kernel that is done with.
        clock: seconds, for the limit.

    Returns:
        Those that are known, in the order of `sites`.
    """
    found: dict[Kernel, Choice] = {}
    start = clock()
    for site in sites:
        tilings = candidates(site.kernel, isa)
        key = "; ".join([isa.name, str(site.kernel), *(group.key for group in site.groups), *map(str, tilings)])
        choice = cache.get(key)
        if choice is None and (seconds is None or clock() - start <= seconds):
            choice = best_of(tilings, timers(site, tilings), len(site.groups))
            cache.add({key: choice})
        if choice is not None:
            found[site.kernel] = choice
        on_site()
    return found


def best_of(tilings: Sequence[Tiling], timer: Timer, groups: int = 1) -> Choice:
    """The quickest tiling; the first one, which is the model's, unless another is quicker beyond doubt.

    Args:
        tilings: at least one.
        timer: tells how long each takes.
        groups: how many calls the times are of.
    """
    screened = [float(np.median(times)) for times in timer(tilings, 0.0)] if len(tilings) > 1 else []
    order = sorted(range(1, len(tilings)), key=lambda i: screened[i])
    finalists = [tilings[0], *(tilings[i] for i in order[:_FINALISTS])]
    model, *others = timer(finalists, _FINAL_SECONDS)
    model_us = float(np.median(model)) * 1e6 / groups
    best, ratio = tilings[0], 1.0
    for tiling, times in zip(finalists[1:], others, strict=True):
        median, nearly_all = np.percentile(times / model, [50, _ROUNDS_WON])
        if median < min(ratio, _WORTHWHILE) and nearly_all < 1:
            best, ratio = tiling, float(median)
    return Choice(tilings[0], best, round(model_us, 3), round(model_us * ratio, 3))


def tuned_tiles(found: Mapping[Kernel, Choice], isa: Isa) -> TunedTiles:
    """The tiles that are quicker than the model's, for a file."""
    kernels = tuple(
        TunedKernel(kernel, choice.best, round(choice.gain, 3))
        for kernel, choice in found.items()
        if choice.best != choice.model
    )
    return TunedTiles(isa.name, cpu_name(), kernels)


def _write(choice: Choice) -> Any:
    tilings = [[t.tile.rows, t.tile.columns, t.tile.vectors] for t in (choice.model, choice.best)]
    groups = [[t.workgroup.rows, t.workgroup.columns, t.workgroup.splits] for t in (choice.model, choice.best)]
    return [*tilings, *groups, choice.model_us, choice.best_us]


def _read(stored: Any) -> Choice:
    model, best, model_group, best_group, model_us, best_us = stored
    return Choice(
        Tiling(Tile(*model), Workgroup(*model_group)),
        Tiling(Tile(*best), Workgroup(*best_group)),
        float(model_us),
        float(best_us),
    )
