"""TOSA written op by op, run with our kernels and without."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from quantune_mlir.backend.compiler import compile_module
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.isa.by_name import ISAS
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.passes.kernels.fuse_kernels import FuseKernels
from quantune_mlir.passes.kernels.lower_kernels import LowerKernels
from quantune_mlir.passes.simplify.remove_dead_code import RemoveDeadCode

_ELEMENTS = {"int8": "i8", "int32": "i32", "float32": "f32"}

BY_LANES = list({isa.lanes: name for name, isa in reversed(ISAS.items())}.values())
"""An instruction set for each vector length: kernels without dot products use no more of it than that."""


@dataclass(frozen=True)
class Value:
    """A tensor of the program."""

    name: str
    shape: tuple[int, ...]
    element: str

    @property
    def type(self) -> str:
        """As MLIR writes it."""
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{self.element}>"


@dataclass
class Text:
    """A function @main that grows."""

    inputs: list[Value] = field(default_factory=list)
    results: list[Value] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _count: int = 0

    def input(self, shape: Sequence[int], element: str) -> Value:
        """One more argument."""
        value = self._value(shape, element)
        self.inputs.append(value)
        return value

    def constant(self, array: np.ndarray) -> Value:
        """A tosa.const."""
        value = self._value(array.shape, _ELEMENTS[array.dtype.name])
        literal = f'dense<"0x{np.ascontiguousarray(array).tobytes().hex().upper()}">'
        self._lines.append(
            f'{value.name} = "tosa.const"() <{{values = {literal} : {value.type}}}> : () -> {value.type}'
        )
        return value

    def op(
        self, name: str, operands: Sequence[Value], shape: Sequence[int], element: str, attributes: str = ""
    ) -> Value:
        """tosa.<name> of `operands`."""
        value = self._value(shape, element)
        names, types = (", ".join(parts) for parts in zip(*((o.name, o.type) for o in operands), strict=True))
        properties = f" <{{{attributes}}}>" if attributes else ""
        self._lines.append(f'{value.name} = "tosa.{name}"({names}){properties} : ({types}) -> {value.type}')
        return value

    def like(self, name: str, *operands: Value, element: str | None = None, attributes: str = "") -> Value:
        """An op whose result has the shape of its first operand."""
        return self.op(name, operands, operands[0].shape, element or operands[0].element, attributes)

    def mul(self, a: Value, b: Value) -> Value:
        """a * b."""
        return self.like("mul", a, b, self.constant(np.zeros(1, np.int8)))

    def number(self, value: float, like: Value) -> Value:
        """An f32 of one element that broadcasts to `like`."""
        return self.constant(np.full((1,) * len(like.shape), value, np.float32))

    def slice(self, source: Value, start: Sequence[int], size: Sequence[int]) -> Value:
        """A part of `source`."""
        return self._shaped("slice", source, [self._sizes(start), self._sizes(size)], size)

    def pad(self, source: Value, amounts: Sequence[int], filler: float) -> Value:
        """`source` with more around it: `amounts` are before and behind of each axis."""
        number = self.constant(np.array([filler], np.int8 if source.element == "i8" else np.float32))
        shape = [size + sum(amounts[2 * i : 2 * i + 2]) for i, size in enumerate(source.shape)]
        return self._shaped("pad", source, [self._sizes(amounts), (number.name, number.type)], shape)

    def pad_channels(self, source: Value, before: int, after: int, filler: float) -> Value:
        """`source` with more channels."""
        return self.pad(source, [0] * (2 * len(source.shape) - 2) + [before, after], filler)

    def resize(self, source: Value, mode: str, lists: Sequence[Sequence[int]], size: Sequence[int]) -> Value:
        """`source` with `size` rows and columns; `lists` are scale, offset and border."""
        element = "i32" if (mode, source.element) == ("BILINEAR", "i8") else source.element
        shape = (source.shape[0], *size, source.shape[3])
        attributes = f"mode = #tosa.resize_mode<{mode}>"
        return self._shaped("resize", source, [self._sizes(numbers) for numbers in lists], shape, element, attributes)

    def _sizes(self, numbers: Sequence[int]) -> tuple[str, str]:
        """A tosa.const_shape and its type."""
        self._count += 1
        name, kind = f"%s{self._count}", f"!tosa.shape<{len(numbers)}>"
        literal = f"dense<{list(numbers)}> : tensor<{len(numbers)}xindex>"
        self._lines.append(f'{name} = "tosa.const_shape"() <{{values = {literal}}}> : () -> {kind}')
        return name, kind

    def _shaped(
        self,
        name: str,
        source: Value,
        others: list[tuple[str, str]],
        shape: Sequence[int],
        element: str | None = None,
        attributes: str = "",
    ) -> Value:
        value = self._value(shape, element or source.element)
        names, kinds = (", ".join(parts) for parts in zip(*others, strict=True))
        properties = f" <{{{attributes}}}>" if attributes else ""
        types = f"({source.type}, {kinds})"
        self._lines.append(
            f'{value.name} = "tosa.{name}"({source.name}, {names}){properties} : {types} -> {value.type}'
        )
        return value

    def rescale(self, source: Value, ratio: float | np.ndarray, input_zp: int, output_zp: int, element: str) -> Value:
        """tosa.rescale with a multiplier of 31 bits, one or one for each channel."""
        mantissa, exponent = np.frexp(np.atleast_1d(np.asarray(ratio, np.float64)))
        of_input, of_output = (np.int8 if name == "i8" else np.int32 for name in (source.element, element))
        operands = [
            self.constant(np.minimum(np.round(mantissa * 2.0**31), 2**31 - 1).astype(np.int32)),
            self.constant((31 - exponent).astype(np.int8)),
            self.constant(np.array([input_zp], of_input)),
            self.constant(np.array([output_zp], of_output)),
        ]
        per_channel = "true" if mantissa.size > 1 else "false"
        attributes = (
            "scale32 = true, rounding_mode = #tosa.rounding_mode<SINGLE_ROUND>, "
            f"per_channel = {per_channel}, input_unsigned = false, output_unsigned = false"
        )
        return self.like("rescale", source, *operands, element=element, attributes=attributes)

    def __str__(self) -> str:
        arguments = ", ".join(f"{x.name}: {x.type}" for x in self.inputs)
        types = ", ".join(x.type for x in self.results)
        names = ", ".join(x.name for x in self.results)
        body = "\n".join(f"  {line}" for line in self._lines)
        return f"func.func @main({arguments}) -> ({types}) {{\n{body}\n  return {names} : {types}\n}}\n"

    def samples(self, seed: int = 0) -> list[np.ndarray]:
        """Inputs: every i8, f32 of a few units."""
        rng = np.random.default_rng(seed)
        return [
            rng.integers(-128, 128, x.shape).astype(np.int8)
            if x.element == "i8"
            else (rng.standard_normal(x.shape) * 3).astype(np.float32)
            for x in self.inputs
        ]

    def _value(self, shape: Sequence[int], element: str) -> Value:
        self._count += 1
        return Value(f"%v{self._count}", tuple(shape), element)


def run(text: Text, isa: str | None, *samples: np.ndarray) -> list[np.ndarray]:
    """The results of @main, of these samples or its own; with the kernels of `isa`, or as IREE compiles it."""
    with make_context():
        module = ir.Module.parse(str(text))
        if isa is not None:
            lower(module, isa)
        program = Program(compile_module(module, load_target("host")))
    return program(*(samples or text.samples()))


def lower(module: ir.Module, isa: str) -> None:
    """Fuse and lower to kernels."""
    FuseKernels().apply(module)
    LowerKernels(isa=isa).apply(module)  # pyright: ignore[reportArgumentType]
    RemoveDeadCode().apply(module)


def leftovers(text: Text, isa: str) -> list[str]:
    """The TOSA ops that no kernel computes; constants apart."""
    with make_context():
        module = ir.Module.parse(str(text))
        lower(module, isa)
        names = re.findall(r"(?<!!)tosa\.\w+", str(module))
    return sorted({name for name in names if not name.startswith("tosa.const")})


def assert_equal(found: Sequence[np.ndarray], expected: Sequence[np.ndarray], *, exact: bool = True) -> None:
    """i8 equal, or but for a few that were rounded from a fused multiply-add; f32 within 1e-5."""
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if a.dtype == np.float32:
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(b).max())))
        elif exact:
            np.testing.assert_array_equal(a, b)
        else:
            difference = np.abs(a.astype(int) - b)
            assert difference.max() <= 1
            assert np.count_nonzero(difference) <= max(1, a.size // 1000)
