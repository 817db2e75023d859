"""Equalization leaves the fp32 function as it is, and makes ranges alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantune_mlir.files import resources
from quantune_mlir.graph.linear_ops import Product, match_product
from quantune_mlir.graph.network import Network
from quantune_mlir.graph.units import Kind, find_units
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.mlir.attributes import EXTREMES
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.numerics.channels import ChannelStatistics, exact_bins
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.equalize_ranges import EqualizeRanges
from quantune_mlir.pipeline.driver import run_pipeline
from tests.onnx_models import build_model
from tests.unit.integer.reference import evaluate_unit

Array = np.ndarray
IMAGE = np.random.default_rng(0).standard_normal((1, 3, 6, 6)).astype(np.float32)
BETWEEN = ("none", "relu", "relu6", "leaky", "pool", "pad", "relu and pool")
CHANNELS = 8


def chain(seed: int, between: list[str]) -> ir.Module:
    """A convolution, then, after each of `between`, by turns a depthwise and a plain one; channels far from alike."""
    rng = np.random.default_rng(seed)
    constants: dict[str, Array] = {"six": np.array(6, np.float32), "zero": np.array(0, np.float32)}
    nodes: list[onnx.NodeProto] = []
    value = "x"

    def emit(op: str, *inputs: str, **attributes: Any) -> None:
        nonlocal value
        name = f"{op}{len(nodes)}"
        nodes.append(onnx.helper.make_node(op, [value, *inputs], [name], name=name, **attributes))
        value = name

    def convolve(inputs: int, groups: int = 1) -> None:
        spread = np.exp(rng.normal(0, 1.5, (CHANNELS, 1, 1, 1)))
        weights = spread * rng.standard_normal((CHANNELS, inputs // groups, 3, 3)) / np.sqrt(9 * inputs / groups)
        number = len(constants)
        constants[f"w{number}"] = weights.astype(np.float32)
        constants[f"b{number}"] = rng.standard_normal(CHANNELS).astype(np.float32)
        emit("Conv", f"w{number}", f"b{number}", pads=[1, 1, 1, 1], group=groups)

    convolve(3)
    for index, name in enumerate(between):
        if "relu" in name:
            emit("Clip", "zero", "six") if name == "relu6" else emit("Relu")
        if "leaky" in name:
            emit("LeakyRelu", alpha=0.1)
        if "pool" in name:
            emit("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        if "pad" in name:
            constants["pads"] = np.array([0, 0, 1, 0, 0, 0, 0, 1])
            emit("Pad", "pads")
        convolve(CHANNELS, CHANNELS if index % 2 == 0 else 1)
    module = import_onnx(build_model(nodes, {"x": IMAGE}, constants, [value]))
    run_pipeline(module, resources.pipeline_text("simplify"))
    return module


def values_of(module: ir.Module) -> dict[ir.Value, Array]:
    """Every activation, in double precision."""
    function = main_function(module)
    units = find_units(entry_block(function))
    values: dict[ir.Value, Array] = {entry_block(function).arguments[0]: IMAGE.astype(np.float64)}
    for unit in units:
        values[unit.output] = evaluate_unit(unit, values)
    return values


def profile_of(module: ir.Module, values: Mapping[ir.Value, Array]) -> Profile:
    channels: dict[str, ChannelStatistics] = {}
    for value, name in Network.of(module).channel_tensors.items():
        rows = values[value].astype(np.float32).reshape(-1, values[value].shape[-1])
        channels[name] = ChannelStatistics(len(rows), exact_bins(rows.sum(axis=0)), rows.min(axis=0), rows.max(axis=0))
    return Profile("", 1, {}, channels)


def result_of(module: ir.Module, values: Mapping[ir.Value, Array]) -> Array:
    *_, terminator = entry_block(main_function(module)).operations
    return values[terminator.operands[0]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=4))
def test_the_function_stays_the_same(seed: int, between: list[str]) -> None:
    module = chain(seed, between)
    before = values_of(module)
    expected, profile = result_of(module, before), profile_of(module, before)
    assert len(Network.of(module).scalable_ranges) == len(between)
    run_pipeline(module, [EqualizeRanges(profile, everywhere=True)])
    after = values_of(module)
    result = result_of(module, after)
    assert np.abs(result - expected).max() <= 1e-5 * np.abs(expected).max()
    for value, array in after.items():
        if not isinstance(value, ir.BlockArgument) and EXTREMES in value.owner.operation.attributes:
            extremes = list(ir.DenseF32ArrayAttr(value.owner.operation.attributes[EXTREMES]))
            np.testing.assert_allclose(extremes, [array.min(), array.max()], rtol=1e-4, atol=1e-5)


def test_equalizing_again_changes_little() -> None:
    module = chain(3, ["relu6", "relu6"])
    run_pipeline(module, [EqualizeRanges(profile_of(module, values_of(module)), everywhere=True)])
    expected = result_of(module, values_of(module))
    ranges = [product.magnitudes.of_outputs() for product in products(module)]
    run_pipeline(module, [EqualizeRanges(profile_of(module, values_of(module)), everywhere=True)])
    np.testing.assert_allclose(result_of(module, values_of(module)), expected, rtol=1e-4, atol=1e-5)
    for before, product in zip(ranges, products(module), strict=True):
        np.testing.assert_allclose(product.magnitudes.of_outputs(), before, rtol=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_ranges_of_the_weights_become_alike(seed: int) -> None:
    module = chain(seed, ["relu6", "relu6"])
    before = spreads(module)
    run_pipeline(module, [EqualizeRanges(profile_of(module, values_of(module)), everywhere=True)])
    after = spreads(module)
    assert after[1] < before[1]
    assert np.prod(after) < 0.5 * np.prod(before)


def products(module: ir.Module) -> list[Product]:
    units = find_units(entry_block(main_function(module)))
    return [product for unit in units if unit.kind is Kind.DOT and (product := match_product(unit.op))]


def spreads(module: ir.Module) -> list[float]:
    ranges = [product.magnitudes.of_outputs() for product in products(module)]
    return [float(r.max() / r.min()) for r in ranges]
