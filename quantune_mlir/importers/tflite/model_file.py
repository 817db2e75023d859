"""What a .tflite file says of itself: tensors, operators, inputs and outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np

from quantune_mlir.importers.common.static_shapes import DeclaredInput
from quantune_mlir.importers.tflite.flatbuffer import BrokenBuffer, FlatTable
from quantune_mlir.importers.tflite.operators import BITS, CUSTOM, element_type_name, operator_name

MAGIC: Final = b"TFL3"
MAGIC_AT: Final = 4
INPUTS, OUTPUTS, OPERATORS = 1, 2, 3
"""Fields of a subgraph."""
_BYTE: Final = 8
_MOST_TENSORS: Final = 1 << 20


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the first subgraph.

    Attributes:
        table: where it is described in the file.
        name: its name; "" where it has none.
        declared: its name, and its shape with "?" for what is dynamic.
        element_type: e.g. "float32".
        scales: what a code stands for: none if it is no quantized tensor, one, or one for each channel.
        zero_point: the code of 0; of several, the first.
        buffer: the number of the buffer with its values; 0: it has none.
    """

    table: FlatTable
    name: str
    declared: DeclaredInput
    element_type: str
    scales: tuple[float, ...]
    zero_point: int
    buffer: int

    @property
    def scaled(self) -> bool:
        """Whether it has quantization parameters."""
        return bool(self.scales)

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, with 1 for what is dynamic."""
        return tuple(size if isinstance(size, int) else 1 for size in self.declared.sizes or ())

    @property
    def is_dynamic(self) -> bool:
        """Whether the size of an axis is not known."""
        return any(isinstance(size, str) for size in self.declared.sizes or ())


@dataclass(frozen=True)
class OperatorInfo:
    """An operator of the first subgraph.

    Attributes:
        kind: its name in the schema; a custom one's own.
        inputs: the tensors that it reads, by number.
        outputs: the tensors that it makes.
        options: the table of its options, which the schema describes; None: it has none.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: FlatTable | None = field(default=None, compare=False)


