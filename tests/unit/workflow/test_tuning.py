"""The search for tiles, with a clock that the tests set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.benchmark import Times
from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.errors import TilesError
from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.kernels.tiling.tuning import Kernel, Tiling, candidates
from quantune_mlir.model import Model
from quantune_mlir.workflow.tiling_timer import host_timers
from quantune_mlir.workflow.tuning import (
    Choice,
    Site,
    Timer,
    best_of,
    choice_cache,
    find_sites,
    tune,
    tuned_isa,
    tuned_tiles,
)

DIGITS = Path(__file__).parents[2] / "data" / "digits.onnx"
HOST = load_target("host")
ISA = ISAS[host_isa()]
ROUNDS = 20
Seconds = Callable[[Tiling], float]


@pytest.fixture(scope="module")
def sites() -> list[Site]:
    module = Model.load(DIGITS).module
    return find_sites({"once": module, "twice": module}, ISA)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))


class FakeTimers:
    """Every tiling takes what `seconds` says, a noise of so much apart; notes which kernels are timed."""

    def __init__(self, seconds: Seconds, noise: float = 0.0, interrupted_at: int | None = None) -> None:
        self.seconds, self.noise, self.interrupted_at = seconds, noise, interrupted_at
        self.timed: list[Kernel] = []
        self._rng = np.random.default_rng(0)

    def __call__(self, site: Site, tilings: Sequence[Tiling]) -> Timer:
        if len(self.timed) == self.interrupted_at:
            raise KeyboardInterrupt
        self.timed.append(site.kernel)
        return self.time

    def time(self, tilings: Sequence[Tiling], seconds: float) -> list[Times]:
        return [self.seconds(t) * (1 + self.noise * self._rng.standard_normal(ROUNDS)) for t in tilings]


def larger_tiles_are_quicker(tiling: Tiling) -> float:
    return 1e-3 / (tiling.tile.rows * tiling.tile.columns)


def test_kernels_are_found_once_the_dearest_first(sites: list[Site]) -> None:
    assert [site.cycles for site in sites] == sorted((site.cycles for site in sites), reverse=True)
    assert len({site.kernel for site in sites}) == len(sites) == 4
    assert all(site.counts == {"once": 1, "twice": 1} and len(site.groups) == 1 for site in sites)


def test_the_quickest_is_found(sites: list[Site]) -> None:
    tilings = candidates(sites[0].kernel, ISA)
    quick = tilings[-1]
    choice = best_of(tilings, FakeTimers(lambda t: 8e-6 if t == quick else 1e-5, noise=0.01).time)
    assert (choice.model, choice.best) == (tilings[0], quick)
    assert choice.model_us == pytest.approx(10, rel=0.02) and choice.gain == pytest.approx(1.25, rel=0.03)


@pytest.mark.parametrize(("quicker", "noise"), [(0.98, 0.0), (0.95, 0.2), (1.0, 0.0), (1.0, 0.5)])
def test_the_model_stays_unless_another_is_quicker_beyond_doubt(
    sites: list[Site], quicker: float, noise: float
) -> None:
    tilings = candidates(sites[0].kernel, ISA)
    choice = best_of(tilings, FakeTimers(lambda t: 1e-5 * (1 if t == tilings[0] else quicker), noise).time)
    assert choice.best == choice.model == tilings[0] and choice.gain == 1


def test_an_interrupted_search_goes_on(sites: list[Site]) -> None:
    first = FakeTimers(larger_tiles_are_quicker, interrupted_at=2)
    with pytest.raises(KeyboardInterrupt):
        tune(sites, ISA, choice_cache(HOST), first)
    rest, done = FakeTimers(larger_tiles_are_quicker), list[int]()
    found = tune(sites, ISA, choice_cache(HOST), rest, on_site=lambda: done.append(1))
    assert first.timed + rest.timed == [site.kernel for site in sites] == list(found) and len(first.timed) == 2
    assert len(done) == len(sites)
    nothing = FakeTimers(larger_tiles_are_quicker, interrupted_at=0)
    assert tune(sites, ISA, choice_cache(HOST), nothing) == found


def test_the_limit_leaves_the_cheapest_out(sites: list[Site]) -> None:
    now = iter(range(100))
    timers = FakeTimers(larger_tiles_are_quicker)
    found = tune(sites, ISA, choice_cache(HOST), timers, seconds=2, clock=lambda: next(now))
    assert list(found) == [site.kernel for site in sites[:2]]
    later = FakeTimers(larger_tiles_are_quicker)
    assert list(tune(sites, ISA, choice_cache(HOST), later, seconds=0, clock=lambda: next(now))) == list(found)
    assert later.timed == []


def test_other_targets_and_cpus_have_other_caches(sites: list[Site], monkeypatch: pytest.MonkeyPatch) -> None:
    tune(sites[:1], ISA, choice_cache(HOST), FakeTimers(larger_tiles_are_quicker))
    monkeypatch.setattr("quantune_mlir.backend.host_cache.cpu_name", lambda: "another")
    elsewhere = FakeTimers(larger_tiles_are_quicker)
    tune(sites[:1], ISA, choice_cache(HOST), elsewhere)
    tune(sites[:1], ISA, choice_cache(load_target("x86-64-avx2")), elsewhere)
    assert elsewhere.timed == [sites[0].kernel] * 2


def test_only_what_is_quicker_comes_into_the_file(sites: list[Site]) -> None:
    one, other = sites[0].kernel, sites[1].kernel
    (model, best, *_), (kept, *_) = candidates(one, ISA), candidates(other, ISA)
    found = {one: Choice(model, best, 10.0, 8.0), other: Choice(kept, kept, 5.0, 5.0)}
    tiles = tuned_tiles(found, ISA)
    assert tiles.isa == ISA.name and tiles.get(one) == best and tiles.get(other) is None
    assert TunedTiles.from_yaml(tiles.to_yaml()) == tiles


def test_every_tiling_is_timed_on_this_machine(sites: list[Site]) -> None:
    site = sites[-1]
    tilings = candidates(site.kernel, ISA)[:3]
    times = host_timers(ISA, HOST)(site, tilings)(tilings, 0.0)
    assert len(times) == len(tilings)
    assert all(each.shape == times[0].shape and (each > 0).all() for each in times)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("cortex-a53", "cannot be measured on this machine"),
        ("vmvx", "has no kernels"),
        ("riscv64", "cannot be measured"),
    ],
)
def test_targets_that_cannot_be_measured(target: str, message: str) -> None:
    with pytest.raises(TilesError, match=message):
        tuned_isa(load_target(target))
