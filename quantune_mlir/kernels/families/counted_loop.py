"""A loop of a known number of rounds in one dispatch: the steps of a recurrence.

    state = what it is before the first round                                            workspace
    for each round
      the row of this round of what the loop reads: copy                                 workspace
      for each group of the body: its kernel, one workgroup after the other              workspace to workspace
      the row of this round of the result: copy
      state = what the body yields

The kernels of the groups are those that these would have anywhere; here they are written into one, and what they hand
on stays in a workspace. Where the body holds what no kernel computes, there is none, and the loop stays TOSA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Final

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import described
from quantune_mlir.kernels.emit.executable import MAX_SCALARS, Library, Signature
from quantune_mlir.kernels.emit.vector_builder import Index
from quantune_mlir.kernels.families.loop_pieces import STANDS_FOR, Piece, PieceLibrary
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import CONSTANTS, constant_value, is_constant
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.edit import shape_of, users
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.counted_loop import CountedLoop, through_reshapes
from quantune_mlir.mlir.tosa.evaluate import rearranged_constant
from quantune_mlir.mlir.tosa.traits import axis_of, traits_of

_MAX_BUFFERS: Final = 32
"""What a dispatch of IREE's may read and write."""
LowerGroup = Callable[[ir.Operation, Isa, Library], ir.Value | None]


def lower(op: ir.Operation, isa: Isa, library: Library, lower_group: LowerGroup) -> ir.Value | None:
    """Dispatch the kernel of a tosa.while_loop at the current point; None if there is none for it.

    `lower_group` dispatches that of a group of its body.
    """
    if any(users(result) for result in list(op.results)[1:]):
        return None
    trial = op.clone()
    loop = CountedLoop.of(trial)
    groups = None if loop is None else _lowered_groups(loop, isa, library, lower_group)
    found = None
    if loop is not None and groups is not None:
        kernel = _Kernel(loop, groups, isa.lanes)
        found = kernel.dispatch(library) if kernel.fits else None
    trial.erase()
    return found


def _lowered_groups(
    loop: CountedLoop, isa: Isa, library: Library, lower_group: LowerGroup
) -> dict[ir.Value, list[Piece]] | None:
    """By the result of each group of the body its kernels, the last of which computes it; None if one has none."""
    found: dict[ir.Value, list[Piece]] = {}
    for group in [view.operation for view in loop.body if view.operation.name == FUSED]:
        pieces = PieceLibrary(library)
        with ir.InsertionPoint(group), group.location:
            result = lower_group(group, isa, pieces)
        if result is None or result != pieces.pieces[-1].result:
            return None
        *before, last = pieces.pieces
        found[group.results[0]] = [*before, replace(last, result=group.results[0])]
    return found


