"""Which tiles are worth measuring, the file that holds the best, and that kernels are exact with any of them."""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import TilesError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.isa.by_name import ISAS, kernel_isa
from quantune_mlir.kernels.tiling.tiles import Tile, Workgroup, choose_tile, choose_workgroup, ranked_tiles
from quantune_mlir.kernels.tiling.tuned_tiles import TunedKernel, TunedTiles
from quantune_mlir.kernels.tiling.tuning import Kernel, Tiling, candidates, misfits
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module
from quantune_mlir.workflow.tuning import find_sites
from tests.unit.kernels.convolutions import NAMED, Convolution, random_convolutions
from tests.unit.kernels.families.test_dense import runs_here
from tests.unit.kernels.tosa import Graph

ONES = (1, 1)
WIDE = Kernel("int8", ConvolutionShape(1, 55, 55, 16, 55, 55, 64, (3, 3), ONES, ONES, ONES))
POINTWISE = Kernel("fp32", ConvolutionShape(1, 1, 196, 128, 1, 196, 128, ONES, ONES, ONES, (0, 0)))
SLICED = Kernel("int8", ConvolutionShape(2, 9, 9, 8, 4, 4, 20, (1, 1), (2, 2), ONES, (-1, -1)))
TILES = TunedTiles(
    "avx512vnni",
    "some CPU",
    (
        TunedKernel(WIDE, Tiling(Tile(5, 1, 4), Workgroup(10, 55, 1)), 1.25),
        TunedKernel(POINTWISE, Tiling(Tile(1, 7, 3), Workgroup(1, 49, 2)), 1.05),
        TunedKernel(SLICED, Tiling(Tile(4, 4, 1), Workgroup(4, 4, 1)), 1.0),
    ),
)
IN_LINE_14 = "tile: [5, 1, 4]"


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    """Dense kernels with and without borders and holes."""
    size = st.integers(1, 60)
    channels = st.integers(1, 300)
    height, width = draw(size), draw(size)
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (5, 5), (1, 7)]))
    stride = draw(st.sampled_from([(1, 1), (2, 2)]))
    pad = draw(st.sampled_from([(0, 0), (1, 1)]))
    rows, columns = (
        max(1, (n + 2 * p - k) // s + 1) for n, p, k, s in zip((height, width), pad, kernel, stride, strict=True)
    )
    shape = ConvolutionShape(1, height, width, draw(channels), rows, columns, draw(channels), kernel, stride, ONES, pad)
    return Kernel(draw(st.sampled_from(["int8", "fp32"])), shape)


@given(kernels(), st.sampled_from(sorted(ISAS)))
def test_candidates_fit_and_begin_with_the_model(kernel: Kernel, isa_name: str) -> None:
    isa = kernel_isa(isa_name)
    step, packed = kernel.step(isa), kernel.is_packed(isa)
    tile = choose_tile(kernel.shape, step, packed=packed)
    group = choose_workgroup(kernel.shape, step, tile, packed=packed)
    found = candidates(kernel, isa)
    if group is None:
        assert found == []
        return
    assert found[0] == Tiling(tile, group)
    assert len(set(found)) == len(found) <= 40
    assert [list(misfits(kernel, tiling, isa)) for tiling in found] == [[]] * len(found)
    shared = min(4, workgroups(kernel, found[0]))
    assert all(workgroups(kernel, tiling) >= shared for tiling in found if tiling.tile == tile)


def workgroups(kernel: Kernel, tiling: Tiling) -> int:
    group = tiling.workgroup
    return ceil(kernel.shape.out_height / group.rows) * ceil(kernel.shape.out_width / group.columns) * group.splits


@pytest.mark.parametrize("kernel", [WIDE, POINTWISE])
def test_the_model_computes_little_twice(kernel: Kernel) -> None:
    tiling = candidates(kernel, ISAS["avx512vnni"])[0]
    shape, tile, group = kernel.shape, tiling.tile, tiling.workgroup
    pixels = ceil(group.rows / tile.rows) * tile.rows * ceil(group.columns / tile.columns) * tile.columns
    computed = pixels * workgroups(kernel, tiling) // group.splits
    assert computed <= 1.03 * shape.out_height * shape.out_width


class TestFile:
    def test_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        text = TILES.to_yaml()
        assert text == TILES.to_yaml()
        (tmp_path / "tiles.yaml").write_text(text)
        found = TunedTiles.load(tmp_path / "tiles.yaml")
        assert found == TILES and found.where == str(tmp_path / "tiles.yaml")
        assert [found.get(kernel) for kernel in (WIDE, POINTWISE, SLICED)] == [t.tiling for t in TILES.kernels]
        assert found.get(Kernel("fp32", WIDE.shape)) is None

    def test_an_entry_reads_by_itself(self) -> None:
        assert TILES.to_yaml().splitlines()[:16] == [
            "format: 1",
            "isa: avx512vnni",
            "cpu: some CPU",
            "kernels:",
            "- precision: int8",
            "  in_words: false",
            "  input: [1, 55, 55, 16]",
            "  output: [55, 55, 64]",
            "  kernel: [3, 3]",
            "  stride: [1, 1]",
            "  dilation: [1, 1]",
            "  pad: [1, 1]",
            "  groups: 1",
            "  " + IN_LINE_14,
            "  workgroup: [10, 55, 1]",
            "  speedup: 1.25",
        ]

    @pytest.mark.parametrize(
        ("found", "changed", "message"),
        [
            ("format: 1", "format: 2", "line 1: format"),
            ("avx512vnni", "avx1024", "line 2: isa"),
            ("speedup: 1.25", "sppedup: 1.25", "line 16: kernels.0.sppedup"),
            (IN_LINE_14, "tile: [5, 1]", "line 14: kernels.0.tile"),
            (IN_LINE_14, "tile: [5, 1, 0]", "line 14: kernels.0.tile.2"),
            (IN_LINE_14, "tile: 5x1x4", "line 14: kernels.0.tile"),
            ("kernels:", "kernels: [", "malformed YAML"),
            (IN_LINE_14, "tile: [5, 1, 5]", "line 5: int8 55x55x16 -> 55x55x64, 3x3: the tile has 5 vectors of 16"),
            (IN_LINE_14, "tile: [9, 1, 4]", "the tile needs 40 registers, there are 30"),
            ("[10, 55, 1]", "[10, 56, 1]", "the workgroup is larger than the output of 55x55"),
            ("[10, 55, 1]", "[4, 55, 1]", "the workgroup is smaller than the tile"),
            ("[10, 55, 1]", "[10, 55, 2]", "2 workgroups cannot share the 1 blocks"),
            ("input: [1, 55, 55, 16]", "input: [1, 55, 55, 400]", "does not fit the 65536 bytes"),
        ],
    )
    def test_errors_name_the_line(self, found: str, changed: str, message: str) -> None:
        with pytest.raises(TilesError, match=re.escape(message)) as refused:
            TunedTiles.from_yaml(TILES.to_yaml().replace(found, changed), where="t.yaml")
        assert str(refused.value).startswith("t.yaml: ")

    def test_twice_the_same_kernel(self) -> None:
        twice = TunedTiles(TILES.isa, TILES.cpu, (*TILES.kernels, TILES.kernels[0]))
        with pytest.raises(TilesError, match=r"line 41: .* listed twice\nremedy: "):
            TunedTiles.from_yaml(twice.to_yaml())

    def test_of_another_instruction_set(self) -> None:
        TILES.require("avx512vnni")
        with pytest.raises(TilesError, match="measured with avx512vnni, the target has avx2"):
            TILES.require("avx2")


def test_tiles_of_padded_fp32_have_one_row() -> None:
    kernel = Kernel("fp32", WIDE.shape)
    problems = list(misfits(kernel, Tiling(Tile(2, 5, 1), Workgroup(4, 55, 1)), ISAS["avx2"]))
    assert problems == ["the input is padded but not packed: tiles must be of one row, workgroups of whole rows"]


def any_tiles(module: ir.Module, isa: Isa, rng: np.random.Generator) -> TunedTiles:
    """Tiles for all kernels of a module, chosen by lot from all that fit."""
    kernels = [site.kernel for site in find_sites({"main": module}, isa)]
    chosen = (TunedKernel(kernel, _any_tiling(kernel, isa, rng), 1.0) for kernel in kernels)
    return TunedTiles(isa.name, "", tuple(chosen))


def _any_tiling(kernel: Kernel, isa: Isa, rng: np.random.Generator) -> Tiling:
    shape, step = kernel.shape, kernel.step(isa)
    tiles = ranked_tiles(shape, step, packed=kernel.is_packed(isa))
    while True:
        tile = tiles[rng.integers(len(tiles))]
        rows = rng.integers(tile.rows, shape.out_height + 1)
        columns = rng.choice([shape.out_width, rng.integers(tile.columns, shape.out_width + 1)])
        group = Workgroup(int(rows), int(columns), int(rng.integers(1, 4)))
        if not any(misfits(kernel, Tiling(tile, group), isa)):
            return Tiling(tile, group)


@pytest.mark.slow
@pytest.mark.parametrize("isa", ["avx512vnni", "avx2", "generic"])
@settings(max_examples=1, phases=(Phase.explicit, Phase.generate))
@given(st.lists(random_convolutions().filter(lambda c: c.is_possible), min_size=5, max_size=5), st.integers(0, 1000))
def test_any_tiles_give_the_same_bits(isa: str, shapes: list[Convolution], seed: int) -> None:
    if not runs_here(isa):
        pytest.skip(f"this CPU cannot run {isa}")
    rng = np.random.default_rng(seed)
    target = load_target("host").model_copy(update={"isa": isa})
    graph = Graph()
    for convolution in (*rng.choice(list(NAMED.values()), 5), *shapes):
        # LLVM may fuse the products and sums of portable code, or not, as it likes: those of requantization in floats.
        is_loose = isa == "generic" and convolution.mode == "float"
        (replace(convolution, mode="integer") if is_loose else convolution).write(graph, rng)
    module = parse_module(str(graph), make_context())
    tiles = any_tiles(module, kernel_isa(isa), rng)
    assert len(tiles.kernels) > 5
    inputs = [x.value for x in graph.inputs]
    with_model, with_others = (Program(compile_program(module, target, tiles=t))(*inputs) for t in (None, tiles))
    for expected, actual in zip(with_model, with_others, strict=True):
        np.testing.assert_array_equal(actual, expected)
