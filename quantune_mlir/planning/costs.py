"""What each precision of each layer costs: time and bytes, and the price of changing precision between layers.

A value that is read in one precision only costs nothing extra: the op that makes it stores it in that precision. A
value that is read in both is converted once more, in a pass over the tensor of its own, unless those that want the
other form are element-wise: these convert as they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True)
class LayerCost:
    """What a layer costs in each precision: its fusion group's time, if it starts one, and its weights."""

    int8: Cost
    fp32: Cost


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
        conversion: time of a pass that changes its precision.
    """

    producer: str
    readers: tuple[Reader, ...]
    conversion: float


@dataclass(frozen=True)
class CostModel:
    """Additive costs of a network.

    Attributes:
        layers: those whose precision is a choice; whatever else the streams name is fp32.
        streams: values between layers.
        fixed: what costs the same under any plan.
        unit: of all times.
    """

    layers: Mapping[str, LayerCost]
    streams: Sequence[Stream]
    fixed: Cost
    unit: TimeUnit

    def total(self, fp32: Iterable[str]) -> Cost:
        """The cost of the network with these layers in fp32 and the others in int8."""
        return Ledger(self, fp32).total

    @staticmethod
    def by_macs(layers: Mapping[str, int]) -> CostModel:
        """A model that knows nothing but multiply-accumulates: four in int8 take as long as one in fp32."""
        costs = {name: LayerCost(Cost(macs, macs), Cost(4.0 * macs, 4.0 * macs)) for name, macs in layers.items()}
        return CostModel(costs, (), Cost(), "MACs")


class Ledger:
    """The cost of a network while layers move from int8 to fp32, one by one."""

    def __init__(self, costs: CostModel, fp32: Iterable[str] = ()) -> None:
        """Start with these layers in fp32 and the others in int8."""
        self._costs = costs
        self._streams: dict[str, list[Stream]] = {}
        for stream in costs.streams:
            for name in {stream.producer, *(reader.layer for reader in stream.readers)}:
                self._streams.setdefault(name, []).append(stream)
        self._int8 = dict.fromkeys(costs.layers)
        self.total = costs.fixed
        for layer in costs.layers.values():
            self.total += layer.int8
        self.total += Cost(sum(self._conversion(stream) for stream in costs.streams))
        for name in fp32:
            self.to_fp32(name)

    def in_int8(self, name: str) -> bool:
        """Whether a layer is int8 at present."""
        return name in self._int8

    def price(self, name: str) -> Cost:
        """What moving an int8 layer to fp32 would add to the total, changed boundaries included."""
        before = self._conversions_at(name)
        del self._int8[name]
        after = self._conversions_at(name)
        self._int8[name] = None
        layer = self._costs.layers[name]
        return layer.fp32 - layer.int8 + Cost(after - before)

    def to_fp32(self, name: str) -> None:
        """Move a layer to fp32; nothing happens if it is there, or never was in int8."""
        if name in self._int8:
            self.total += self.price(name)
            del self._int8[name]

    def neighbours(self, name: str) -> list[str]:
        """The int8 layers that share a stream with a layer, each once."""
        found: dict[str, None] = {}
        for stream in self._streams.get(name, ()):
            for other in (stream.producer, *(reader.layer for reader in stream.readers)):
                if other != name and other in self._int8:
                    found[other] = None
        return list(found)

    def _conversions_at(self, name: str) -> float:
        return sum(self._conversion(stream) for stream in self._streams.get(name, ()))

    def _conversion(self, stream: Stream) -> float:
        stored = stream.producer in self._int8
        same = any((reader.layer in self._int8) == stored for reader in stream.readers)
        other = any((reader.layer in self._int8) != stored and not reader.converts for reader in stream.readers)
        return stream.conversion if same and other else 0.0
