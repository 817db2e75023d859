"""TOSA ops that move elements without computing any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quantune_mlir.importers.common.block_emitter import BlockEmitter, refuse_empty
from quantune_mlir.importers.common.tensor import Tensor
from quantune_mlir.mlir.tosa import build


class Movement(BlockEmitter):
    """Reshape, transpose, slice, pad, concat, tile, reverse, gather.

    A movement of constants gives a constant, gather apart, and so does an empty slice, since TOSA has no tensors
    without elements.
    """

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        shape = tuple(int(s) for s in shape)
        if shape == x.shape:
            return x
        if x.array is not None:
            return Tensor.constant(x.array.reshape(shape))
        return self._done(self._build(build.reshape, self.value(x), self._shape(shape)), x.dtype)

    def transpose(self, x: Tensor, perm: Sequence[int], *, layout: bool = False) -> Tensor:
        """Output axis i is input axis perm[i]. A `layout` transpose belongs to no layer and carries no label."""
        perm = [int(p) for p in perm]
        if perm == sorted(perm):
            return x
        if x.array is not None:
            return Tensor.constant(x.array.transpose(perm))
        return self._done(self._build(build.transpose, self.value(x), perm), x.dtype, layout=layout)

    def slice(self, x: Tensor, starts: Sequence[int], sizes: Sequence[int]) -> Tensor:
        sizes = tuple(int(s) for s in sizes)
        if sizes == x.shape:
            return x
        if x.array is not None:
            return Tensor.constant(x.array[tuple(slice(a, a + n) for a, n in zip(starts, sizes, strict=True))])
        if 0 in sizes:
            return Tensor.constant(np.zeros(sizes, x.dtype))
        return self._done(self._build(build.cut, self.value(x), self._shape(starts), self._shape(sizes)), x.dtype)

    def slice_axis(self, x: Tensor, axis: int, start: int, size: int) -> Tensor:
        starts, sizes = [0] * x.rank, list(x.shape)
        starts[axis], sizes[axis] = start, size
        return self.slice(x, starts, sizes)

    def pad(self, x: Tensor, before: Sequence[int], after: Sequence[int], value: float = 0) -> Tensor:
        """Pad with a constant by `before` and `after` (both >= 0) on each axis."""
        if not any(before) and not any(after):
            return x
        pairs = list(zip(before, after, strict=True))
        if x.array is not None:
            shape = [b + s + a for s, (b, a) in zip(x.shape, pairs, strict=True)]
            self.growth.take(shape, x.dtype)
            return Tensor.constant(np.pad(x.array, pairs, constant_values=value))
        source, amounts = self.value(x), self._shape([p for pair in pairs for p in pair])
        return self._done(self._build(build.pad, source, amounts, self.value(self.splat(value, x.dtype))), x.dtype)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        tensors = [t for t in tensors if t.shape[axis]] or tensors[:1]
        if len(tensors) == 1:
            return tensors[0]
        arrays = [t.array for t in tensors if t.array is not None]
        if len(arrays) == len(tensors):
            shape = list(tensors[0].shape)
            shape[axis] = sum(t.shape[axis] for t in tensors)
            self.growth.take(shape, tensors[0].dtype)
            return Tensor.constant(np.concatenate(arrays, axis))
        return self._done(self._build(build.concat, [self.value(t) for t in tensors], axis), tensors[0].dtype)

    def tile(self, x: Tensor, multiples: Sequence[int]) -> Tensor:
        if all(m == 1 for m in multiples):
            return x
        shape = [s * m for s, m in zip(x.shape, multiples, strict=True)]
        if x.array is not None:
            self.growth.take(shape, x.dtype)
            return Tensor.constant(np.tile(x.array, multiples))
        refuse_empty(shape)
        return self._done(self._build(build.tile, self.value(x), self._shape(multiples)), x.dtype)

    def reverse(self, x: Tensor, axis: int) -> Tensor:
        if x.shape[axis] == 1:
            return x
        if x.array is not None:
            return Tensor.constant(np.flip(x.array, axis))
        return self._done(self._build(build.reverse, self.value(x), axis), x.dtype)

    def broadcast_to(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Repeat dimensions of size one until `x` has `shape`, as NumPy does."""
        x = self.reshape(x, (1,) * (len(shape) - x.rank) + x.shape)
        return self.tile(x, [1 if have == want else want for have, want in zip(x.shape, shape, strict=True)])

    def gather_rows(self, x: Tensor, indices: Tensor) -> Tensor:
        """Rows of `x` [K, C] picked by int32 `indices` [W] in [0, K): a tensor [W, C]."""
        rows, columns = x.shape
        picked = indices.size
        values = self.reshape(x, (1, rows, columns))
        found = self._build(build.gather, self.value(values), self.value(self.reshape(indices, (1, picked))))
        return self.reshape(self._done(found, x.dtype), (picked, columns))
