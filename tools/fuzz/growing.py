"""An ONNX graph that grows node by node; each value is known as ONNX Runtime computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]

OPSET: Final = 22
_LARGEST: Final = 1e4
_MOST_ELEMENTS: Final = 4096


@dataclass
class Value:
    """A tensor of the graph.

    Attributes:
        array: what it is.
        exact: whether no rounding came into it, so that what jumps may be asked of it.
    """

    array: Array
    exact: bool


@dataclass
class Growing:
    """A graph under construction.

    Attributes:
        rng: what decides.
        only_constants: whether it has no inputs.
        values: by name.
    """

    rng: np.random.Generator
    only_constants: bool = False
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    _nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    _inputs: list[str] = field(default_factory=list[str])
    _constants: list[str] = field(default_factory=list[str])

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self._nodes)

    def given(self, array: Array, *, constant: bool | None = None) -> str:
        """A new input of the graph, or a constant; chosen, if it is not said."""
        fixed = self.only_constants or (bool(self.rng.random() < 0.5) if constant is None else constant)
        name = f"{'c' if fixed else 'x'}{len(self.values)}"
        (self._constants if fixed else self._inputs).append(name)
        self.values[name] = Value(array, exact=True)
        return name

    def normal(self, *shape: int, constant: bool | None = None) -> str:
        """New normal numbers."""
        return self.given(self.rng.standard_normal(shape).astype(np.float32), constant=constant)

    def numbers(self, *numbers: int) -> str:
        """Constant int64."""
        return self.given(np.array(numbers, np.int64), constant=True)

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a value."""
        return self.values[name].array.shape

    def pick(self, kinds: str = "f", *, ranks: Sequence[int] = range(1, 6), exact: bool = False) -> str:
        """A value of one of these kinds of elements; a new one, if there is none, and sometimes."""
        fitting = [
            name
            for name, value in self.values.items()
            if value.array.dtype.kind in kinds
            and value.array.ndim in ranks
            and value.array.size
            and (value.exact or not exact)
        ]
        if fitting and self.rng.random() < 0.8:
            # The latest are the likeliest, so that graphs are deep.
            return fitting[-1 - int(min(self.rng.geometric(0.4) - 1, len(fitting) - 1))]
        shape = tuple(int(size) for size in self.rng.integers(1, 7, int(self.rng.choice(list(ranks)))))
        kind = str(self.rng.choice(list(kinds)))
        if kind == "b":
            return self.given(self.rng.random(shape) < 0.5)
        if kind == "i":
            return self.given(
                self.rng.integers(-9, 10, shape).astype(np.int32 if self.rng.random() < 0.5 else np.int64)
            )
        return self.normal(*shape, constant=False)

    def add(self, op: str, inputs: Sequence[str], outputs: int = 1, *, rounds: bool = True, **attributes: Any) -> bool:
        """Append a node if ONNX Runtime takes it and its results are finite and of moderate size."""
        names = [f"v{len(self.values) + i}" for i in range(outputs)]
        node = helper.make_node(op, inputs, names, name=f"{op}_{len(self._nodes)}", **attributes)
        given = dict.fromkeys(name for name in inputs if name)
        try:
            model = self._model([node], [], list(given), names)
            results = session_of(model).run(None, {})
        except Exception:  # whatever ONNX Runtime has against it
            return False
        arrays = [np.asarray(result) for result in results]
        if any(a.size > _MOST_ELEMENTS or not a.size or a.ndim > 5 or not _is_moderate(a) for a in arrays):
            return False
        exact = not rounds and all(self.values[name].exact for name in given)
        self._nodes.append(node)
        for name, array in zip(names, arrays, strict=True):
            self.values[name] = Value(array, exact or array.dtype.kind != "f")
        return True

    def model(self) -> onnx.ModelProto:
        """The graph; what nothing reads is its result."""
        read = {name for node in self._nodes for name in node.input}
        made = [name for node in self._nodes for name in node.output]
        return self._model(self._nodes, self._inputs, self._constants, [name for name in made if name not in read])

    def feeds(self) -> dict[str, Array]:
        """Values of the inputs."""
        return {name: np.asarray(self.values[name].array) for name in self._inputs}

    def _model(
        self, nodes: Sequence[onnx.NodeProto], inputs: Sequence[str], constants: Sequence[str], results: Sequence[str]
    ) -> onnx.ModelProto:
        declared = [self._declared(name) for name in inputs]
        stored = [numpy_helper.from_array(self.values[name].array, name) for name in constants]
        outputs = [self._declared(name) for name in results]
        graph = helper.make_graph(nodes, "grown", declared, outputs, stored)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def _declared(self, name: str) -> onnx.ValueInfoProto:
        if name not in self.values:
            return onnx.ValueInfoProto(name=name)
        kind = helper.np_dtype_to_tensor_dtype(self.values[name].array.dtype)
        return helper.make_tensor_value_info(name, kind, self.shape(name))


Proposal = Callable[[Growing], bool]


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """ONNX Runtime as it is, without optimizations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _is_moderate(array: Array) -> bool:
    return array.dtype.kind != "f" or bool((np.isfinite(array) & (np.abs(array) < _LARGEST)).all())
