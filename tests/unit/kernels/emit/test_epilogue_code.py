"""Kernels that are taken to be equal before they are written are equal, and those with other code are told apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quantune_mlir.kernels.emit.executable import Body, Library, Signature
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module
from quantune_mlir.pipeline.driver import run_named_pipeline
from tests.unit.kernels.convolutions import NAMED
from tests.unit.kernels.depthwise_layers import Layer, module_of
from tests.unit.kernels.tosa import Graph

REQUANTIZED = """
func.func @{name}(%x: tensor<1x6x6x{c}xi8>) -> tensor<1x6x6x{c}xi8> {{
  %w = "tosa.const"() <{{values = dense<{weight}> : tensor<{kernel}xi8>}}> : () -> tensor<{kernel}xi8>
  %b = "tosa.const"() <{{values = dense<7> : tensor<{c}xi32>}}> : () -> tensor<{c}xi32>
  %s = "tosa.const"() <{{values = dense<{scale}> : tensor<1x1x1x{c}xf32>}}> : () -> tensor<1x1x1x{c}xf32>
  %z = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
  %a = "tosa.{op}"(%x, %w, %b, %z, %z) {{pad = array<i64: 0, 0, 0, 0>, stride = array<i64: 1, 1>,
      dilation = array<i64: 1, 1>, acc_type = i32}} : (tensor<1x6x6x{c}xi8>, tensor<{kernel}xi8>, tensor<{c}xi32>,
      tensor<1xi8>, tensor<1xi8>) -> tensor<1x6x6x{c}xi32>
  %f = tosa.cast %a : (tensor<1x6x6x{c}xi32>) -> tensor<1x6x6x{c}xf32>
  %m = tosa.mul %f, %s, %z : (tensor<1x6x6x{c}xf32>, tensor<1x1x1x{c}xf32>, tensor<1xi8>) -> tensor<1x6x6x{c}xf32>
  %d = tosa.cast %m : (tensor<1x6x6x{c}xf32>) -> tensor<1x6x6x{c}xi8>
  return %d : tensor<1x6x6x{c}xi8>
}}
"""
"""What follows the sums depends on what they can be at most: after a large scale they are saturated before rounding."""
SCALED = """
func.func @{name}(%x: tensor<{shape}xf32>, %y: tensor<{shape}xf32>) -> tensor<{shape}xf32> {{
  %c = "tosa.const"() <{{values = dense<{scale}> : tensor<{numbers}xf32>}}> : () -> tensor<{numbers}xf32>
  %z = "tosa.const"() <{{values = dense<0> : tensor<1xi8>}}> : () -> tensor<1xi8>
  %a = tosa.{op} %x, %y : (tensor<{shape}xf32>, tensor<{shape}xf32>) -> tensor<{shape}xf32>
  %m = tosa.mul %a, %c, %z : (tensor<{shape}xf32>, tensor<{numbers}xf32>, tensor<1xi8>) -> tensor<{shape}xf32>
  return %m : tensor<{shape}xf32>
}}
"""


def elementwise() -> str:
    shapes = ("1x6x6x64", "1x1x1x1"), ("2x5x64", "1x1x1"), ("2x5x80", "1x1x80"), ("3x5x96", "1x1x96"), ("3x5", "1x1")
    return "\n".join(
        SCALED.format(name=f"{op}_{i}", shape=shape, numbers=numbers, scale=i + 0.5, op=op)
        for op in ("add", "sub")
        for i, (shape, numbers) in enumerate(shapes)
    )


def requantized() -> str:
    kernels = {"conv2d": "32x1x1x32", "depthwise_conv2d": "1x1x32x1"}
    numbers = [("1", "0.01"), ("100", "0.01"), ("1", "1.0e+5"), ("2", "0.02"), ("3", "2.0e+5")]
    return "\n".join(
        REQUANTIZED.format(name=f"{op}_{i}", c=32, op=op, kernel=kernel, weight=weight, scale=scale)
        for op, kernel in kernels.items()
        for i, (weight, scale) in enumerate(numbers)
    )


def convolutions() -> str:
    graph, rng = Graph(), np.random.default_rng(0)
    for convolution in [*NAMED.values(), *NAMED.values()]:
        convolution.write(graph, rng)
    return str(graph)


def depthwise() -> str:
    first = Layer(1, 9, 9, 40, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1), "i8")
    layers = [first, replace(first, ending="residual"), replace(first, ending="f32"), replace(first, element="f32")]
    return module_of([*layers, *(replace(layer, seed=1, zero_point=3) for layer in layers)])


@pytest.mark.parametrize("text", [elementwise, requantized, convolutions, depthwise])
@pytest.mark.parametrize("isa", ["avx512vnni", "avx2", "dotprod"])
def test_code_is_the_same_as_if_each_kernel_was_written(
    text: Callable[[], str], isa: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, keeps = 0, True
    dispatch = Library.dispatch

    def counted(
        self: Library, family: str, signature: Signature, body: Body, *rest: Any, specification: object = None
    ) -> ir.Value:
        def counting(*given: Any) -> None:
            nonlocal written
            written += 1
            body(*given)

        return dispatch(self, family, signature, counting, *rest, specification=specification if keeps else None)

    monkeypatch.setattr(Library, "dispatch", counted)
    specified, once = lowered(text(), isa), written
    written, keeps = 0, False
    assert specified == lowered(text(), isa)
    assert once < written


def lowered(text: str, isa: str) -> str:
    module = parse_module(text, make_context())
    run_named_pipeline(module, "kernels", {"isa": isa, "tiles": None, "target": None})
    return str(module)