class ModelFile:
    """The tables of a file. Its attributes raise BrokenBuffer where the file is broken.

    Args:
        data: the whole file; `pin` changes it.
    """

    def __init__(self, data: bytearray) -> None:
        if not data.startswith(MAGIC, MAGIC_AT):
            raise BrokenBuffer("no TensorFlow Lite model")
        self.data = data
        self._root = FlatTable.root(data)

    def check_names(self) -> None:
        """Raises BrokenBuffer if a name is not UTF-8, as MLIR's bindings take for granted."""
        self._root.text(3)
        for code in self._root.tables(1):
            code.text(1)
        for entry in self._root.tables(6):
            entry.text(0)
        for graph in self.subgraphs:
            graph.text(4)
            for tensor in graph.tables(0):
                tensor.text(3)
        for signature in self._root.tables(7):
            signature.text(2)
            for argument in (*signature.tables(0), *signature.tables(1)):
                argument.text(0)

    @cached_property
    def subgraphs(self) -> list[FlatTable]:
        """Its subgraphs: the network, then bodies of control flow or further signatures."""
        return self._root.tables(2)

    @cached_property
    def tensors(self) -> list[TensorInfo]:
        """The tensors of the network."""
        tables = self.network.tables(0)
        if len(tables) > _MOST_TENSORS:
            raise BrokenBuffer(f"{len(tables)} tensors")
        return [_tensor(table) for table in tables]

    @cached_property
    def operators(self) -> list[OperatorInfo]:
        """The operators of the network, in the order they are computed in."""
        return self._operators(self.network, len(self.tensors))

    def subgraph(self, number: int) -> tuple[list[TensorInfo], list[OperatorInfo]]:
        """The tensors and the operators of a subgraph."""
        if not 0 <= number < len(self.subgraphs):
            raise BrokenBuffer(f"subgraph {number}")
        tensors = [_tensor(table) for table in self.subgraphs[number].tables(0)]
        return tensors, self._operators(self.subgraphs[number], len(tensors))

    def _operators(self, graph: FlatTable, tensors: int) -> list[OperatorInfo]:
        kinds = [_kind(code) for code in self._root.tables(1)]
        found: list[OperatorInfo] = []
        for table in graph.tables(OPERATORS):
            number = table.scalar(0, "I", 0)
            if number >= len(kinds):
                raise BrokenBuffer(f"operator code {number}")
            inputs, outputs = _numbers(table, 1, tensors), _numbers(table, 2, tensors)
            found.append(OperatorInfo(kinds[number], inputs, outputs, table.table(4)))
        return found

    @cached_property
    def inputs(self) -> list[TensorInfo]:
        """The network's inputs."""
        return [self.tensors[number] for number in self.input_numbers]

    @cached_property
    def outputs(self) -> list[TensorInfo]:
        """The network's outputs."""
        return [self.tensors[number] for number in self.output_numbers]

    @property
    def input_numbers(self) -> tuple[int, ...]:
        """The tensors that are the network's inputs, by number."""
        return _numbers(self.network, INPUTS, len(self.tensors))

    @property
    def output_numbers(self) -> tuple[int, ...]:
        """The tensors that are the network's outputs, by number."""
        return _numbers(self.network, OUTPUTS, len(self.tensors))

    def pin(self, tensor: TensorInfo, shape: tuple[int, ...]) -> None:
        """Give a tensor with dynamic axes this shape, in the file's data."""
        for slot in (_SHAPE, _SIGNATURE):
            sizes = tensor.table.array(slot, np.int32)
            sizes[:] = shape[: sizes.size]

    def redirect(self, tensors: Mapping[int, int]) -> None:
        """Let others stand for some tensors in what operators read and the network gives, in the file's data."""
        read = (table.array(INPUTS, np.int32) for table in self.network.tables(OPERATORS))
        for numbers in (*read, self.network.array(OUTPUTS, np.int32)):
            for place, number in enumerate(numbers.tolist()):
                numbers[place] = tensors.get(number, number)

    def broadcast_fills(self) -> None:
        """Make each FILL (shape, value) a BROADCAST_TO (value, shape), in the file's data: the converter crashes at it.

        Not in files older than the field that holds the number of the latter.
        """
        for number, code in enumerate(self._root.tables(1)):
            tables = [table for graph in self.subgraphs for table in graph.tables(OPERATORS)]
            read = [table.array(INPUTS, np.int32) for table in tables if table.scalar(0, "I", 0) == number]
            are_fills = _kind(code) == "FILL" and all(len(inputs) == 2 for inputs in read)
            if are_fills and code.put(3, "i", _BROADCAST_TO):
                code.put(0, "b", _IN_THE_OTHER_FIELD)
                for inputs in read:
                    inputs[:] = inputs[::-1].copy()

    def with_ends(self, slot: int, numbers: Sequence[int]) -> ModelFile:
        """The model with these tensors as INPUTS or OUTPUTS of its network."""
        return ModelFile(self.network.with_numbers(slot, numbers))

    def check_values(self) -> None:
        """Raises BrokenBuffer if a stored tensor has not as many bytes as its shape says: the converter trusts it."""
        sizes = [self._content(buffer).size for buffer in self._buffers]
        for graph in self.subgraphs:
            for tensor in (_tensor(table) for table in graph.tables(0)):
                if not 0 <= tensor.buffer < len(sizes):
                    raise BrokenBuffer(f"tensor {tensor.name!r} in a buffer that does not exist")
                size, bits = sizes[tensor.buffer], BITS.get(tensor.element_type)
                is_sparse = tensor.table.table(6) is not None
                if size and bits and not is_sparse and size != -(-math.prod(tensor.shape) * bits // 8):
                    raise BrokenBuffer(f"tensor {tensor.name!r} of shape {list(tensor.shape)} with {size} bytes")

    def is_stored(self, tensor: TensorInfo) -> bool:
        """Whether the file stores the values of a tensor."""
        return self._content(self._buffers[tensor.buffer]).size > 0

    def stored(self, tensor: TensorInfo) -> np.ndarray:
        """The values of a tensor that the file stores, flat. Raises BrokenBuffer if it stores none."""
        if BITS.get(tensor.element_type, 0) < _BYTE or not 0 <= tensor.buffer < len(self._buffers):
            raise BrokenBuffer(f"tensor {tensor.name!r} ({tensor.element_type})")
        dtype = np.dtype(tensor.element_type)
        content = self._content(self._buffers[tensor.buffer]).tobytes()
        if not content or len(content) % dtype.itemsize:
            raise BrokenBuffer(f"tensor {tensor.name!r} with {len(content)} bytes")
        return np.frombuffer(content, dtype.newbyteorder("<")).astype(dtype)

    @cached_property
    def _buffers(self) -> list[FlatTable]:
        return self._root.tables(4)

    def _content(self, buffer: FlatTable) -> np.ndarray:
        """The bytes of a buffer, which stand in it, or in a large file behind the tables."""
        begin, size = buffer.scalar(1, "Q", 0), buffer.scalar(2, "Q", 0)
        if begin <= 1:
            return buffer.array(0, np.uint8)
        if begin + size > len(self.data):
            raise BrokenBuffer(f"a buffer of {size} bytes")
        return np.frombuffer(self.data, np.uint8, size, begin)

    @property
    def network(self) -> FlatTable:
        """The first subgraph, which LiteRT runs unless it is told another signature."""
        if not self.subgraphs:
            raise BrokenBuffer("no subgraph")
        return self.subgraphs[0]


_BROADCAST_TO: Final = 130
_IN_THE_OTHER_FIELD: Final = 127
"""In the older field of an operator's number, that the newer has it."""
_SHAPE: Final = 0
_SIGNATURE: Final = 7


def _numbers(table: FlatTable, slot: int, tensors: int) -> tuple[int, ...]:
    """Numbers of tensors; -1 stands for one that is left out."""
    numbers = tuple(int(number) for number in table.array(slot, np.int32))
    if any(not -1 <= number < tensors for number in numbers):
        raise BrokenBuffer("a tensor that does not exist")
    return tuple(number for number in numbers if number >= 0)


def _kind(code: FlatTable) -> str:
    """An operator's name; codes from 127 on do not fit the older field."""
    number = max(code.scalar(0, "b", 0), code.scalar(3, "i", 0))
    return (code.text(1) or "CUSTOM") if number == CUSTOM else operator_name(number)


def _tensor(table: FlatTable) -> TensorInfo:
    shape = tuple(int(size) for size in table.array(_SHAPE, np.int32))
    signature = tuple(int(size) for size in table.array(_SIGNATURE, np.int32))
    if signature and len(signature) != len(shape):
        raise BrokenBuffer("a tensor of two ranks")
    sizes = ["?" if size < 0 else size for size in signature or shape]
    quantization, name = table.table(4), table.text(3)
    return TensorInfo(
        table,
        name,
        DeclaredInput(name, sizes),
        element_type_name(table.scalar(1, "b", 0)),
        () if quantization is None else tuple(quantization.array(2, np.float32).tolist()),
        int(next(iter([] if quantization is None else quantization.array(3, np.int64)), 0)),
        table.scalar(2, "I", 0),
    )
