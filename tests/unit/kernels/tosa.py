"""A TOSA module beside what NumPy makes of it: each op is written and computed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

_ELEMENTS = {"int8": "i8", "int32": "i32", "float32": "f32"}


@dataclass
class Tensor:
    name: str
    value: np.ndarray
    factors: tuple[np.ndarray, np.ndarray] | None = None
    """What was multiplied, if it is a product of f32."""

    @property
    def type(self) -> str:
        sizes = "".join(f"{size}x" for size in self.value.shape)
        return f"tensor<{sizes}{_ELEMENTS[self.value.dtype.name]}>"


@dataclass
class Graph:
    """`fuses`: a product that a sum reads is not rounded, as a fused multiply-add does not."""

    fuses: bool = True
    inputs: list[Tensor] = field(default_factory=list)
    results: list[Tensor] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _count: int = 0

    def __str__(self) -> str:
        arguments = ", ".join(f"{x.name}: {x.type}" for x in self.inputs)
        types = ", ".join(x.type for x in self.results)
        names = ", ".join(x.name for x in self.results)
        body = "\n".join(f"  {line}" for line in self._lines)
        return f"func.func @main({arguments}) -> ({types}) {{\n{body}\n  return {names} : {types}\n}}\n"

    def input(self, value: np.ndarray) -> Tensor:
        tensor = self._tensor(value)
        self.inputs.append(tensor)
        return tensor

    def constant(self, value: np.ndarray) -> Tensor:
        tensor = self._tensor(value)
        literal = f'dense<"0x{np.ascontiguousarray(value).tobytes().hex().upper()}">'
        self._lines.append(
            f'{tensor.name} = "tosa.const"() <{{values = {literal} : {tensor.type}}}> : () -> {tensor.type}'
        )
        return tensor

    def shape(self, sizes: Sequence[int]) -> Tensor:
        tensor = self._tensor(np.array(sizes, np.int32))
        kind = f"!tosa.shape<{len(sizes)}>"
        self._lines.append(
            f'{tensor.name} = "tosa.const_shape"() <{{values = dense<{list(sizes)}> : tensor<{len(sizes)}xindex>}}>'
            f" : () -> {kind}"
        )
        return tensor

    def op(self, name: str, operands: Sequence[Tensor], value: np.ndarray, attributes: str = "") -> Tensor:
        tensor = self._tensor(value)
        names = ", ".join(x.name for x in operands)
        shaped = name == "slice"
        types = ", ".join(f"!tosa.shape<{x.value.size}>" if shaped and i else x.type for i, x in enumerate(operands))
        listed = f"<{{{attributes}}}> " if attributes else ""
        self._lines.append(f'{tensor.name} = "tosa.{name}"({names}) {listed}: ({types}) -> {tensor.type}')
        return tensor

    def slice(self, x: Tensor, start: Sequence[int], size: Sequence[int]) -> Tensor:
        region = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
        return self.op("slice", [x, self.shape(start), self.shape(size)], x.value[region])

    def cast(self, x: Tensor, dtype: type[np.generic]) -> Tensor:
        value = x.value
        if dtype is np.int8:
            value = np.clip(np.rint(value), -128, 127)
        return self.op("cast", [x], value.astype(dtype))

    def clamp(self, x: Tensor, low: float, high: float) -> Tensor:
        kind = _ELEMENTS[x.value.dtype.name]
        value = np.clip(x.value, np.array(low, x.value.dtype), np.array(high, x.value.dtype))
        return self.op("clamp", [x], value, f"min_val = {low} : {kind}, max_val = {high} : {kind}")

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        product, term = (a, b) if a.factors else (b, a)
        if product.factors and self.fuses:
            x, y = (factor.astype(np.float64) for factor in product.factors)
            return self.op("add", [a, b], (x * y + term.value).astype(np.float32))
        return self.op("add", [a, b], a.value + b.value)

    def sub(self, a: Tensor, b: Tensor) -> Tensor:
        return self.op("sub", [a, b], a.value - b.value)

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        result = self.op("mul", [a, b, self.constant(np.zeros(1, np.int8))], a.value * b.value)
        result.factors = (a.value, b.value)
        return result

    def rescale(self, x: Tensor, scale: np.ndarray, input_zp: int, output_zp: int, dtype: type[np.generic]) -> Tensor:
        """Multiplied by `scale`, of one element or one for each channel, as multiplier * 2^-shift."""
        fraction, exponent = np.frexp(scale)
        multiplier = np.minimum(np.rint(fraction * 2**31), 2**31 - 1).astype(np.int32)
        shift = (31 - exponent).astype(np.int8)
        product = (x.value.astype(np.int64) - input_zp) * multiplier
        value = (product + (1 << (shift.astype(np.int64) - 1)) >> shift.astype(np.int64)) + output_zp
        limits = np.iinfo(dtype)
        zero_points = [np.array([input_zp], x.value.dtype), np.array([output_zp], dtype)]
        return self.op(
            "rescale",
            [x, *(self.constant(c) for c in (multiplier, shift, *zero_points))],
            np.clip(value, limits.min, limits.max).astype(dtype),
            "scale32 = true, rounding_mode = #tosa.rounding_mode<SINGLE_ROUND>, "
            f"input_unsigned = false, output_unsigned = false, per_channel = {'true' if scale.size > 1 else 'false'}",
        )

    def _tensor(self, value: np.ndarray) -> Tensor:
        self._count += 1
        return Tensor(f"%v{self._count}", value)
