"""The static model of tiles."""

from __future__ import annotations

import pytest

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.kernels.tiling.tiles import choose_tile, is_packed


@pytest.mark.parametrize(("channels", "stride", "is_crowded"), [(1024, 1, True), (512, 2, True), (960, 1, False)])
def test_a_tile_reads_no_more_lines_of_equal_place_than_the_cache_keeps(
    channels: int, stride: int, is_crowded: bool
) -> None:
    """Pixels of 4 KiB have their lines in the same set of a first-level cache, eight ways of which most CPUs have."""
    size = 13 * stride + 1
    shape = ConvolutionShape(1, size, size, channels, 14, 14, 256, (1, 1), (stride, stride), (1, 1), (0, 0))
    tile = choose_tile(shape, ISAS["avx512vnni"].fp32, packed=False)
    assert (tile.rows * tile.columns <= 8) == is_crowded


@pytest.mark.parametrize(
    ("window", "pad", "copied"), [(3, 1, False), (17, 8, False), (256, 0, False), (256, 255, True)]
)
def test_wide_padding_is_copied_rather_than_written_out(window: int, pad: int, copied: bool) -> None:
    width = 4000 + window - 1 - 2 * pad
    shape = ConvolutionShape(1, 1, width, 4, 1, 4000, 8, (1, window), (1, 1), (1, 1), (0, pad))
    assert is_packed(shape, ISAS["avx512vnni"].fp32, "f32") == copied
