"""Loop and Scan: rounds of a body, written out one after the other, or one tosa.while_loop (scanning.py).

Up to 16 rounds are written out, each of which has layers of its own. More are a loop, whose products are fp32, unless
its body cannot be one and they are at most 256.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from quantune_mlir.errors import UnsupportedNode
from quantune_mlir.importers.common.builder import Builder
from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.importers.onnx.bodies import (
    MOST_ROUNDS,
    bodies,
    captured,
    known_condition,
    known_rounds,
)
from quantune_mlir.importers.onnx.carried import MOST_COUNTED, Carried, Known
from quantune_mlir.importers.onnx.scanning import MOST_WRITTEN_OUT, Round, Scan, looped, merged, slices_of

Inline = Callable[
    [Builder, onnx.GraphProto, Sequence[Tensor | None], Mapping[str, Tensor]],
    list[Tensor | None],
]
"""The outputs of a body, given its inputs and what it reads of outside; None for what cannot be imported."""


@dataclass(frozen=True)
class Rounds:
    """Imports Loop and Scan nodes.

    Attributes:
        _inline: imports a body in place.
        _computed: of some names, the values that are computed at run time.
        _refused: the nodes that cannot be imported so far.
        _known: tells constants.
    """

    _inline: Inline
    _computed: Callable[[Iterable[str]], dict[str, Tensor]]
    _refused: list[UnsupportedNode]
    _known: Known

    def loop(
        self, builder: Builder, proto: onnx.NodeProto, name: str, inputs: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """The results of a Loop: what is carried, and what each round yields, stacked."""
        count, goes_on, *states = inputs
        body = next(bodies(proto))
        first = [state for state in states if state is not None]
        if (count is None or count.array is not None) and len(first) == len(states) and known_condition(goes_on):
            kept = Carried.of(body, first, self._known)
            most = None if count is None or count.array is None else int(count.array.reshape(()))
            rounds = kept.rounds(most, self._known)
            if rounds is not None:
                found = self._as_loop(rounds, lambda: self._long_loop(builder, proto, name, rounds, kept))
                if found is not None:
                    return found
        carried = list(states)
        yielded: list[list[Tensor | None]] = []
        for index in known_rounds(count):
            if not known_condition(goes_on):
                break
            given = [Tensor.constant(np.array(index, np.int64)), Tensor.constant(np.array(True)), *carried]
            goes_on, *rest = self._inline(builder, body, given, {})
            if None in (goes_on, *rest):
                return [None] * len(proto.output)
            carried = rest[: len(states)]
            yielded.append(rest[len(states) :])
        if not yielded:
            raise Unsupported("a loop without rounds")
        return [*carried, *self._stacked(builder, proto, name, list(zip(*yielded, strict=True)))]

    def _long_loop(
        self, builder: Builder, proto: onnx.NodeProto, name: str, rounds: int, kept: Carried
    ) -> list[Tensor | None]:
        """The results of a Loop of so many rounds, as a loop."""
        live = [state for i, state in enumerate(kept.states) if kept.live(i)]
        computed = [i for i in sorted(kept.unchanged) if kept.states[i].array is None]

        def given(inner: Builder, number: Tensor, states: list[Tensor], rows: Sequence[Tensor]) -> list[Tensor]:
            index = inner.reshape(inner.cast(number, np.int64), ())
            following, seen = iter(states), dict(zip(computed, rows, strict=True))
            found = [index, Tensor.constant(np.array(True))]
            for i, state in enumerate(kept.states):
                if i in kept.steps:
                    found.append(_counted(inner, number, state, kept.steps[i]))
                else:
                    found.append(next(following) if kept.live(i) else seen.get(i, state))
            return found

        body = onnx.GraphProto()
        body.CopyFrom(kept.body)
        del body.output[:]
        body.output.extend(
            value for i, value in enumerate(kept.body.output[1:]) if i >= len(kept.states) or kept.live(i)
        )
        rows = [kept.states[i] for i in computed]
        with builder.importing(name, proto.op_type):
            last, stacked = self._in_rounds(builder, proto, body, rounds, live, rows, given)
        following = iter(last)
        carried = [next(following) if kept.live(i) else kept.after(i, rounds) for i in range(len(kept.states))]
        return [*carried, *stacked]

    def scan(
        self, builder: Builder, proto: onnx.NodeProto, name: str, inputs: Sequence[Tensor | None], opset: int
    ) -> list[Tensor | None]:
        """The results of a Scan: what is carried, and what each round yields, stacked."""
        scan, body = Scan.of(proto, inputs, opset), next(bodies(proto))
        with builder.importing(name, proto.op_type):
            rows = scan.rows(builder)

        def given(inner: Builder, number: Tensor, states: list[Tensor], all_rows: Sequence[Tensor]) -> list[Tensor]:
            return [*states, *slices_of(inner, rows, number, all_rows[0])]

        def long() -> list[Tensor | None]:
            with builder.importing(name, proto.op_type):
                all_rows = [merged(builder, rows)]
                last, stacked = self._in_rounds(
                    builder, proto, body, scan.rounds, scan.states, all_rows, given, scan.turned
                )
                return [*last, *scan.placed(builder, stacked)]

        found = self._as_loop(scan.rounds, long)
        if found is not None:
            return found
        carried: list[Tensor | None] = [*scan.states]
        yielded: list[list[Tensor | None]] = []
        for index in range(scan.rounds):
            with builder.importing(name, proto.op_type):
                slices = [builder.reshape(builder.slice_axis(row, 0, index, 1), row.shape[1:]) for row in rows]
            results = self._inline(builder, body, [*carried, *slices], {})
            if None in results:
                return [None] * len(proto.output)
            carried = results[: len(carried)]
            yielded.append(results[len(carried) :])
        columns = [
            column[::-1] if turned else column
            for column, turned in zip(zip(*yielded, strict=True), scan.turned, strict=True)
        ]
        stacked = self._stacked(builder, proto, name, columns)
        with builder.importing(name, proto.op_type):
            return [*carried, *scan.placed(builder, stacked)]

    def _as_loop(self, rounds: int, make: Callable[[], list[Tensor | None]]) -> list[Tensor | None] | None:
        """What `make` builds; None if the rounds are few, or cannot be a loop but written out."""
        if rounds <= MOST_WRITTEN_OUT:
            return None
        if rounds > MOST_COUNTED:
            raise Unsupported(f"a loop of {rounds} rounds; up to {MOST_COUNTED} are supported")
        refused = len(self._refused)
        try:
            return make()
        except Unsupported:
            if rounds > MOST_ROUNDS:
                raise
            del self._refused[refused:]
            return None

    def _in_rounds(
        self,
        builder: Builder,
        proto: onnx.NodeProto,
        body: onnx.GraphProto,
        rounds: int,
        states: Sequence[Tensor],
        rows: Sequence[Tensor],
        given: Round,
        turned: Sequence[bool] = (),
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The last states of a loop, and what its rounds yield, stacked.

        `given` makes what the body takes of the round's number, the states and the rows.
        """
        computed = self._computed(captured(proto))

        def one_round(inner: Builder, number: Tensor, states: list[Tensor], unchanged: list[Tensor]) -> list[Tensor]:
            known = dict(zip(computed, unchanged[len(rows) :], strict=True))
            inputs = given(inner, number, states, unchanged[: len(rows)])
            results = self._inline(inner, body, inputs, known)
            made = [tensor for tensor in results if tensor is not None]
            if len(made) < len(results):
                raise Unsupported("nodes of its body cannot be imported")
            return made

        return looped(builder, rounds, states, [*rows, *computed.values()], one_round, turned)

    def _stacked(
        self, builder: Builder, proto: onnx.NodeProto, name: str, columns: Sequence[Sequence[Tensor | None]]
    ) -> list[Tensor]:
        """What rounds yielded, each with an axis of rounds before its own."""
        with builder.importing(name, proto.op_type):
            return [
                builder.concat([builder.reshape(row, (1, *row.shape)) for row in rows if row is not None], 0)
                for rows in columns
            ]


def _counted(b: Builder, number: Tensor, first: Tensor, step: int) -> Tensor:
    """A whole number that begins with `first`, and has grown by `step` in each round before this one."""
    grown = number if step == 1 else b.mul(number, Tensor.constant(np.array([step], np.int32)))
    start = first.known.reshape(1).astype(np.int32)
    found = b.add(grown, Tensor.constant(start)) if start[0] else grown
    return b.reshape(b.cast(found, first.dtype), first.shape)
