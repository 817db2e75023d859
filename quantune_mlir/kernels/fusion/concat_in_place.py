"""Concatenations of channels without a copy: the kernels that compute the operands write straight into the result.

Padding of channels is such a concatenation of one operand, if a pooling computes that: it writes the padding, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from quantune_mlir.kernels.emit.executable import Joined, JoinedPart, Library
from quantune_mlir.kernels.families import elementwise
from quantune_mlir.kernels.fusion.group import ELEMENTWISE, POOLING, Group, fuse
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.constants import constant_value, is_constant
from quantune_mlir.mlir.dialects.quantune import FUSED
from quantune_mlir.mlir.edit import defining_op, element_of, is_static_tensor, shape_of, users
from quantune_mlir.mlir.tosa import build
from quantune_mlir.mlir.tosa.traits import axis_of

_ELEMENTS = ("i8", "f32")


@dataclass
class Join:
    """A tosa.concat or tosa.pad and the parts of its result that are still to be written, by operand."""

    op: ir.Operation
    joined: Joined
    missing: dict[int, JoinedPart]

    @staticmethod
    def of(op: ir.Operation) -> Join | None:
        """The join that stands for `op`; None if there is none."""
        if op.name == "tosa.concat":
            return Join._of_concat(op)
        return Join._of_pad(op) if op.name == "tosa.pad" else None

    @staticmethod
    def _of_pad(op: ir.Operation) -> Join | None:
        source, pads, filler = op.operands
        sizes, number = constant_value(pads), constant_value(filler)
        pooling = defining_op(source, FUSED)
        if sizes is None or number is None or sizes[:-2].any() or not is_static_tensor(op.results[0]):
            return None
        if pooling is None or Group(pooling).family != POOLING or len(users(source)) > 1:
            return None
        joined = Joined(ir.RankedTensorType(op.results[0].type))
        return Join(op, joined, {0: JoinedPart(joined, int(sizes[-2]), float(number.reshape(-1)[0]))})

    @staticmethod
    def _of_concat(concat: ir.Operation) -> Join | None:
        """None if it joins anything but channels, or joins constants."""
        result = concat.results[0]
        if not is_static_tensor(result) or axis_of(concat) != len(shape_of(result)) - 1:
            return None
        if element_of(result) not in _ELEMENTS:
            return None
        if any(is_constant(operand) for operand in concat.operands):
            return None
        joined = Joined(ir.RankedTensorType(result.type))
        missing: dict[int, JoinedPart] = {}
        first = 0
        for position, operand in enumerate(concat.operands):
            missing[position] = JoinedPart(joined, first)
            first += shape_of(operand)[-1]
        return Join(concat, joined, missing)

    def producers(self) -> dict[ir.Operation, int]:
        """The fused ops that compute an operand for nobody else, with its position."""
        found: dict[ir.Operation, int] = {}
        for position, operand in enumerate(self._operands):
            op = defining_op(operand, FUSED)
            if op is not None and len(users(operand)) == 1 and op not in found and self._reads_once(operand):
                found[op] = position
        return found

    @property
    def _operands(self) -> list[ir.Value]:
        operands = list(self.op.operands)
        return operands[:1] if self.op.name == "tosa.pad" else operands

    def _reads_once(self, value: ir.Value) -> bool:
        return sum(operand == value for operand in self._operands) == 1

    def finish(self, isa: Isa, library: Library) -> None:
        """Copy what nobody wrote, and put the joined tensor in the op's place; a pad that nobody wrote stays."""
        if self.missing and self.op.name == "tosa.pad":
            return
        for position, part in self.missing.items():
            with ir.InsertionPoint(self.op), self.op.location:
                operand = self.op.operands[position]
                copy = Group(fuse([build.elementwise("identity", operand).owner.operation], ELEMENTWISE))
            with ir.InsertionPoint(copy.op), self.op.location:
                elementwise.lower(copy, isa, library, part)
            copy.op.erase()
        assert self.joined.value is not None
        self.op.results[0].replace_all_uses_with(self.joined.value)
        self.op.erase()
