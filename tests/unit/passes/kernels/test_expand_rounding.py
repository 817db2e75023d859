"""Rounding by adding and truncating gives what the casts that it replaces give."""

from __future__ import annotations

import numpy as np

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import func, ir, make_context
from quantune_mlir.mlir.constants import element_type, tensor_type
from quantune_mlir.mlir.tosa import build
from quantune_mlir.passes.kernels.expand_rounding import ExpandRounding
from quantune_mlir.pipeline.driver import run_pipeline


def rounding(size: int, *, expand: bool) -> ir.Module:
    """@main rounds an f32 tensor to i8, and takes the integers back to f32."""
    with make_context(), ir.Location.unknown():
        module = ir.Module.create()
        f32, i8 = tensor_type([size], np.float32), element_type(np.int8)
        with ir.InsertionPoint(module.body):

            @func.FuncOp.from_py_func(f32, name="main")
            def main(x: ir.Value) -> tuple[ir.Value, ir.Value]:
                integers = build.cast(x, i8)
                return integers, build.cast(integers, f32.element_type)

        if expand:
            run_pipeline(module, [ExpandRounding()])
        return module


def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    halves = np.arange(-260, 261, dtype=np.float32) / 2
    beside = [np.nextafter(halves, np.float32(bound)) for bound in (-np.inf, np.inf)]
    extremes = np.array([-0.0, 1e-45, -1e-45, 1e9, -1e9, np.inf, -np.inf, np.finfo(np.float32).max], np.float32)
    return np.concatenate([halves, *beside, extremes, rng.normal(0, 60, 999).astype(np.float32)])


def test_halves_go_to_even_and_what_is_beyond_saturates() -> None:
    x = values()
    integers, back = Program(compile_module(rounding(x.size, expand=True), load_target("host")))(x)
    expected = np.clip(np.rint(x), -128, 127)
    np.testing.assert_array_equal(integers, expected.astype(np.int8))
    np.testing.assert_array_equal(back, expected)


def test_it_is_what_the_casts_give() -> None:
    x = values()
    expanded, casts = (
        Program(compile_module(rounding(x.size, expand=expand), load_target("host")))(x) for expand in (True, False)
    )
    for ours, theirs in zip(expanded, casts, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_no_cast_between_f32_and_i8_is_left() -> None:
    assert "tosa.cast" not in str(rounding(4, expand=True))
