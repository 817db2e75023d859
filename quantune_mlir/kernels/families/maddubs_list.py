"""A dense kernel's reduction as a list of words, made from the weights at compile time (maddubs_packing.py).

table = for each block of channels: first word, end of those joined in pairs, end      i32 [blocks][3]
for each word: where its inputs stand, from the pixel's first one             i32 [words]

for each two words of the block: acc[pixel] += widen(x[pixel + a] . w[a] + x[pixel + b] . w[b])
for each other word of the block: acc[pixel] += widen(x[pixel + a] . w[a])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.maddubs_packing import DEPTH, MOST_WORDS, Words, arrange
from quantune_mlir.kernels.isa.base import DotStep, WordStep
from quantune_mlir.kernels.tiling.tiles import choose_tile, reduction_steps
from quantune_mlir.mlir.bindings import arith, ir

_COLUMNS: Final = 3
"""Numbers in a block's row of the table."""
_LEAST_PIXELS: Final = 4
"""Pixels that a tile has at least; with fewer, loads and the loop cost more than is saved."""
_COST_OF_TWO: Final = 5
"""Instructions of a step of two words, for a vector of sums."""
_COST_OF_ONE: Final = 3
"""The same, of one word."""
_COST_OF_STEP: Final = 2.2
"""The same, of a step without words, and what widening weights adds to it."""


@dataclass(frozen=True)
class WordBuffers:
    """Packed input, weights and table, inside a kernel."""

    x: ir.Value
    weights: ir.Value
    table: ir.Value


@dataclass(frozen=True)
class WordList:
    """The words of all blocks, a block being one vector of channels."""

    step: WordStep
    regular: int
    """Words that a block would have if none had an overflow."""
    blocks: tuple[Words, ...]

    @property
    def cost(self) -> float:
        """Instructions for all channels of a pixel."""
        return sum(
            block.joined // 2 * _COST_OF_TWO + (len(block.weights) - block.joined) * _COST_OF_ONE
            for block in self.blocks
        )

    @property
    def buffers(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """Weights and table as large as they can be for layers of the same shape, so that these share a kernel."""
        words = len(self.blocks) * self.regular * MOST_WORDS
        return (words * self.step.lanes * DEPTH, "i8"), (len(self.blocks) * _COLUMNS + words, "i32")

    @property
    def weights(self) -> NDArray[np.int8]:
        """[words][lane][depth], flat."""
        return np.concatenate([block.weights.reshape(-1) for block in self.blocks])

    def table(self, run_offsets: Sequence[int]) -> NDArray[np.int32]:
        """The table, given where each run of the reduction begins."""
        ends = np.cumsum([len(block.weights) for block in self.blocks])
        rows = [
            (end - len(block.weights), end - len(block.weights) + block.joined, end)
            for end, block in zip(ends, self.blocks, strict=True)
        ]
        places = np.concatenate([block.places for block in self.blocks])
        offsets = np.array(run_offsets)[places[:, 0]] + places[:, 1]
        return np.concatenate([np.array(rows).reshape(-1), offsets]).astype(np.int32)

    def emit(
        self, buffers: WordBuffers, block: Index, base: Index, pixels: Sequence[int], bias: ir.Value
    ) -> list[ir.Value]:
        """The sums of a block's channels for each pixel; inputs of pixel p begin at element base + pixels[p]."""
        step = self.step
        size = step.lanes * step.depth
        first, middle, end = (self._entry(buffers, code.add(code.mul(block, _COLUMNS), i)) for i in range(_COLUMNS))

        def word(i: Index) -> tuple[Index, ir.Value]:
            offset = self._entry(buffers, code.add(i, len(self.blocks) * _COLUMNS))
            return code.add(base, offset), step.weights(buffers.weights, code.mul(i, size))

        def two(i: Index, *sums: ir.Value) -> list[ir.Value]:
            (at, w), (other_at, other_w) = word(i), word(code.add(i, 1))
            result: list[ir.Value] = []
            for total, pixel in zip(sums, pixels, strict=True):
                x, other_x = (step.input(buffers.x, code.add(place, pixel)) for place in (at, other_at))
                result.append(step.double_step(total, (x, other_x), (w, other_w)))
            return result

        def one(i: Index, *sums: ir.Value) -> list[ir.Value]:
            at, w = word(i)
            inputs = [step.input(buffers.x, code.add(at, pixel)) for pixel in pixels]
            return [step.step(total, x, w) for total, x in zip(sums, inputs, strict=True)]

        sums = code.loop(first, middle, 2, two, [bias] * len(pixels))
        return code.loop(middle, end, 1, one, sums)

    @staticmethod
    def _entry(buffers: WordBuffers, at: Index) -> ir.Value:
        number = code.load_scalar(buffers.table, at)
        return arith.IndexCastOp(ir.IndexType.get(), number).result


def word_list(weights: NDArray[np.generic], shape: ConvolutionShape, step: WordStep, other: DotStep) -> WordList | None:
    """The list of a layer's words; None where `other` is as good.

    Args:
        weights: i8 [K, KH, KW, C].
        shape: of the layer.
        step: what words are for.
        other: the step that computes the layer without a list.
    """
    tile = choose_tile(shape, step, packed=True)
    if tile.rows * tile.columns < _LEAST_PIXELS:
        return None
    runs, steps = reduction_steps(shape, step.depth)
    lanes = ceil(shape.out_channels / step.lanes) * step.lanes
    padded = np.zeros((lanes, runs, weights[0].size // runs), np.int8)
    padded[: shape.out_channels] = weights.reshape(shape.out_channels, runs, -1)
    blocks = padded.reshape(-1, step.lanes, *padded.shape[1:])
    found = WordList(step, runs * steps, tuple(arrange(block) for block in blocks))
    runs, steps = reduction_steps(shape, other.depth)
    return found if found.cost < runs * steps * len(found.blocks) * _COST_OF_STEP else None
