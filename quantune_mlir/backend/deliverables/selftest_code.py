"""test_vector.h and selftest.c: runs whose results are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quantune_mlir.backend.deliverables.c_names import c_type
from quantune_mlir.backend.deliverables.model_code import ModelCode
from quantune_mlir.backend.deliverables.read_schedule import ALIGNMENT
from quantune_mlir.backend.deliverables.templates import filled
from quantune_mlir.backend.deliverables.weights_code import words_in_c


@dataclass(frozen=True)
class TestVector:
    """Inputs of a run, and the outputs that it should have."""

    __test__ = False  # pytest: this is no test

    inputs: Sequence[np.ndarray]
    outputs: Sequence[np.ndarray]


def test_vector_header(code: ModelCode, vectors: Sequence[TestVector]) -> str:
    """test_vector.h: the inputs of some runs, and the outputs that they should have. Each begins at a cache line."""
    count = len(code.schedule.inputs)
    text = f"/* Inputs of {code.name}, and the outputs that they should give, as 32-bit words. */\n"
    text += f"#define VECTORS {len(vectors)}\n"
    for i, name in enumerate(code.names):
        arrays = [[*vector.inputs, *vector.outputs][i] for vector in vectors]
        data = [np.ascontiguousarray(array).tobytes() for array in arrays]
        size = max(1, -(-len(data[0]) // ALIGNMENT)) * ALIGNMENT
        rows = ",\n".join(f"{{\n{words_in_c(each.ljust(size, bytes(1)))}\n}}" for each in data)
        kind = "input" if i < count else "expected"
        declared = f"static const {code.name.upper()}_ALIGNED uint32_t {kind}_{name}[VECTORS][{size // 4}]"
        text += f"\n{declared} = {{\n{rows}\n}};\n"
    return text


def selftest_source(code: ModelCode) -> str:
    """selftest.c."""
    count = len(code.schedule.inputs)
    named = list(zip(code.names, code.tensors, strict=True))
    macro = code.name.upper()
    outputs = [
        f"static {macro}_ALIGNED {c_type(tensor.dtype)} actual_{name}[{macro}_{name.upper()}_ELEMENTS];"
        for name, tensor in named[count:]
    ]
    compares = [
        f'  COMPARE({c_type(t.dtype)}, "{name}", expected_{name}[vector], actual_{name}, '
        f"{macro}_{name.upper()}_ELEMENTS);"
        for name, t in named[count:]
    ]
    arguments = [f"(const {c_type(t.dtype)} *)(const void *)input_{name}[vector]" for name, t in named[:count]]
    values = {
        "BUFFERS": "\n".join(outputs),
        "COMPARES": "\n".join(compares),
        "ARGUMENTS": ", ".join([*arguments, *(f"actual_{name}" for name in code.names[count:]), "arena"]),
    }
    return filled("selftest.c", code.common | values)
