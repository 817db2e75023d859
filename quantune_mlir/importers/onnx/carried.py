"""What a Loop carries from round to round, and how often it goes round.

Exporters of Keras write recurrences as Loops that count by themselves, and hand their weights from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx

from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.stored import stored_array

MOST_COUNTED: Final = 65_536
"""Rounds of a loop; whether more would end is not asked."""
Known = Callable[[str], np.ndarray | None]
"""The value of a name, if it is a constant."""


@dataclass(frozen=True)
class Carried:
    """The states of a Loop by what its body does to them.

    Attributes:
        body: of the loop.
        states: before the first round.
        unchanged: positions of those that each round hands on as they are.
        steps: by position of a whole number what each round adds to it.
    """

    body: onnx.GraphProto
    states: Sequence[Tensor]
    unchanged: frozenset[int]
    steps: dict[int, int]

    @classmethod
    def of(cls, body: onnx.GraphProto, states: Sequence[Tensor], known: Known) -> Carried:
        """`known` knows of constants outside."""
        known = _inside(body, known)
        makers = {output: node for node in body.node for output in node.output}
        given = [value.name for value in body.input[2:]]
        unchanged, steps = set[int](), dict[int, int]()
        for i, (state, after) in enumerate(zip(states, body.output[1:], strict=False)):
            source = _through_identities(after.name, makers)
            maker = makers.get(source)
            if source == given[i]:
                unchanged.add(i)
            elif state.array is not None and state.array.dtype.kind == "i" and state.size == 1 and maker is not None:
                step = _added(maker, given[i], known)
                if step is not None:
                    steps[i] = step
        return cls(body, states, frozenset(unchanged), steps)

    def live(self, i: int) -> bool:
        """Whether a state is one that has to be carried."""
        return i not in self.unchanged and i not in self.steps

    def after(self, i: int, rounds: int) -> Tensor:
        """A state that need not be carried, after so many rounds."""
        state = self.states[i]
        if i in self.unchanged:
            return state
        return Tensor.constant((state.known + rounds * self.steps[i]).astype(state.dtype))

    def rounds(self, most: int | None, known: Known) -> int | None:
        """How often it goes round; None if that depends on values, or nothing but them ends it."""
        known = _inside(self.body, known)
        numbers = self.body.input[0].name, self.body.input[1].name
        names = dict(zip((value.name for value in self.body.input[2:]), range(len(self.states)), strict=True))
        nodes, leaves = _needed(self.body, self.body.output[0].name)
        fixed: dict[str, np.ndarray] = {numbers[1]: np.array(True)}
        for name in leaves - set(numbers):
            i = names.get(name)
            array = known(name) if i is None else self.states[i].array if i in self.unchanged else None
            if array is not None:
                fixed[name] = array
            elif i not in self.steps:
                return None
        try:
            return self._counted(most, nodes, leaves, fixed)
        except Exception:  # whatever the reference evaluator raises of operators that it has not
            return None

    def _counted(
        self, most: int | None, nodes: Sequence[onnx.NodeProto], leaves: set[str], fixed: dict[str, np.ndarray]
    ) -> int | None:
        """The rounds, counted with what is known of the leaves of the condition."""
        numbers = self.body.input[0].name
        names = dict(zip((value.name for value in self.body.input[2:]), range(len(self.states)), strict=True))
        counts = any(name in leaves for name in (numbers, *(n for n, i in names.items() if i in self.steps)))
        evaluate = _evaluator(nodes, leaves, self.body.output[0].name)
        if not counts:
            return most if bool(np.all(evaluate(fixed))) else 1
        for done in range(min(most or MOST_COUNTED, MOST_COUNTED)):
            moving = {name: self.after(i, done).known for name, i in names.items() if i in self.steps}
            if not np.all(evaluate(fixed | moving | {numbers: np.array(done, np.int64)})):
                return done + 1
        return most


def _inside(body: onnx.GraphProto, known: Known) -> Known:
    """What is known in a body: its own constants, too."""
    own = {tensor.name: tensor for tensor in body.initializer}
    return lambda name: stored_array(own[name]) if name in own else known(name)


def _through_identities(name: str, makers: dict[str, onnx.NodeProto]) -> str:
    while name in makers and makers[name].op_type == "Identity":
        name = makers[name].input[0]
    return name


def _added(node: onnx.NodeProto, name: str, known: Known) -> int | None:
    """What a node adds to the value of that name, if it is a constant."""
    if node.op_type != "Add" or name not in node.input:
        return None
    (other,) = [each for each in node.input if each != name] or [name]
    array = known(other)
    return int(array.reshape(-1)[0]) if array is not None and array.size == 1 else None


def _needed(body: onnx.GraphProto, name: str) -> tuple[list[onnx.NodeProto], set[str]]:
    """The nodes that compute a value, in order, and what they read that none of the body's nodes makes."""
    needed, nodes = {name}, list[onnx.NodeProto]()
    for node in reversed(body.node):
        if needed.intersection(node.output):
            nodes.insert(0, node)
            needed.update(each for each in node.input if each)
    made = {output for node in nodes for output in node.output}
    return nodes, needed - made


def _evaluator(
    nodes: Sequence[onnx.NodeProto], leaves: set[str], name: str
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    if not nodes:
        return lambda values: values[name]
    from onnx.reference import ReferenceEvaluator  # slow to import, and few models need it

    inputs = [onnx.ValueInfoProto(name=leaf) for leaf in sorted(leaves)]
    graph = onnx.helper.make_graph(list(nodes), "condition", inputs, [onnx.ValueInfoProto(name=name)])
    session = ReferenceEvaluator(onnx.helper.make_model(graph))
    return lambda values: np.asarray(next(iter(session.run(None, {leaf: values[leaf] for leaf in leaves}))))
