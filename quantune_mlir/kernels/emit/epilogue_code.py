"""The code of an epilogue alone, by which kernels are told apart before they are written.

What an epilogue does to a vector follows from its ops, and from bounds that weights and scales keep: a maximum that no
sum can exceed is no code. A kernel does the same to all its vectors, so one of them tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from quantune_mlir.kernels.emit import vector_builder as code
from quantune_mlir.kernels.emit.buffers import Buffers
from quantune_mlir.kernels.emit.epilogue import Epilogue, Place
from quantune_mlir.kernels.emit.executable import ANY_SIZE
from quantune_mlir.kernels.emit.rounding import Rounding
from quantune_mlir.mlir.bindings import func, ir
from quantune_mlir.mlir.text import module_bytecode


def epilogue_code(
    epilogue: Epilogue,
    accumulator: str | None,
    lanes: int,
    limit: float = inf,
    roundings: Sequence[Rounding | None] = (None,),
) -> bytes:
    """What `Epilogue.compute` writes for a vector: equal for two epilogues if they write the same for any.

    Args:
        epilogue: of a group.
        accumulator: the element type of the root's results, "i32" or "f32"; None if there is no root.
        lanes: the length of the vector.
        limit: what the accumulators do not exceed in magnitude.
        roundings: what the kernel computes it with, each in turn.
    """
    buffers = [code.memref_type(ANY_SIZE, name) for _, name in Buffers(epilogue).inputs]
    count, index = len(epilogue.channels), ir.IndexType.get()
    with ir.Location.unknown():
        kind, scalars = code.vector_type(lanes, accumulator or code.F32), [code.element("i32")] * len(epilogue.scalars)
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("epilogue", ([kind, index, index, *scalars, *buffers], []))
        with ir.InsertionPoint(function.add_entry_block()):
            vector, at, channel, *rest = function.arguments
            given, read = rest[: len(scalars)], rest[len(scalars) :]
            results: list[ir.Value] = []
            for rounding in roundings:
                bound = epilogue.bind(read[:count], given, read[count:], vector)
                sums = vector if accumulator else None
                results.append(epilogue.compute(sums, Place(at, channel, lanes), lanes, bound, limit, rounding))
            func.ReturnOp(results)
    return module_bytecode(module)
