"""quantune-pool-constants.

In:  dispatches that read constants.
Out: dispatches that read parts of one constant, or of a few where there are hundreds.

     %a = tosa.const ...              %all = arith.constant dense_resource<...> : tensor<SIZExi8>
     %b = tosa.const ...      ->      %c = flow.tensor.slice %all [FIRST for BYTES]
     flow.dispatch ...(%a, %b)        flow.dispatch ...(%c, %d)

A part costs nothing: IREE hands a dispatch the range of memory, of which the kernel knows the type. To IREE each
constant is a global, and the time of its passes grows with the square of their number. What is large or all alike is no
part: the former would be in memory twice, and the latter IREE need not store. Large integers become resources, too: of
others IREE looks at each element, in two dozen passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from quantune_mlir.mlir.bindings import arith, flow, ir
from quantune_mlir.mlir.constants import CONST, constant_value, lend_constant, tensor_type
from quantune_mlir.mlir.edit import users
from quantune_mlir.mlir.function import functions, ops_named
from quantune_mlir.pipeline.base import Pass

_ALIGNMENT: Final = 64
_MOST_BYTES: Final = 1 << 18
_MOST_PARTS: Final = 256
"""Of one constant: the time of IREE's passes grows with the square of them, too."""
_INTEGERS: Final = frozenset(map(np.dtype, (np.int8, np.int16, np.int32)))
_POOLED: Final = _INTEGERS | {np.dtype(np.float32)}
_NAME: Final = "quantune_constants"
_LARGE_NAME: Final = "quantune_integers"


@dataclass(frozen=True)
class PoolConstants(Pass):
    """Keep the constants of dispatches in one."""

    name: ClassVar[str] = "quantune-pool-constants"

    def apply(self, module: ir.Module) -> None:
        _lend_large(module)
        pools: list[bytearray] = []
        places: dict[bytes, tuple[int, int]] = {}
        found: list[tuple[ir.Operation, int, int, int]] = []
        for op, array in _constants(module, _is_pooled):
            data = array.tobytes()
            if data not in places:
                if len(places) % _MOST_PARTS == 0:
                    pools.append(bytearray())
                pools[-1] += bytes(-len(pools[-1]) % _ALIGNMENT)
                places[data] = len(pools) - 1, len(pools[-1])
                pools[-1] += data
            found.append((op, *places[data], len(data)))
        places.clear()
        with module.context, ir.Location.unknown():
            kinds = [tensor_type([len(pool)], np.int8) for pool in pools]
            values = [
                lend_constant(np.frombuffer(pool, np.int8), f"{_NAME}_{number}", kind)
                for number, (pool, kind) in enumerate(zip(pools, kinds, strict=True))
            ]
            wholes: dict[tuple[ir.Block, int], ir.Value] = {}
            parts: dict[tuple[ir.Block, int, int], ir.Value] = {}
            for op, pool, first, size in found:
                if (op.block, pool) not in wholes:
                    with ir.InsertionPoint.at_block_begin(op.block):
                        wholes[op.block, pool] = arith.ConstantOp(kinds[pool], values[pool]).result
                if (op.block, pool, first) not in parts:
                    with ir.InsertionPoint(op):
                        parts[op.block, pool, first] = _part(wholes[op.block, pool], first, size)
                op.results[0].replace_all_uses_with(parts[op.block, pool, first])
                op.erase()


def _lend_large(module: ir.Module) -> None:
    lent: dict[ir.Attribute, ir.Attribute] = {}
    for op, array in _constants(module, _is_large):
        values, kind = op.attributes["values"], op.results[0].type
        if values not in lent:  # A copy: the context's own memory would keep the context alive.
            lent[values] = lend_constant(array.copy(), f"{_LARGE_NAME}_{len(lent)}", kind)
        op.attributes["values"] = lent[values]


def _constants(
    module: ir.Module, wanted: Callable[[ir.Operation, np.ndarray], bool]
) -> Iterator[tuple[ir.Operation, np.ndarray]]:
    for function in functions(module):
        for op in list(ops_named(function, CONST)):
            array = constant_value(op.results[0])
            if array is not None and 0 not in array.strides and wanted(op, array):
                yield op, array


def _is_large(op: ir.Operation, array: np.ndarray) -> bool:
    return array.dtype in _INTEGERS and array.nbytes > _MOST_BYTES


def _is_pooled(op: ir.Operation, array: np.ndarray) -> bool:
    if array.dtype not in _POOLED or array.nbytes > _MOST_BYTES:
        return False
    return all(user.name == flow.DispatchOp.OPERATION_NAME for user in users(op.results[0]))


def _part(whole: ir.Value, first: int, size: int) -> ir.Value:
    """So many bytes of a constant, at the current point."""
    start, length = (arith.ConstantOp(ir.IndexType.get(), number).result for number in (first, size))
    return flow.TensorSliceOp(tensor_type([size], np.int8), whole, [], [start], [length], []).result
