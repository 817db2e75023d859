"""From what IREE compiled, up to its executables, to a schedule.

In:  a module of the phase `executable-targets`: one stream program whose sizes and offsets are all constant.
Out: a `Schedule`. The arena holds what IREE allocates, one allocation after the other; a result that is an allocation
     by itself is written where the caller wants it, any other (part of an allocation, an input, a constant) is copied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from quantune_mlir.backend.deliverables.constants import Constants
from quantune_mlir.backend.deliverables.schedule import (
    BufferView,
    BundleTensor,
    Command,
    Copy,
    Dispatch,
    Fill,
    Schedule,
)
from quantune_mlir.errors import CompileError
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.location_names import location_names

ALIGNMENT: Final = 64
"""What IREE's code expects of every buffer, in bytes."""

_BOOKKEEPING: Final = frozenset(
    {
        "arith.constant",
        "hal.buffer_view.assert",
        "hal.element_type",
        "hal.encoding_type",
        "stream.resource.dealloca",
        "stream.timepoint.immediate",
        "stream.timepoint.join",
        "util.return",
    }
)
_NESTING: Final = frozenset({"stream.cmd.concurrent", "stream.cmd.serial"})


def read_schedule(module: ir.Module, inputs: Sequence[BundleTensor], outputs: Sequence[BundleTensor]) -> Schedule:
    """The schedule of @main, which has these inputs and outputs.

    Raises:
        CompileError: the program does what a schedule cannot express, such as deciding something as it runs.
    """
    reader = _Reader(module, inputs, outputs)
    for op in reader.main.regions[0].blocks[0].operations:
        reader.read(op.operation)
    return reader.schedule()


@dataclass(frozen=True)
class _Export:
    number: int
    workgroups: tuple[int, int, int]


@dataclass
class _Allocation:
    """Memory that IREE allocates. `offset`: in the arena, once it is known that it is not a result's own."""

    size: int
    offset: int = -1
    output: int | None = None


