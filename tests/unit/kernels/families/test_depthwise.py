"""Depthwise kernels of every instruction set of this machine compute what the definition says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.passes.kernels.fuse_kernels import FuseKernels
from quantune_mlir.passes.kernels.lower_kernels import LowerKernels
from tests.support import run_module
from tests.unit.kernels.depthwise_layers import Layer, module_of

_X86 = ["avx512vnni", "avxvnni", "avx2", "sse4"]
_ARM = ["i8mm", "dotprod", "armv8"]
_PORTABLE = ["generic", "rvv", "scalar"]


def runnable() -> list[str]:
    """The instruction sets that this machine has: its best one and those before it in time."""
    families = [family[family.index(host_isa()) :] for family in (_X86, _ARM) if host_isa() in family]
    return [name for name in (*(families[0] if families else []), *_PORTABLE) if name in ISAS]


def check(layers: list[Layer], isa: str) -> None:
    with make_context():
        module = ir.Module.parse(module_of(layers))
        FuseKernels().apply(module)
        LowerKernels(isa=isa).apply(module)  # pyright: ignore[reportArgumentType]
        assert "tosa.depthwise_conv2d" not in str(module)
        inputs = [layer.arrays()[name] for layer in layers for name in ("x", "r")]
        results = run_module(module, *inputs)
    for layer, actual in zip(layers, results, strict=True):
        expected = layer.expected()
        if layer.element == "i8":
            np.testing.assert_array_equal(actual, expected, str(layer))
        else:
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5, err_msg=str(layer))


def layer(element: str, height: int, width: int, channels: int, kernel: int = 3, **others: object) -> Layer:
    """A layer of one image, stride 1 and equal pads unless said."""
    pad = kernel // 2
    usual = {
        "batch": 1,
        "kernel": (kernel, kernel),
        "stride": (1, 1),
        "dilation": (1, 1),
        "pads": (pad, pad, pad, pad),
        "zero_point": 5 if element == "i8" else 0,
    }
    return Layer(height=height, width=width, channels=channels, element=element, **{**usual, **others})  # pyright: ignore


def cases(element: str) -> list[Layer]:
    """Where something ends: vectors, units, words, tiles, the image, the scratch."""
    return [
        layer(element, 1, 1, 16),
        layer(element, 3, 2, 64),
        layer(element, 7, 7, 72),
        layer(element, 9, 7, 16, batch=2),
        layer(element, 5, 11, 3, ending="residual"),
        layer(element, 6, 9, 48, ending="residual", zero_point=0),
        layer(element, 6, 5, 37, ending="f32"),
        layer(element, 9, 9, 33, 5, stride=(2, 2)),
        layer(element, 16, 16, 24, 7, stride=(3, 3), pads=(1, 2, 2, 1)),
        layer(element, 8, 12, 144, dilation=(2, 2), pads=(2, 2, 2, 2)),
        layer(element, 5, 20, 32, kernel=3, pads=(0, 0, 3, 1)),
        layer(element, 2, 700, 48),
        layer(element, 34, 61, 16),
        layer(element, 69, 91, 20, 5, stride=(2, 2), ending="residual"),
        layer(element, 3, 12, 1040),
        layer(element, 10, 10, 20, 1, stride=(3, 3)),
    ]


@st.composite
def layers(draw: st.DrawFn, element: str) -> Layer:
    kernel = draw(st.sampled_from([(3, 3), (5, 5), (1, 4), (7, 1), (2, 3), (1, 1)]))
    stride = draw(st.tuples(*[st.integers(1, 3)] * 2))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * 2))
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    before = [draw(st.integers(0, span)) for span in spans]
    after = [draw(st.integers(0, span)) for span in spans]
    outputs = [draw(st.integers(1, 9)), draw(st.integers(1, 19))]
    sizes = [(o - 1) * s + span + 1 for o, s, span in zip(outputs, stride, spans, strict=True)]
    pads = [min(b, size - 1) for b, size in zip(before, sizes, strict=True)]
    rest = [min(a, size - 1 - b) for a, size, b in zip(after, sizes, pads, strict=True)]
    return Layer(
        batch=draw(st.integers(1, 2)),
        height=sizes[0] - pads[0] - rest[0],
        width=sizes[1] - pads[1] - rest[1],
        channels=draw(st.sampled_from([1, 4, 15, 16, 17, 31, 32, 40, 64, 80, 130])),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pads=(pads[0], rest[0], pads[1], rest[1]),
        element="i8" if element == "i8" else "f32",
        ending=draw(st.sampled_from(["i8", "i8", "f32", "residual"])),
        zero_point=draw(st.integers(-128, 127)) if element == "i8" else 0,
        seed=draw(st.integers(0, 99)),
    )


@pytest.mark.parametrize("element", ["i8", "f32"])
@pytest.mark.parametrize("isa", runnable())
def test_edges(isa: str, element: str) -> None:
    check(cases(element), isa)


@pytest.mark.parametrize("element", ["i8", "f32"])
@pytest.mark.parametrize("isa", runnable())
@settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_shapes(isa: str, element: str, data: st.DataObject) -> None:
    check(data.draw(st.lists(layers(element), min_size=6, max_size=6)), isa)


def test_channel_multiplier_stays_tosa() -> None:
    shapes = "(tensor<1x4x4x8xf32>, tensor<3x3x8x2xf32>, tensor<16xf32>, tensor<1xf32>, tensor<1xf32>)"
    constants = {"w": ("3x3x8x2", 1.0), "b": ("16", 0.0), "z": ("1", 0.0)}
    text = "func.func @main(%x: tensor<1x4x4x8xf32>) -> tensor<1x4x4x16xf32> {\n"
    for name, (shape, value) in constants.items():
        kind = f"tensor<{shape}xf32>"
        text += f'%{name} = "tosa.const"() {{values = dense<{value}> : {kind}}} : () -> {kind}\n'
    text += (
        '%y = "tosa.depthwise_conv2d"(%x, %w, %b, %z, %z) {acc_type = f32, pad = array<i64: 1, 1, 1, 1>, '
        f"stride = array<i64: 1, 1>, dilation = array<i64: 1, 1>}} : {shapes} -> tensor<1x4x4x16xf32>\n"
        "return %y : tensor<1x4x4x16xf32>\n}"
    )
    with make_context():
        module = ir.Module.parse(text)
        FuseKernels().apply(module)
        LowerKernels(isa="avx2").apply(module)
        assert "tosa.depthwise_conv2d" in str(module)
