"""A kernel as an IREE executable of its own, and its dispatch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.receiver import KERNEL, LAYOUT, TAKEN, Receiver
from quantune_mlir.kernels.emit.vector_builder import Index, bytes_of, memref_type, sharing_constants
from quantune_mlir.kernels.isa.base import Isa
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import arith, flow, func, hal, ir
from quantune_mlir.mlir.text import module_bytecode

_ALIGNMENT = 64
MAX_SCALARS = 60
"""Push constants that a dispatch may have."""
ANY_SIZE = 2**31 - 1
"""Elements of a buffer at most."""

Body = Callable[[list[ir.Value], list[ir.Value], list[ir.Value]], None]
"""Writes a kernel, given its buffers (the last one is the result, if it has no workspace), its scalars (i32) and its
place in the grid."""
SizedBody = Callable[[list[ir.Value], list[ir.Value], list[ir.Value], Sequence[Index]], None]
"""The same, given sizes, too."""


@dataclass(frozen=True)
class Signature:
    """What a kernel is called with. Buffers are flat: (elements at most, element type)."""

    inputs: tuple[tuple[int, str], ...]
    output: tuple[int, str]
    scalars: int
    grid: tuple[int, ...]
    """Workgroups along up to three dimensions, which run in any order and at the same time."""
    workspace: tuple[tuple[int, str], ...] = ()
    """Buffers for what is handed on inside the kernel; they stand behind the output, in the same tensor."""

    @property
    def places(self) -> tuple[int, ...]:
        """Where each buffer of the workspace begins, in bytes, and behind the last one where the tensor ends."""
        sizes = (size * bytes_of(name) for size, name in (self.output, *self.workspace))
        return tuple(accumulate(ceil(size / _ALIGNMENT) * _ALIGNMENT for size in sizes))

    def of_any_size(self, sizes: int) -> Signature:
        """That of a kernel that is called with so many sizes, and with buffers of any."""
        inputs = tuple((ANY_SIZE, element) for _, element in self.inputs)
        return replace(self, inputs=inputs, output=(ANY_SIZE, self.output[1]), scalars=self.scalars + sizes)


@dataclass
class Joined:
    """A tensor that several kernels write their parts of, in place: neighbouring channels of each pixel."""

    type: ir.RankedTensorType
    value: ir.Value | None = None
    """The tensor after the last kernel so far; None before the first one."""

    @property
    def channels(self) -> int:
        """Elements from one pixel to the next."""
        return self.type.shape[-1]


@dataclass(frozen=True)
class JoinedPart:
    """The channels of a joined tensor from `first` on."""

    of: Joined
    first: int
    filler: float | None = None
    """Where set, what all other channels are."""


class Library:
    """The executables of a module, made for one instruction set. Kernels of the same code share one."""

    def __init__(
        self, module: ir.Module, isa: Isa, tiles: TunedTiles | None = None, receiver: Receiver | None = None
    ) -> None:
        """Begin.

        Args:
            module: gets the executables.
            isa: what kernels are made for.
            tiles: tiles to use instead of the model's.
            receiver: takes the code, which the module then lacks.
        """
        self.tiles = tiles
        self._module = module
        self._receiver = receiver
        self._isa = isa
        self._names: dict[tuple[tuple[int, ...], bytes | str], str] = {}
        self._specified: dict[Hashable, str] = {}

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
        """Call a kernel at the current insertion point.

        Args:
            family: what the kernel computes, the first part of its name.
            signature: buffers, scalars and grid.
            body: writes the kernel.
            inputs: a tensor for each input buffer.
            scalars: the bits of each scalar.
            result: the type of the result.
            part: what the kernel writes instead of a result of its own.
            specification: all that its code follows from besides the signature, so that an equal one need not be
                written again; None: it is written to find out.

        Returns:
            The result, or the tensor that the part belongs to.
        """
        name = self._specified.get((signature, specification)) if specification is not None else None
        if name is None:
            name = self._executable(family, signature, body, specification)
            self._specified[signature, specification] = name
        i32 = ir.IntegerType.get_signless(32)
        constants = [arith.ConstantOp(i32, ir.IntegerAttr.get(i32, bits)).result for bits in scalars]
        entry = ir.ArrayAttr.get([ir.SymbolRefAttr.get([name, name])])
        operands = [*constants, *inputs]
        if part is None:
            return flow.DispatchOp([result], [], entry, operands, [], []).results[0]
        joined = part.of
        into = joined.value if joined.value is not None else flow.TensorEmptyOp(joined.type, []).result
        tied = ir.ArrayAttr.get([ir.IntegerAttr.get(ir.IndexType.get(), len(operands))])
        dispatch = flow.DispatchOp([joined.type], [], entry, [*operands, into], [], [], tied_operands=tied)
        joined.value = dispatch.results[0]
        return joined.value

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
        """Call a kernel that is the same for tensors of any size: as `dispatch`, with sizes behind the scalars."""
        count = len(scalars)

        def called(buffers: list[ir.Value], given: list[ir.Value], place: list[ir.Value]) -> None:
            body(buffers, given[:count], place, [code.size_of(size) for size in given[count:]])

        return self.dispatch(
            family,
            signature.of_any_size(len(sizes)),
            called,
            inputs,
            [*scalars, *sizes],
            result,
            part,
            specification=specification,
        )

    def _executable(self, family: str, signature: Signature, body: Body, specification: Hashable) -> str:
        """The name of the executable of a kernel, which is written if nothing knows one of the same specification."""
        inner: ir.Module | None = None
        if self._receiver is None:
            inner = self._written(signature, body)
            kernel: bytes | str = module_bytecode(inner)
        else:
            made_of = "" if specification is None else repr((family, self._isa.name, signature, specification))
            known = self._receiver.recall(made_of) if made_of else None
            kernel = known or self._receiver.take(module_bytecode(self._written(signature, body)), made_of)
        key = signature.grid, kernel
        if key not in self._names:
            name = f"{family}_{len(self._names)}"
            self._names[key] = name
            with ir.Location.unknown(), ir.InsertionPoint.at_block_begin(self._module.body):
                source = _wrap(name, signature, inner)
                if isinstance(kernel, str):
                    source.attributes[TAKEN] = ir.StringAttr.get(kernel)
        return self._names[key]

    def _written(self, signature: Signature, body: Body) -> ir.Module:
        with ir.Location.unknown():
            inner = ir.Module.create()
            _write(inner, signature, body, self._isa.features)
            if not self._isa.fuses:
                _unfuse(inner)
        return inner


def _write(inner: ir.Module, signature: Signature, body: Body, features: tuple[str, ...]) -> None:
    layout = _layout(signature)
    with ir.InsertionPoint(inner.body):
        function = func.FuncOp(KERNEL, ([], []))
    function.attributes[LAYOUT] = layout
    if features:
        listed = ", ".join(f'"{feature}"' for feature in features)
        function.attributes["llvm.target_features"] = ir.Attribute.parse(f"#llvm.target_features<[{listed}]>")
    with ir.InsertionPoint(function.add_entry_block()):
        buffers = []
        zero = arith.ConstantOp(ir.IndexType.get(), 0).result
        last = len(signature.inputs)
        bound = [(ordinal, 0, *buffer) for ordinal, buffer in enumerate([*signature.inputs, signature.output])]
        bound += [(last, at, *buffer) for at, buffer in zip(signature.places, signature.workspace, strict=False)]
        for ordinal, at, size, name in bound:
            offset = arith.ConstantOp(ir.IndexType.get(), at).result if at else zero
            buffers.append(
                hal.InterfaceBindingSubspanOp(
                    memref_type(size, name), layout, ordinal, [], byte_offset=offset, alignment=_ALIGNMENT
                ).result
            )
        i32 = ir.IntegerType.get_signless(32)
        ordinals = [ir.IntegerAttr.get(ir.IndexType.get(), i) for i in range(signature.scalars)]
        scalars = [hal.InterfaceConstantLoadOp(i32, layout, ordinal).result for ordinal in ordinals]
        place = [hal.InterfaceWorkgroupIDOp(i, results=[ir.IndexType.get()]).result for i in range(len(signature.grid))]
        with sharing_constants(ir.InsertionPoint(zero.owner)):
            body(buffers, scalars, place)
        func.ReturnOp([])


def _unfuse(inner: ir.Module) -> None:
    """Multiply and add where there is no instruction for both: LLVM would call fmaf for every lane."""
    fused: list[ir.Operation] = []

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name == "vector.fma":
            fused.append(op)
        return ir.WalkResult.ADVANCE

    inner.operation.walk(collect)
    for op in fused:
        a, b, c = op.operands
        with ir.InsertionPoint(op):
            total = arith.AddFOp(arith.MulFOp(a, b).result, c).result
        op.results[0].replace_all_uses_with(total)
        op.erase()


def _wrap(name: str, signature: Signature, inner: ir.Module | None) -> hal.ExecutableSourceOp:
    """An executable at the current point, perhaps with its code."""
    source = hal.ExecutableSourceOp(name, sym_visibility="private")
    first = ir.IntegerAttr.get(ir.IndexType.get(), 0)
    with ir.InsertionPoint(source.regions[0].blocks.append()):
        place = ir.Location.file(name, 1, 1)  # without one, IREE writes a number that it never set into programs
        export = hal.ExecutableExportOp(name, _layout(signature), ordinal=first, sym_visibility="public", loc=place)
        device = ir.Type.parse("!hal.device")
        count = export.regions[0].blocks.append(device, arg_locs=[ir.Location.unknown()])
        with ir.InsertionPoint(count):
            sizes = [*signature.grid, 1, 1, 1][:3]
            hal.ReturnOp([arith.ConstantOp(ir.IndexType.get(), size).result for size in sizes])
        if inner is not None:
            (function,) = inner.operation.clone(ip=ir.InsertionPoint.current).regions[0].blocks[0].operations
            function.attributes["sym_name"] = ir.StringAttr.get(name)
            del function.attributes[LAYOUT]
        hal.ExecutableSourceEndOp()
    return source


def _layout(signature: Signature) -> ir.Attribute:
    """Bindings are indirect: with a direct one, IREE records the commands of the whole program again on each call."""
    bindings = ['#hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">'] * len(signature.inputs)
    bindings.append("#hal.pipeline.binding<storage_buffer, Indirect>")
    return ir.Attribute.parse(
        f"#hal.pipeline.layout<constants = {signature.scalars}, bindings = [{', '.join(bindings)}], flags = Indirect>"
    )
