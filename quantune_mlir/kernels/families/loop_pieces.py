"""Kernels that become a part of another one, instead of executables with dispatches of their own."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.executable import Body, JoinedPart, Library, Signature, SizedBody
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.mlir.bindings import flow, ir

STANDS_FOR: Final = flow.TensorEmptyOp.OPERATION_NAME
"""What the result of a piece is meanwhile."""


@dataclass(frozen=True)
class Piece:
    """A kernel that was asked for: its code, what it reads, the bits of its scalars, and what stands for its result."""

    signature: Signature
    body: Body
    inputs: Sequence[ir.Value]
    scalars: Sequence[int]
    result: ir.Value

    def emit(self, buffers: list[ir.Value], scalars: list[ir.Value]) -> None:
        """Write it, inside another kernel, with one workgroup after the other."""

        def workgroups(place: list[Index]) -> None:
            if len(place) == len(self.signature.grid):
                self.body(buffers, scalars, [code.index(at) for at in place])
                return

            def at(i: Index) -> list[ir.Value]:
                workgroups([*place, i])
                return []

            code.loop(0, self.signature.grid[len(place)], 1, at)

        workgroups([])


class PieceLibrary(Library):
    """Keeps the kernels that are asked for, in order."""

    def __init__(self, of: Library) -> None:
        self.tiles = of.tiles
        self.pieces: list[Piece] = []

    def dispatch(
        self,
        family: str,
        signature: Signature,
        body: Body,
        inputs: Sequence[ir.Value],
        scalars: Sequence[int],
        result: ir.RankedTensorType,
        part: JoinedPart | None = None,
        specification: Hashable = None,
    ) -> ir.Value:
        """A value that stands for the result."""
        assert part is None, "what a loop joins is copied"
        value = flow.TensorEmptyOp(result, []).result
        self.pieces.append(Piece(signature, body, inputs, scalars, value))
        return value

    def dispatch_sized(
        self,
        family: str,
        signature: Signature,
        body: SizedBody,
        inputs: Sequence[ir.Value],
        scalars: Sequence[int],
        sizes: Sequence[int],
        result: ir.RankedTensorType,
        part: JoinedPart | None = None,
        specification: Hashable = None,
    ) -> ir.Value:
        """The same; a loop is written for its sizes."""

        def known(buffers: list[ir.Value], given: list[ir.Value], place: list[ir.Value]) -> None:
            body(buffers, given, place, sizes)

        return self.dispatch(family, signature, known, inputs, scalars, result, part)
