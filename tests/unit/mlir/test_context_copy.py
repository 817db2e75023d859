"""A copy of a module in its own context has the same constants, the large ones in the same memory."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.constants import CONST, constant, constant_value
from quantune_mlir.mlir.context_copy import in_own_context
from quantune_mlir.mlir.function import main_function, ops_named
from quantune_mlir.mlir.text import module_bytecode, module_text, parse_module

LARGE = np.random.default_rng(3).standard_normal((64, 1024)).astype(np.float32)
BYTES = np.arange(1 << 16, dtype=np.int8).reshape(256, 256)
ALIKE = np.full((300, 300), 2.5, np.float32)
SMALL = np.array([1.5, -2.0], np.float32)
BOOLS = np.arange(1 << 17) % 3 == 0
ARRAYS = [LARGE, SMALL, ALIKE, BYTES, BOOLS]


def module_of_constants() -> ir.Module:
    module = ir.Module.parse("func.func @main() { return }", make_context())
    with module.context, ir.Location.file("network.onnx", 1, 1), ir.InsertionPoint.at_block_begin(_block(module)):
        for array in ARRAYS:
            constant(array)
    return module


def _block(module: ir.Module) -> ir.Block:
    return main_function(module).regions[0].blocks[0]


def values(module: ir.Module) -> list[np.ndarray]:
    found = [constant_value(op.result) for op in ops_named(main_function(module), CONST)]
    return [value for value in found if value is not None]


def same(found: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(found, ARRAYS, strict=True))


def test_the_original_stays_as_it_is() -> None:
    module = module_of_constants()
    before = module_text(module, debug_info=True)
    copy = in_own_context(module)
    assert copy.context != module.context
    assert module_text(module, debug_info=True) == before


def test_large_constants_are_the_same_memory_and_outlive_the_original() -> None:
    module = module_of_constants()
    copy = in_own_context(module)
    shared = [np.shares_memory(a, b) for a, b in zip(values(module), values(copy), strict=True)]
    assert shared == [True, False, False, True, False]
    del module
    gc.collect()
    assert same(values(copy))
    assert not any(value.flags.writeable for value in values(copy))


def test_a_copy_of_a_copy() -> None:
    copy = in_own_context(in_own_context(module_of_constants()))
    gc.collect()
    assert same(values(copy))


def test_bytecode_holds_what_was_lent() -> None:
    module = module_of_constants()
    read = parse_module(module_bytecode(in_own_context(module)), make_context())
    hexadecimal = LARGE.tobytes().hex().upper()
    assert hexadecimal in module_text(read) and hexadecimal in module_text(module)


def test_contexts_go_when_the_copy_goes() -> None:
    module = module_of_constants()
    copy = in_own_context(module)
    contexts = [weakref.ref(value) for value in values(copy)[:1]]
    del module, copy
    gc.collect()
    assert [context() for context in contexts] == [None]


def test_a_resource_that_nobody_lent_is_an_error() -> None:
    module = parse_module(module_bytecode(in_own_context(module_of_constants())), make_context())
    with pytest.raises(ModelError, match=r"cannot be read: dense_resource<lent_0> : tensor<64x1024xf32>"):
        values(module)
