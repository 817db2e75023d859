"""How a convolution is cut into tiles and workgroups: what is worth measuring, and whether a choice can be computed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.base import DotStep, Isa
from quantune_mlir.kernels.isa.int16 import halfword_step
from quantune_mlir.kernels.tiling.tiles import (
    Tile,
    Workgroup,
    is_packed,
    ranked_tiles,
    scratch_bytes,
    varied_workgroups,
)

Precision = Literal["int8", "int16", "fp32"]

_TILES: Final = 8
"""So many tiles are worth measuring: the best with each number of vectors, and then the first ones of the ranking."""
_WORKGROUPS: Final = 3
"""So many workgroups of each are."""


@dataclass(frozen=True)
class Kernel:
    """A convolution or matmul as a dense kernel sees it; epilogues apart."""

    precision: Precision
    shape: ConvolutionShape
    in_words: bool = False
    """Whether its weights are arranged in words (families/maddubs_packing.py): they have a dot product of their own."""

    def step(self, isa: Isa) -> DotStep:
        """The dot product that computes it."""
        if self.in_words and isa.int8_words is not None:
            return isa.int8_words
        return {"int8": isa.int8, "int16": halfword_step(isa), "fp32": isa.fp32}[self.precision]

    def is_packed(self, isa: Isa) -> bool:
        """Whether its input is packed first."""
        return is_packed(self.shape, self.step(isa), {"int8": "i8", "int16": "i16", "fp32": "f32"}[self.precision])

    def __str__(self) -> str:
        shape = self.shape
        size = _by(shape.height, shape.width, shape.channels)
        made = _by(shape.out_height, shape.out_width, shape.out_channels)
        parts = [f"{self.precision} {size} -> {made}"]
        if self.in_words:
            parts.append("in words")
        if shape.kernel != (1, 1):
            parts.append(_by(*shape.kernel))
        if shape.stride != (1, 1):
            parts.append(f"stride {_by(*shape.stride)}")
        if shape.dilation != (1, 1):
            parts.append(f"dilation {_by(*shape.dilation)}")
        if shape.groups > 1:
            parts.append(f"{shape.groups} groups of these channels")
        if shape.batch > 1:
            parts.append(f"batch {shape.batch}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Tiling:
    """How a kernel is cut."""

    tile: Tile
    workgroup: Workgroup

    def __str__(self) -> str:
        tile, group = self.tile, self.workgroup
        return f"{_by(tile.rows, tile.columns, tile.vectors)} in {_by(group.rows, group.columns, group.splits)}"


def candidates(kernel: Kernel, isa: Isa) -> list[Tiling]:
    """The tilings that are worth measuring, the model's own first; none if the kernel cannot be computed."""
    shape, step, packed = kernel.shape, kernel.step(isa), kernel.is_packed(isa)
    ranked = ranked_tiles(shape, step, packed=packed)
    by_vectors = [next(tile for tile in ranked if tile.vectors == n) for n in sorted({tile.vectors for tile in ranked})]
    model, *others = list(dict.fromkeys([ranked[0], *by_vectors, *ranked]))[:_TILES]
    found = [Tiling(model, group) for group in varied_workgroups(shape, step, model, packed=packed)]
    if found:
        for tile in others:
            groups = varied_workgroups(shape, step, tile, packed=packed)[:_WORKGROUPS]
            found += [Tiling(tile, group) for group in groups]
    return found


def misfits(kernel: Kernel, tiling: Tiling, isa: Isa) -> Iterator[str]:
    """Why a kernel cannot be computed with this tiling; nothing if it can."""
    shape, step, packed = kernel.shape, kernel.step(isa), kernel.is_packed(isa)
    tile, group = tiling.tile, tiling.workgroup
    vectors = ceil(shape.out_channels / step.lanes)
    if kernel.in_words and isa.int8_words is None:
        yield f"{isa.name} has no dot product of words"
    if tile.vectors > vectors:
        yield f"the tile has {tile.vectors} vectors of {step.lanes} channels, the output only {vectors}"
    elif tile.vectors > step.most_vectors:
        yield f"the tile has {tile.vectors} vectors, this dot product takes at most {step.most_vectors}"
    registers = ceil(tile.rows * tile.columns / step.pixels) * tile.vectors + tile.vectors
    if registers > step.registers:
        yield f"the tile needs {registers} registers, there are {step.registers}"
    if tile.rows > shape.out_height or tile.columns > shape.out_width:
        yield f"the tile is larger than the output of {_by(shape.out_height, shape.out_width)}"
    if group.rows > shape.out_height or group.columns > shape.out_width:
        yield f"the workgroup is larger than the output of {_by(shape.out_height, shape.out_width)}"
    if group.rows < tile.rows or group.columns < tile.columns:
        yield "the workgroup is smaller than the tile"
    blocks = max(1, shape.out_channels // (tile.vectors * step.lanes))
    if group.splits > blocks:
        yield f"{group.splits} workgroups cannot share the {blocks} blocks of output channels"
    if packed and scratch_bytes(shape, step, group.rows, group.columns) > step.memory.scratch:
        yield f"the workgroup's input does not fit the {step.memory.scratch} bytes that may be packed"
    if shape.pads and not packed and (tile.rows > 1 or group.columns < shape.out_width):
        yield "the input is padded but not packed: tiles must be of one row, workgroups of whole rows"


def _by(*sizes: int) -> str:
    return "x".join(map(str, sizes))
