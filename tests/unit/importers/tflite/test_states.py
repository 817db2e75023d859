"""Variables of TensorFlow Lite models as inputs and outputs, beside LiteRT's runs one after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.signature import result_specs
from quantune_mlir.model import Model
from tests.support import call, compile_module, load_program
from tests.tflite_models import Graph

ai_edge_litert = pytest.importorskip("ai_edge_litert.interpreter")
SHAPE = [1, 4]


def begin(graph: Graph, names: list[str], value: float) -> None:
    """What runs once before all else: each variable is assigned a value."""
    for name in names:
        handle = graph.op("VAR_HANDLE", [], f"{name}1", [], np.int32, sharedName=name)
        resource(graph, handle)
        first = graph.constant(f"first {name}", np.full(SHAPE, value, np.float32))
        graph.operator("ASSIGN_VARIABLE", [handle, first], [])


def resource(graph: Graph, number: int) -> None:
    from tests.tflite_models import schema

    graph.tensors[number].type = schema.TensorType.RESOURCE


def delay_line(path: Path, value: float = 0.0) -> Path:
    """y = x + 2 a + 4 b, where a is the x of the run before, and b that before; a is read again, assigned already."""
    graph = Graph()
    x = graph.input("x", SHAPE)
    graph.operator("CALL_ONCE", [], [], initSubgraphIndex=1)
    a, b = (graph.op("VAR_HANDLE", [], name, [], np.int32, sharedName=name) for name in ("a", "b"))
    for handle in (a, b):
        resource(graph, handle)
    held_a, held_b = (graph.op("READ_VARIABLE", [h], f"read {n}", SHAPE) for h, n in ((a, "a"), (b, "b")))
    graph.operator("ASSIGN_VARIABLE", [b, held_a], [])
    graph.operator("ASSIGN_VARIABLE", [a, x], [])
    again = graph.op("READ_VARIABLE", [a], "read a again", SHAPE)
    two, four = graph.constant("two", np.float32(2)), graph.constant("four", np.float32(4))
    doubled = graph.op("MUL", [held_a, two], "2a", SHAPE)
    fourfold = graph.op("MUL", [held_b, four], "4b", SHAPE)
    total = graph.op("ADD", [again, doubled], "x + 2a", SHAPE)
    y = graph.op("ADD", [total, fourfold], "y", SHAPE)
    graph.subgraph(begin, ["a", "b"], value)
    return graph.save(path, y, again)


def test_a_run_gives_the_next_what_variables_hold(tmp_path: Path) -> None:
    path = delay_line(tmp_path / "m.tflite")
    model = Model.load(path)
    assert [spec.name for spec in model.inputs] == ["x", "a", "b"]
    assert [name for name, *_ in result_specs(model.function)] == ["y", "read a again", "a:next", "b:next"]
    program = load_program(compile_module(model.module))
    stateful = ai_edge_litert.Interpreter(str(path))
    stateful.allocate_tensors()
    (x_at,), (y_at, _) = stateful.get_input_details(), stateful.get_output_details()
    state = [np.zeros(SHAPE, np.float32)] * 2
    for x in np.random.default_rng(0).integers(-8, 8, (5, *SHAPE)).astype(np.float32):
        stateful.set_tensor(x_at["index"], x)
        stateful.invoke()
        y, now, *state = call(program, "main", (x, *state))
        np.testing.assert_array_equal(now, x)
        np.testing.assert_array_equal(y, stateful.get_tensor(y_at["index"]))
    assert np.any(state[0] != 0) and np.any(state[0] != state[1])


def test_a_state_that_begins_with_other_values_is_refused(tmp_path: Path) -> None:
    path = delay_line(tmp_path / "m.tflite", 0.5)
    with pytest.raises(ModelError, match="the state 'a' does not begin with zeros"):
        Model.load(path)


def test_a_variable_that_is_none_is_a_broken_file(tmp_path: Path) -> None:
    graph = Graph()
    x = graph.input("x", SHAPE)
    path = graph.save(tmp_path / "m.tflite", graph.op("READ_VARIABLE", [x], "y", SHAPE))
    with pytest.raises(ModelError, match="READ_VARIABLE of no variable"):
        Model.load(path)
