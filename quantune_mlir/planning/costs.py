"""What each format of each layer costs: time and bytes, and the price of changing formats between layers.

A value that is read in one format only costs nothing extra: the op that makes it stores it in that format. For each
other one in which it is read as well it is converted once more, in a pass over the tensor of its own, unless those that
want it are element-wise: these convert as they read. Formats whose activations are alike are one here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from quantune_mlir.numerics.formats import FP32, INT8, IntegerRange, NumberFormat

TimeUnit = Literal["µs", "cycles", "MACs"]
"""MACs where nothing else is known."""


@dataclass(frozen=True)
class Cost:
    """Time of one inference, in the unit of its model, and bytes of constants."""

    time: float = 0.0
    size: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.time + other.time, self.size + other.size)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.time - other.time, self.size - other.size)


LayerCost = Mapping[NumberFormat, Cost]
"""What a layer costs in each format: its fusion group's time, if it starts one, and its weights."""


@dataclass(frozen=True)
class Reader:
    """A layer that reads a stream, and whether it could convert what it reads on the way."""

    layer: str
    converts: bool


@dataclass(frozen=True)
class Stream:
    """A value between layers.

    Attributes:
        producer: the layer that makes it, or the name of a graph input.
        readers: the layers that read it.
        conversion: time of a pass that changes its format.
    """

    producer: str
    readers: tuple[Reader, ...]
    conversion: float


@dataclass(frozen=True)
class CostModel:
    """Additive costs of a network.

    Attributes:
        layers: those whose format is a choice; whatever else the streams name is fp32.
        streams: values between layers.
        fixed: what costs the same under any plan.
        unit: of all times.
    """

    layers: Mapping[str, LayerCost]
    streams: Sequence[Stream]
    fixed: Cost
    unit: TimeUnit

    def total(self, formats: Mapping[str, NumberFormat]) -> Cost:
        """The cost of the network with its layers in these formats."""
        ledger = Ledger(self)
        for name, format_ in formats.items():
            ledger.move(name, format_)
        return ledger.total

    @staticmethod
    def by_macs(layers: Mapping[str, int], formats: Sequence[NumberFormat] = (INT8, FP32)) -> CostModel:
        """A model that knows nothing but multiply-accumulates: four in int8 take as long as one in fp32."""
        costs = {
            name: {format_: Cost(_relative_time(format_) * macs, format_.weight_bytes * macs) for format_ in formats}
            for name, macs in layers.items()
        }
        return CostModel(costs, (), Cost(), "MACs")


def _relative_time(format_: NumberFormat) -> float:
    """Of a multiply-accumulate, beside one of int8."""
    return 4.0 if format_.activations is None else format_.activations.bits / 8


_Forms = tuple[IntegerRange | None, frozenset[tuple[tuple[IntegerRange | None, bool], int]]]
"""In which form a stream is stored, and how often it is read in which, by what converts itself and what does not."""


class Ledger:
    """The cost of a network while layers move from format to format, one by one."""

    def __init__(self, costs: CostModel, start: NumberFormat = INT8, fp32: Iterable[str] = ()) -> None:
        """Start with these layers in fp32 and the others in one format."""
        self._costs = costs
        self._formats = dict.fromkeys(costs.layers, start)
        self._streams: dict[str, list[_StreamForms]] = {}
        streams = [_StreamForms(stream, self.format_of) for stream in costs.streams]
        for each in streams:
            for name in each.layers:
                self._streams.setdefault(name, []).append(each)
        self.total = costs.fixed
        for layer in costs.layers.values():
            self.total += layer[start]
        self.total += Cost(sum(each.conversions() for each in streams))
        for name in fp32:
            self.move(name)

    def format_of(self, name: str) -> NumberFormat:
        """The format that a layer has at present."""
        return self._formats.get(name, FP32)

    def price(self, name: str, format_: NumberFormat = FP32) -> Cost:
        """What moving a layer to a format would add to the total, changed boundaries included."""
        before, old = self._conversions_at(name), self._formats[name]
        self._change(name, format_)
        after = self._conversions_at(name)
        self._change(name, old)
        layer = self._costs.layers[name]
        return layer[format_] - layer[old] + Cost(after - before)

    def move(self, name: str, format_: NumberFormat = FP32) -> None:
        """Move a layer to a format; nothing happens if it is there, or is no choice."""
        if name in self._formats and self._formats[name] != format_:
            self.total += self.price(name, format_)
            self._change(name, format_)

    def unasked_neighbours(self, name: str, format_: NumberFormat) -> list[str]:
        """The integer layers that share a stream with a layer, each once, but those asked for before.

        As long as the forms of a stream stay what they were when this was asked for the same format, it changes no
        layer's price: one of a thousand readers may move without all the others being priced again.
        """
        found: dict[str, None] = {}
        for stream in self._streams.get(name, ()):
            for other in stream.unasked(format_):
                if other != name and self.format_of(other).is_integer:
                    found[other] = None
        return list(found)

    def _change(self, name: str, format_: NumberFormat) -> None:
        old = self._formats[name]
        self._formats[name] = format_
        for stream in self._streams.get(name, ()):
            stream.change(name, old.activations, format_.activations)

    def _conversions_at(self, name: str) -> float:
        return sum(stream.conversions() for stream in self._streams.get(name, ()))


class _StreamForms:
    """In which forms a stream is made and read, counted: a stream may have hundreds of readers."""

    def __init__(self, stream: Stream, format_of: Callable[[str], NumberFormat]) -> None:
        self._stream = stream
        self._stored = format_of(stream.producer).activations
        self._reads: dict[str, list[bool]] = {}
        for reader in stream.readers:
            self._reads.setdefault(reader.layer, []).append(reader.converts)
        self._counts = Counter((format_of(reader.layer).activations, reader.converts) for reader in stream.readers)
        self.layers = tuple(dict.fromkeys((stream.producer, *self._reads)))
        """The producer and the readers, each once."""
        self._most_reads = max(map(len, self._reads.values()), default=0)
        self._asked: dict[NumberFormat, _Forms] = {}

    def change(self, layer: str, old: IntegerRange | None, new: IntegerRange | None) -> None:
        """A layer of the stream changes its form."""
        if layer == self._stream.producer:
            self._stored = new
        for converts in self._reads.get(layer, ()):
            self._counts[old, converts] -= 1
            self._counts[new, converts] += 1

    def unasked(self, format_: NumberFormat) -> tuple[str, ...]:
        """Its layers; none if the last time that this was asked for a format its forms were what they are now."""
        forms = self._forms()
        if self._asked.get(format_) == forms:
            return ()
        self._asked[format_] = forms
        return self.layers

    def _forms(self) -> _Forms:
        """What the price of a layer follows from: how it is stored and read, and in which forms by one layer only."""
        most = self._most_reads + 1
        return self._stored, frozenset((key, min(count, most)) for key, count in self._counts.items() if count)

    def conversions(self) -> float:
        """The time of the passes that change the format."""
        read = [key for key, count in self._counts.items() if count]
        if all(form != self._stored for form, _ in read):
            return self._stream.conversion * max(0, len({form for form, _ in read}) - 1)
        return self._stream.conversion * len({form for form, converts in read if form != self._stored and not converts})