@dataclass
class _Reader:
    module: ir.Module
    inputs: Sequence[BundleTensor]
    outputs: Sequence[BundleTensor]
    buffers: dict[ir.Value, BufferView] = field(default_factory=dict)
    allocations: list[_Allocation] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    results: list[BufferView] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exports = dict(_exports(self.module))
        self.weights = dict(_weights(self.module))
        self.globals = list(self.weights)
        mains = [op for op in _top(self.module) if op.name == "util.func" and _symbol(op, "sym_name") == "main"]
        if len(mains) != 1 or len(mains[0].regions[0].blocks) != 1:
            raise _unknown("a program with control flow", self.module.operation)
        (self.main,) = mains

    def read(self, op: ir.Operation) -> None:
        """One operation of @main."""
        name = op.name
        if name == "util.return":
            self.results = [self._view(value) for value in op.operands]
        elif name in _BOOKKEEPING:
            return
        elif name == "util.global.load":
            index = self.globals.index(_symbol(op, "global"))
            self.buffers[op.results[0]] = BufferView("weights", index, 0, len(self.weights[self.globals[index]]))
        elif name in ("stream.tensor.import", "stream.tensor.export"):
            self.buffers[op.results[0]] = self._view(op.operands[0])
        elif name == "stream.resource.alloca":
            self._allocate(op)
        elif name == "stream.timepoint.await":
            waiting = [value for value in op.operands if _is_resource(value)]
            for result, value in zip(op.results, waiting, strict=True):
                self.buffers[result] = self._view(value)
        elif name == "stream.resource.subview":
            source, _, offset, length = op.operands
            self.buffers[op.results[0]] = self._view(source).part(_constant(offset), _constant(length))
        elif name == "stream.cmd.execute":
            self._execute(op)
        else:
            raise _unknown(name, op)

    def schedule(self) -> Schedule:
        """What was read, with every allocation in its place."""
        last: list[Command] = []
        counts = [self._sharers(view) for view in self.results]
        for i, (view, tensor) in enumerate(zip(self.results, self.outputs, strict=True)):
            own = self.allocations[view.index] if view.place == "arena" else None
            if own is not None and counts[i] == 1 and view.offset == 0 and own.size == tensor.bytes:
                own.output = i
            else:
                last.append(Copy(replace(view, length=tensor.bytes), BufferView("output", i, 0, tensor.bytes)))
        arena = 0
        for allocation in self.allocations:
            if allocation.output is None:
                allocation.offset = arena
                arena += -(-allocation.size // ALIGNMENT) * ALIGNMENT
        commands = [self._placed(command) for command in (*self.commands, *last)]
        return Schedule(
            tuple(self.inputs),
            tuple(self.outputs),
            tuple(commands),
            arena,
            tuple(self.weights.values()),
            len(self.exports),
        )

    def _sharers(self, view: BufferView) -> int:
        """How many results lie in the same allocation."""
        return sum(other.place == view.place and other.index == view.index for other in self.results)

    def _allocate(self, op: ir.Operation) -> None:
        sizes = [_constant(value) for value in op.operands if str(value.type) == "index"]
        buffers = [value for value in op.results if _is_resource(value)]
        for buffer, size in zip(buffers, sizes, strict=True):
            self.buffers[buffer] = BufferView("arena", len(self.allocations), 0, size)
            self.allocations.append(_Allocation(size))

    def _execute(self, op: ir.Operation) -> None:
        block = op.regions[0].blocks[0]
        if len(op.regions[0].blocks) != 1:
            raise _unknown("control flow among commands", op)
        given = [value for value in op.operands if _is_resource(value)]
        for argument, value in zip(block.arguments, given, strict=True):
            self.buffers[argument] = self._view(value)
        self._read_commands(block)

    def _read_commands(self, block: ir.Block) -> None:
        for view in block.operations:
            op = view.operation
            if op.name in _NESTING:
                self._read_commands(op.regions[0].blocks[0])
            elif op.name == "stream.cmd.fill":
                target, _, offset, length, value = op.operands
                self.commands.append(Fill(self._part(target, offset, length), _pattern(value)))
            elif op.name == "stream.cmd.copy":
                source, _, from_, target, _, to, length = op.operands
                self.commands.append(Copy(self._part(source, from_, length), self._part(target, to, length)))
            elif op.name == "stream.cmd.dispatch":
                self.commands.append(self._dispatch(view))
            elif op.name not in ("stream.yield", "stream.cmd.flush", "stream.cmd.invalidate", "stream.cmd.discard"):
                raise _unknown(op.name, op)

    def _dispatch(self, op: ir.OpView) -> Dispatch:
        (entry,) = op.attributes["entry_points"]
        kernel = ir.SymbolRefAttr(entry).value
        export = self.exports[tuple(kernel)]
        parts = zip(op.resources, op.resource_offsets, op.resource_lengths, strict=True)
        names = location_names(op.location)
        return Dispatch(
            kernel[-1],
            names[0] if names else kernel[-1],
            export.number,
            export.workgroups,
            tuple(_constant(value) & 0xFFFFFFFF for value in op.uniform_operands),
            tuple(self._part(*part) for part in parts),
        )

    def _view(self, value: ir.Value) -> BufferView:
        if value in self.buffers:
            return self.buffers[value]
        if isinstance(value, ir.BlockArgument):  # of @main: a result may be an input as it is
            tensor = self.inputs[value.arg_number]
            return BufferView("input", value.arg_number, 0, tensor.bytes)
        raise _unknown(f"a buffer made by {value.owner.name}", value.owner)

    def _part(self, buffer: ir.Value, offset: ir.Value, length: ir.Value) -> BufferView:
        return self._view(buffer).part(_constant(offset), _constant(length))

    def _placed(self, command: Command) -> Command:
        if isinstance(command, Fill):
            return replace(command, target=self._place(command.target))
        if isinstance(command, Copy):
            return Copy(self._place(command.source), self._place(command.target))
        return replace(command, bindings=tuple(self._place(view) for view in command.bindings))

    def _place(self, view: BufferView) -> BufferView:
        """Where a view of an allocation lies in the end."""
        if view.place != "arena":
            return view
        allocation = self.allocations[view.index]
        if allocation.output is not None:
            return BufferView("output", allocation.output, view.offset, view.length)
        return BufferView("arena", 0, allocation.offset + view.offset, view.length)


def _exports(module: ir.Module) -> Iterator[tuple[tuple[str, ...], _Export]]:
    """Each kernel's number and workgroups, by its symbol. Linking keeps the order in which they stand."""
    number = 0
    for executable in (op for op in _top(module) if op.name == "hal.executable"):
        for variant in (op for op in _inside(executable) if op.name == "hal.executable.variant"):
            for export in (op for op in _inside(variant) if op.name == "hal.executable.export"):
                path = tuple(_symbol(op, "sym_name") for op in (executable, variant, export))
                (block,) = export.opview.workgroup_count.blocks
                counts = [_constant(value) for value in _last(block).operands]
                yield path, _Export(number, (counts[0], counts[1], counts[2]))
                number += 1


def _weights(module: ir.Module) -> Iterator[tuple[str, bytes]]:
    """The constant that each global is initialized with."""
    data = Constants(module)
    for initializer in (op for op in _top(module) if op.name == "util.initializer"):
        constants: list[ir.Attribute] = []
        for block in initializer.regions[0].blocks:
            for op in (view.operation for view in block.operations):
                if op.name == "util.buffer.constant":
                    constants.append(op.attributes["value"])
                elif op.name == "util.global.store":
                    if len(constants) != 1:
                        raise _unknown("a constant that is computed when the program starts", op)
                    yield _symbol(op, "global"), data.bytes_of(constants.pop())
                elif op.name == "stream.cmd.execute":
                    raise _unknown("a constant that is computed when the program starts", op)


def _pattern(value: ir.Value) -> bytes:
    width = ir.IntegerType(value.type).width // 8
    pattern = (_constant(value) & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    periods = (pattern[:size] for size in (1, 2, 4, 8) if pattern[:size] * (width // size or 1) == pattern)
    return next(periods)


def _constant(value: ir.Value) -> int:
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.name != "arith.constant":
        raise _unknown("a size that is known only as it runs", None if isinstance(owner, ir.Block) else owner)
    return ir.IntegerAttr(owner.attributes["value"]).value


def _top(module: ir.Module) -> Iterator[ir.Operation]:
    return (view.operation for view in module.body.operations)


def _inside(op: ir.Operation) -> Iterator[ir.Operation]:
    return (view.operation for view in op.regions[0].blocks[0].operations)


def _last(block: ir.Block) -> ir.Operation:
    return block.operations[len(block.operations) - 1].operation


def _symbol(op: ir.Operation, attribute: str) -> str:
    return str(ir.Attribute(op.attributes[attribute])).strip('@"')


def _is_resource(value: ir.Value) -> bool:
    return str(value.type).startswith("!stream.resource")


def _unknown(what: str, op: ir.Operation | None) -> CompileError:
    return CompileError(
        f"has {what}, which C code without a runtime cannot do",
        where="the program" if op is None else f"the program, {op.location}"[:200],
        remedy="deliver it as --deliverable vmfb",
    )
