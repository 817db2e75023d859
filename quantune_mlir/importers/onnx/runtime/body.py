"""What stands for one node: a graph of ONNX's operators that is being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike
from onnx import helper, numpy_helper

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor


@dataclass(frozen=True)
class Call:
    """The node: names of its inputs, "" where one is absent, what they are, and its attributes."""

    names: Sequence[str]
    tensors: Sequence[Tensor | None]
    attributes: dict[str, Any]

    def given(self, index: int) -> str:
        """The name of an input that may be absent, "" then."""
        return self.names[index] if index < len(self.names) else ""

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of an input that the operator requires. Raises Unsupported if it is absent."""
        tensor = self.tensors[index] if index < len(self.tensors) else None
        if tensor is None:
            raise Unsupported(f"input {index} is missing")
        return tensor.shape

    def refuse(self, index: int, meaning: str) -> None:
        """Raises Unsupported if an input is given."""
        if self.given(index):
            raise Unsupported(f"{meaning} (input {index})")


class Body:
    """The nodes written so far, called NODE/OPERATOR."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._numbers: list[onnx.TensorProto] = []

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """The result of one more node."""
        return self.parts(op_type, 1, *inputs, **attributes)[0]

    def parts(self, op_type: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """The results of one more node that has several."""
        results = [f"{self._name}/{len(self._nodes)}.{i}" for i in range(count)]
        self._nodes.append(helper.make_node(op_type, inputs, results, f"{self._name}/{op_type}", **attributes))
        return results

    def number(self, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """A constant."""
        name = f"{self._name}/constant{len(self._numbers)}"
        self._numbers.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def added(self, *terms: str) -> str:
        """The sum of those that are not absent."""
        total, *rest = [term for term in terms if term]
        for term in rest:
            total = self.op("Add", total, term)
        return total

    def reshaped(self, value: str, shape: Sequence[int]) -> str:
        """The same elements in another shape."""
        return self.op("Reshape", value, self.number(shape, np.int64))

    def graph(self, results: Sequence[str], outputs: Sequence[str]) -> onnx.GraphProto:
        """All nodes, with `results` called as `outputs`, which may be fewer or absent.

        Raises:
            Unsupported: an output has no result.
        """
        for index, output in enumerate(outputs):
            if output and not (index < len(results) and results[index]):
                raise Unsupported(f"output {index}")
        named = [(result, output) for result, output in zip(results, outputs, strict=False) if output]
        ends = [helper.make_node("Identity", [result], [output]) for result, output in named]
        infos = [onnx.ValueInfoProto(name=output) for _, output in named]
        return helper.make_graph([*self._nodes, *ends], self._name, [], infos, self._numbers)
