"""test_vector.h and selftest.c: a run whose results are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.backend.deliverables.c_names import c_type
from quantune_mlir.backend.deliverables.model_code import ModelCode
from quantune_mlir.backend.deliverables.templates import filled
from quantune_mlir.backend.deliverables.weights_code import words_in_c


def test_vector_header(code: ModelCode, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> str:
    """test_vector.h: the inputs of a run, and the outputs that it should have."""
    count = len(inputs)
    text = f"/* Inputs of {code.name}, and the outputs that they should give, as 32-bit words. */\n"
    for i, (name, array) in enumerate(zip(code.names, [*inputs, *outputs], strict=True)):
        data = np.ascontiguousarray(array).tobytes()
        words = words_in_c(data.ljust(-(-len(data) // 4) * 4, b"\0"))
        kind = "input" if i < count else "expected"
        text += f"\nstatic const {code.name.upper()}_ALIGNED uint32_t {kind}_{name}[] = {{\n{words}\n}};\n"
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
        f'  COMPARE({c_type(t.dtype)}, "{name}", expected_{name}, actual_{name}, {macro}_{name.upper()}_ELEMENTS);'
        for name, t in named[count:]
    ]
    arguments = [f"(const {c_type(t.dtype)} *)(const void *)input_{name}" for name, t in named[:count]]
    values = {
        "BUFFERS": "\n".join(outputs),
        "COMPARES": "\n".join(compares),
        "ARGUMENTS": ", ".join([*arguments, *(f"actual_{name}" for name in code.names[count:]), "arena"]),
    }
    return filled("selftest.c", code.common | values)
