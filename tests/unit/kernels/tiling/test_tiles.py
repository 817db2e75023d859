"""The static model of tiles."""

from __future__ import annotations

import pytest

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.kernels.tiling.tiles import choose_tile


@pytest.mark.parametrize(("channels", "stride", "is_crowded"), [(1024, 1, True), (512, 2, True), (960, 1, False)])
def test_a_tile_reads_no_more_lines_of_equal_place_than_the_cache_keeps(
    channels: int, stride: int, is_crowded: bool
) -> None:
    """Pixels of 4 KiB have their lines in the same set of a first-level cache, eight ways of which most CPUs have."""
    size = 13 * stride + 1
    shape = ConvolutionShape(1, size, size, channels, 14, 14, 256, (1, 1), (stride, stride), (1, 1), (0, 0))
    tile = choose_tile(shape, ISAS["avx512vnni"].fp32, packed=False)
    assert (tile.rows * tile.columns <= 8) == is_crowded
