from __future__ import annotations

import numpy as np

from quantune_mlir.backend.compilation import compile_program, with_kernels
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.constants import constant
from quantune_mlir.mlir.tosa import build
from tools.kernel_bench import layer_module
from tools.kernel_shapes import Layer


def test_a_table_after_a_depthwise_convolution_keeps_its_order() -> None:
    """Numbers of channels are reordered for the kernel, a table is not."""
    rng, target = np.random.default_rng(0), load_target("host")
    with make_context(), ir.Location.unknown():
        module = layer_module(Layer("table", 9, 300, 300, 3, depthwise=True), "int8")
        *_, end = module.body.operations[0].regions[0].blocks[0].operations
        with ir.InsertionPoint(end):
            table = constant(rng.integers(-128, 128, 256).astype(np.int8))
            end.operands[0] = build.table(end.operands[0], table)
        assert "tosa.table" not in str(with_kernels(module, target))
        programs = [Program(compile_program(module, target, kernels=kernels)) for kernels in (True, False)]
    x = rng.integers(-128, 128, (1, 9, 9, 300)).astype(np.int8)
    ours, plain = (program(x)[0] for program in programs)
    np.testing.assert_array_equal(ours, plain)