@dataclass(frozen=True)
class _Kernel:
    loop: CountedLoop
    groups: dict[ir.Value, list[Piece]]
    """By the result of each group of the body, its kernels."""
    lanes: int

    @cached_property
    def _ops(self) -> list[ir.Operation]:
        return [op for view in self.loop.body if (op := view.operation).name not in CONSTANTS]

    @cached_property
    def _pieces(self) -> list[Piece]:
        return [piece for pieces in self.groups.values() for piece in pieces]

    @cached_property
    def _unchanged(self) -> dict[ir.Value, ir.Value]:
        """By argument of the body that each round hands on as it is, what it is."""
        arguments = enumerate(self.loop.body.arguments)
        return {value: self.loop.op.operands[i] for i, value in arguments if self.loop.yielded[i] == value}

    @cached_property
    def _state(self) -> dict[ir.Value, tuple[ir.Value, ir.Value]]:
        """By argument of the body that is new in each round: what it is before the first, and what it becomes."""
        return {
            value: (self.loop.op.operands[i], self.loop.yielded[i])
            for i, value in enumerate(self.loop.body.arguments)
            if i not in (0, self.loop.position) and value not in self._unchanged
        }

    @cached_property
    def _made(self) -> list[ir.Value]:
        """What the body computes and needs room for."""
        made = (op.results[0] for op in self._ops if _copies(op) and not _is_known(op))
        return [*(piece.result for piece in self._pieces), *made]

    @cached_property
    def _inputs(self) -> dict[ir.Value, tuple[int, str]]:
        """What the dispatch reads, and as which buffers."""
        outside = [*self._unchanged.values(), *(before for before, _ in self._state.values())]
        found = {value: described(value) for value in outside}
        for piece in self._pieces:
            read = zip(piece.inputs, piece.signature.inputs, strict=True)
            found.update((value, buffer) for value, buffer in read if is_constant(value))
        return found

    @property
    def fits(self) -> bool:
        """Whether a kernel computes all of the body."""
        outputs = self.loop.body.arguments[0]
        rows = shape_of(outputs)[0]
        in_order = (self.loop.first, self.loop.step) in ((0, 1), (rows - 1, -1)) and self.loop.rounds == rows
        becomes = [value for _, value in self._state.values()]
        return (
            in_order
            and all(map(self._supports, self._ops))
            and not any(isinstance(value, ir.BlockArgument) or is_constant(value) for value in becomes)
            and all(map(self._reads_what_is_made, self._pieces))
            and sum(len(piece.scalars) for piece in self._pieces) <= MAX_SCALARS
            and len(self._inputs) < _MAX_BUFFERS
        )

    def _reads_what_is_made(self, piece: Piece) -> bool:
        """Whether what a piece reads of the body are buffers as the body has them."""
        read = zip(piece.inputs, piece.signature.inputs, strict=True)
        return all(is_constant(value) or described(value) == buffer for value, buffer in read)

    def _supports(self, op: ir.Operation) -> bool:
        if _is_known(op):
            return True
        numbered = len(op.operands) > 1 and self.loop.is_number(op.operands[1])
        match op.name:
            case "tosa.gather":
                return numbered and through_reshapes(op.operands[0]) in self._unchanged
            case "tosa.scatter":
                into = through_reshapes(op.operands[0]) == self.loop.body.arguments[0]
                return numbered and into and self.loop.yielded[0] == op.results[0]
            case "tosa.slice":
                return shape_of(op.operands[0])[:-1] == shape_of(op.results[0])[:-1]
            case "tosa.pad":
                filler = constant_value(op.operands[2])
                return _pads_columns(op) and filler is not None and not filler.any()
            case "tosa.concat":
                return axis_of(op) == len(shape_of(op.results[0])) - 1 and not any(map(is_constant, op.operands))
            case "tosa.add":
                return self.loop.is_number(op.operands[0])
            case _:
                is_nothing = op == self.loop.end or op.name == STANDS_FOR or traits_of(op).moves == "stays"
                return is_nothing or op.results[0] in self.groups

    def dispatch(self, library: Library) -> ir.Value:
        """Call the kernel at the current point."""
        output = self.loop.op.results[0]
        scalars = [bits for piece in self._pieces for bits in piece.scalars]
        workspace = tuple(described(value) for value in (*self._made, *self._state))
        signature = Signature(tuple(self._inputs.values()), described(output), len(scalars), (1,), workspace)
        size, name = signature.output
        whole = ir.RankedTensorType.get([signature.places[-1] // code.bytes_of(name)], code.element(name))
        inside = {view.operation for view in self.loop.body}
        inputs = [
            value.owner.operation.clone().results[0] if value.owner in inside else value for value in self._inputs
        ]
        made = library.dispatch("loop", signature, self._emit, inputs, scalars, whole)
        return build.reshape(build.cut(made, [0], [size]), shape_of(output))

    # What follows is built inside the kernel.

    def _emit(self, buffers: list[ir.Value], scalars: list[ir.Value], place: list[ir.Value]) -> None:
        count = len(self._inputs)
        given = dict(zip(self._inputs, buffers[:count], strict=True))
        output, *workspace = buffers[count:]
        known = given | {argument: given[value] for argument, value in self._unchanged.items()}
        known |= dict(zip((*self._made, *self._state), workspace, strict=True))
        for argument, (before, _) in self._state.items():
            self._copy(given[before], 0, known[argument], 0, described(argument)[0])

        for op in self._ops:
            if op.name == "tosa.pad" and not _is_known(op):
                self._clear(known[op.results[0]])

        def one_round(i: Index) -> list[ir.Value]:
            number = code.add(self.loop.first, code.mul(i, self.loop.step))
            left = list(scalars)
            for op in self._ops:
                for piece in self.groups.get(op.results[0], ()) if op.results else ():
                    own, left = left[: len(piece.scalars)], left[len(piece.scalars) :]
                    read = [known[through_reshapes(value)] for value in piece.inputs]
                    piece.emit([*read, known[piece.result]], own)
                if not _is_known(op):
                    self._move(op, known, number, output)
            for argument, (_, after) in self._state.items():
                self._copy(known[after], 0, known[argument], 0, described(argument)[0])
            return []

        code.loop(0, self.loop.rounds, 1, one_round)

    def _move(self, op: ir.Operation, known: dict[ir.Value, ir.Value], number: Index, output: ir.Value) -> None:
        """What only copies: rows of this round, and parts of rows."""
        source = known.get(through_reshapes(op.operands[0])) if op.operands else None
        match op.name:
            case "tosa.gather":
                width = described(op.results[0])[0]
                self._copy(source, code.mul(number, width), known[op.results[0]], 0, width)
            case "tosa.scatter":
                row = op.operands[2]
                width = described(row)[0]
                self._copy(known[through_reshapes(row)], 0, output, code.mul(number, width), width)
            case "tosa.slice":
                starts = constant_value(op.operands[1])
                assert starts is not None
                self._copy_columns(source, op.operands[0], int(starts[-1]), known[op.results[0]], op.results[0], 0)
            case "tosa.pad":
                amounts = constant_value(op.operands[1])
                assert amounts is not None
                self._copy_columns(source, op.operands[0], 0, known[op.results[0]], op.results[0], int(amounts[-2]))
            case "tosa.concat":
                first = 0
                for part in op.operands:
                    self._copy_columns(
                        known[through_reshapes(part)], part, 0, known[op.results[0]], op.results[0], first
                    )
                    first += shape_of(part)[-1]
            case _:
                pass

    def _copy_columns(
        self, source: ir.Value, of: ir.Value, first: int, target: ir.Value, into: ir.Value, at: int
    ) -> None:
        """As many columns as both have, from `first` on in one and from `at` on in the other."""
        width, room = shape_of(of)[-1], shape_of(into)[-1]

        def row(r: Index) -> list[ir.Value]:
            begin, end = code.add(code.mul(r, width), first), code.add(code.mul(r, room), at)
            self._copy(source, begin, target, end, min(width, room))
            return []

        code.loop(0, prod(shape_of(of)[:-1]), 1, row)

    def _clear(self, target: ir.Value) -> None:
        kind = ir.MemRefType(target.type)

        def one(i: Index) -> list[ir.Value]:
            code.store(code.splat(0, 1, str(kind.element_type)), target, i)
            return []

        code.loop(0, kind.shape[0], 1, one)

    def _copy(self, source: ir.Value, first: Index, target: ir.Value, at: Index, count: int) -> None:
        def vector(i: Index) -> list[ir.Value]:
            code.store(code.load(source, code.add(first, i), self.lanes), target, code.add(at, i))
            return []

        whole = count // self.lanes * self.lanes
        code.loop(0, whole, self.lanes, vector)
        if whole < count:
            rest = code.load_lanes(source, code.add(first, whole), count - whole, self.lanes)
            code.store_lanes(rest, target, code.add(at, whole), count - whole)


def _is_known(op: ir.Operation) -> bool:
    """Whether it only moves a constant: what reads it packs that."""
    return len(op.results) == 1 and rearranged_constant(op.results[0]) is not None


def _copies(op: ir.Operation) -> bool:
    """Whether a kernel moves what the op moves."""
    traits = traits_of(op)
    return traits.moves in ("selects", "fills") or traits.int8 == "concat"


def _pads_columns(op: ir.Operation) -> bool:
    amounts = constant_value(op.operands[1])
    return amounts is not None and not amounts[:-2].any()
