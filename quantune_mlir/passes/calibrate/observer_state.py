"""What observers add to: globals of the module, passed on from one dispatch to the next and read in the end."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from quantune_mlir.kernels.families.observers import MAX_BATCH, Observer
from quantune_mlir.mlir.bindings import func, ir, util
from quantune_mlir.passes.calibrate.kernel_calls import dispatch, i32, import_text

_BATCH_ELEMENTS: Final = 1 << 16
"""Elements of the tensors that one dispatch may look at, if it looks at several: until then they have to be kept."""


@dataclass(frozen=True)
class Global:
    """One part of the state: an initialized global of a module."""

    name: str
    type: ir.RankedTensorType
    initial: ir.Attribute

    @staticmethod
    def of(module: ir.Module, name: str, shape: Sequence[int], element: ir.Type, initial: float = 0) -> Global:
        """Defines it, every element `initial`."""
        is_integer = isinstance(element, ir.IntegerType)
        value = ir.IntegerAttr.get(element, int(initial)) if is_integer else ir.FloatAttr.get(element, initial)
        kind = ir.RankedTensorType.get(shape, element)
        state = Global(name, kind, ir.DenseElementsAttr.get_splat(kind, value))
        with ir.InsertionPoint.at_block_begin(module.body):
            util.GlobalOp(name, kind, sym_visibility="private", is_mutable=True, initial_value=state.initial)
        return state

    def load(self) -> ir.Value:
        """The value now."""
        return util.GlobalLoadOp(self.type, self.name).result

    def store(self, value: ir.Value) -> None:
        """Replaces the value."""
        util.GlobalStoreOp(value, self.name)


@dataclass(frozen=True)
class ObservedOp:
    """An op that a kernel is to replace, the `place`-th of them, and the kernel's numbers but that of elements."""

    place: int
    op: ir.Operation
    numbers: tuple[int, ...]

    @property
    def elements(self) -> int:
        """The size of each of the tensors."""
        return prod(ir.RankedTensorType(self.op.operands[0].type).shape)


@dataclass(frozen=True)
class ObservedOps:
    """The ops of a function that observe, by kernel, and the state that they add to."""

    by_observer: Mapping[Observer, Sequence[ObservedOp]]
    state: Sequence[ir.Value]


def lower_observed(module: ir.Module, functions: Sequence[ObservedOps]) -> list[list[ir.Value]]:
    """Replaces the ops by dispatches of their kernels, small tensors together; each function's state in the end.

    A dispatch stands where the last of its ops stood. All functions have states of the same types.
    """
    groups = [
        [(observer, group) for observer, all_ops in observed.by_observer.items() for group in _groups(all_ops)]
        for observed in functions
    ]
    used = {(observer, len(group)): None for observer, group in itertools.chain.from_iterable(groups)}
    for observer, length in used:
        import_text(module, observer.executable(length))
    return [_lower(mine, observed) for mine, observed in zip(groups, functions, strict=True)]


def _lower(groups: Sequence[tuple[Observer, list[ObservedOp]]], observed: ObservedOps) -> list[ir.Value]:
    values = list(observed.state)
    for observer, group in sorted(groups, key=lambda found: found[1][-1].place):
        last = group[-1].op
        with ir.InsertionPoint(last), last.location:
            numbers = [i32(number) for observed_op in group for number in (observed_op.elements, *observed_op.numbers)]
            tensors = [tensor for observed_op in group for tensor in observed_op.op.operands]
            entry = observer.entry(len(group))
            values = dispatch(entry, entry, [*numbers, *tensors], values)
    for observed_op in itertools.chain.from_iterable(observed.by_observer.values()):
        observed_op.op.erase()
    return values


def _groups(ops: Sequence[ObservedOp]) -> list[list[ObservedOp]]:
    groups: list[list[ObservedOp]] = []
    room = 0
    for op in ops:
        if op.elements > room or len(groups[-1]) == MAX_BATCH:
            groups.append([])
            room = max(_BATCH_ELEMENTS, op.elements)
        groups[-1].append(op)
        room -= op.elements
    return groups


def define_reader(module: ir.Module, name: str, state: Sequence[Global]) -> None:
    """A function that returns the state and sets it back to what it was in the beginning.

    It does so in place: where a global may come to hold another buffer, IREE records the commands of all functions that
    use it again on each call.
    """
    import_text(module, _resetting(name, state))
    with ir.InsertionPoint(module.body):
        reader = func.FuncOp(name, ([], [part.type for part in state]))
        with ir.InsertionPoint(reader.add_entry_block()):
            values = [part.load() for part in state]
            for part, value in zip(state, dispatch(f"{name}_reset", "reset", [], values), strict=True):
                part.store(value)
            func.ReturnOp(values)


def _resetting(name: str, state: Sequence[Global]) -> str:
    """MLIR text of an executable that writes the initial value to all elements of its buffers."""
    bindings = ", ".join(["#hal.pipeline.binding<storage_buffer, Indirect>"] * len(state))
    lines = [
        f"#reset = #hal.pipeline.layout<constants = 0, bindings = [{bindings}], flags = Indirect>",
        f"hal.executable.source private @{name}_reset {{",
        "  hal.executable.export public @reset ordinal(0) layout(#reset)",
        "      count(%device: !hal.device) -> (index, index, index) {",
        "    %c1 = arith.constant 1 : index",
        "    hal.return %c1, %c1, %c1 : index, index, index",
        "  }",
        "  builtin.module {",
        "    func.func @reset() {",
        "      %c0 = arith.constant 0 : index",
        "      %c1 = arith.constant 1 : index",
    ]
    for place, part in enumerate(state):
        kind = f"memref<{prod(part.type.shape)}x{part.type.element_type}>"
        lines += [
            f"      %buffer_{place} = hal.interface.binding.subspan layout(#reset) binding({place}) : {kind}",
            f"      %size_{place} = arith.constant {prod(part.type.shape)} : index",
            f"      %initial_{place} = arith.constant {ir.DenseElementsAttr(part.initial).get_splat_value()}",
            f"      scf.for %i = %c0 to %size_{place} step %c1 {{",
            f"        memref.store %initial_{place}, %buffer_{place}[%i] : {kind}",
            "      }",
        ]
    return "\n".join([*lines, "      return", "    }", "  }", "}"])
