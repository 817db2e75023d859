"""Random planning problems: layers with noise, costs and shared values."""

from __future__ import annotations

from hypothesis import strategies as st

from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.costs import Cost, CostModel, LayerCost, Reader, Stream
from quantune_mlir.planning.front import Problem
from quantune_mlir.planning.noise_model import NoiseModel
from quantune_mlir.planning.sensitivity import LayerSensitivity


def layer(index: int, noise: float) -> LayerSensitivity:
    return LayerSensitivity(
        name=f"layer{index}",
        op="Conv",
        index=index,
        quantizable=True,
        macs=1,
        weight_bytes=0,
        elements=1,
        output_normalized_mse=noise,
        alone_normalized_mse=noise,
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    count = draw(st.integers(1, 8))
    numbers = st.integers(0, 50).map(float)
    layers = [layer(i, draw(st.integers(0, 100)) / 1000) for i in range(count)]
    costs: dict[str, LayerCost] = {}
    for each in layers:
        time, size = draw(numbers), draw(numbers)
        costs[each.name] = {INT8: Cost(time, size), FP32: Cost(time + draw(st.integers(-5, 50)), 4 * size)}
    streams: list[Stream] = []
    for i in range(count):
        readers = draw(st.lists(st.sampled_from(range(count)), unique=True, min_size=0, max_size=3))
        later = tuple(Reader(f"layer{j}", draw(st.booleans())) for j in readers if j > i)
        if later:
            streams.append(Stream(f"layer{i}", later, float(draw(st.integers(0, 20)))))
    order = draw(st.permutations(layers))
    rounding = draw(st.integers(0, 10)) / 1000
    return Problem(order, NoiseModel.additive(order, rounding), CostModel(costs, streams, Cost(3.0, 1.0), "cycles"))
