"""Measures how many multiply-accumulates a second this core does when all operands are in registers.

    python -m tools.isa_peak [--seconds 1]

One loop for each instruction: twelve accumulators, which hides its latency on any core, so that only the number of
units that execute it counts. The kernels' GMAC/s are read against these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from quantune_mlir.backend.benchmark import measure, pinned, repeated
from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.host_isa import host_flags
from quantune_mlir.hardware.targets import load_target

ACCUMULATORS: Final = 12
STEPS: Final = 200_000
"""Turns of the loop in each call: some tenths of a millisecond."""

_VPDPBUSD: Final = """
        %next_$i = llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.$bits"(%old_$i, %a, %b)
            : ($acc, $operand, $operand) -> $acc"""
# One factor is the accumulator itself: a product of constants would be taken out of the loop.
_VPMADDWD: Final = """
        %words_$i = vector.bitcast %old_$i : $acc to $operand
        %pairs_$i = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%words_$i, %b) : ($operand, $operand) -> $acc
        %next_$i = arith.addi %old_$i, %pairs_$i : $acc"""
_FMA: Final = """
        %next_$i = vector.fma %a, %b, %old_$i : $acc"""

_MODULE: Final = Template(
    """#layout = #hal.pipeline.layout<bindings = [
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer>]>
module {
  hal.executable.source private @loop {
    hal.executable.export public @run ordinal(0) layout(#layout) count(%device: !hal.device) -> (index, index, index) {
      %one = arith.constant 1 : index
      hal.return %one, %one, %one : index, index, index
    }
    builtin.module {
      func.func @run() {
        %zero = arith.constant 0 : index
        %one = arith.constant 1 : index
        %steps = arith.constant $steps : index
        %factors = hal.interface.binding.subspan layout(#layout) binding(0) : memref<2x$lanes>
        %sums = hal.interface.binding.subspan layout(#layout) binding(1) : memref<${count}x$sum_lanes>
        %a = vector.load %factors[%zero, %zero] : memref<2x$lanes>, $operand
        %b = vector.load %factors[%one, %zero] : memref<2x$lanes>, $operand
        $loads
        %done:$count = scf.for %step = %zero to %steps step %one iter_args($carried) -> ($types) {$body
          scf.yield $yielded : $types
        }
        $stores
        return
      }
    }
  }
  func.func @main(%factors: tensor<2x$lanes>, %sums: tensor<${count}x$sum_lanes>) -> tensor<${count}x$sum_lanes> {
    %result = flow.dispatch @loop::@run(%factors, %sums)
        : (tensor<2x$lanes>, tensor<${count}x$sum_lanes>) -> %sums
    return %result : tensor<${count}x$sum_lanes>
  }
}
"""
)


def _elements(lanes: str) -> int:
    return int(lanes.partition("x")[0])


def _dtype(lanes: str) -> np.dtype:
    return np.dtype({"i8": "int8", "i16": "int16", "i32": "int32", "f32": "float32"}[lanes.partition("x")[2]])


@dataclass(frozen=True)
class Instruction:
    """What one loop repeats.

    Attributes:
        name: of the instruction and its operands.
        feature: what Linux calls the CPU feature it needs.
        body: MLIR of the step of one accumulator: from %old_$i, %a, %b to %next_$i.
        lanes: elements and type of a factor.
        sum_lanes: elements and type of an accumulator.
        macs: multiply-accumulates of one step of one accumulator.
        target: what it is compiled for: with AVX-VNNI, LLVM makes one instruction of vpmaddwd and vpaddd.
    """

    name: str
    feature: str
    body: str
    lanes: str
    sum_lanes: str
    macs: int
    target: str = "host"

    def module(self, steps: int = STEPS) -> str:
        """MLIR whose @main, of factors and sums, gives the sums after `steps` steps."""
        numbers = range(ACCUMULATORS)
        acc, operand = f"vector<{self.sum_lanes}>", f"vector<{self.lanes}>"
        sums = f"memref<{ACCUMULATORS}x{self.sum_lanes}>"
        body = Template(self.body)
        bits = self.macs * 8
        return _MODULE.substitute(
            steps=steps,
            count=ACCUMULATORS,
            lanes=self.lanes,
            sum_lanes=self.sum_lanes,
            operand=operand,
            loads="\n        ".join(
                f"%row_{i} = arith.constant {i} : index\n"
                f"        %first_{i} = vector.load %sums[%row_{i}, %zero] : {sums}, {acc}"
                for i in numbers
            ),
            carried=", ".join(f"%old_{i} = %first_{i}" for i in numbers),
            types=", ".join([acc] * ACCUMULATORS),
            body="".join(body.substitute(i=i, acc=acc, operand=operand, bits=bits) for i in numbers),
            yielded=", ".join(f"%next_{i}" for i in numbers),
            stores="\n        ".join(
                f"vector.store %done#{i}, %sums[%row_{i}, %zero] : {sums}, {acc}" for i in numbers
            ),
        )

    def operands(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Factors that are all 1, and sums that differ from each other: equal ones would be computed once."""
        factors = np.ones((2, _elements(self.lanes)), _dtype(self.lanes))
        sums = np.arange(ACCUMULATORS * _elements(self.sum_lanes)).reshape(ACCUMULATORS, -1)
        return factors, sums.astype(_dtype(self.sum_lanes))


INSTRUCTIONS: Final = (
    Instruction("vpdpbusd_zmm", "avx512_vnni", _VPDPBUSD, "64xi8", "16xi32", 64),
    Instruction("vpdpbusd_ymm", "avx512_vnni", _VPDPBUSD, "32xi8", "8xi32", 32),
    Instruction("vpmaddwd_ymm", "avx2", _VPMADDWD, "16xi16", "8xi32", 16, "x86-64-avx2"),
    Instruction("fma_zmm", "avx512f", _FMA, "16xf32", "16xf32", 16),
    Instruction("fma_ymm", "fma", _FMA, "8xf32", "8xf32", 8, "x86-64-avx2"),
)


def peak_call(name: str) -> tuple[Callable[[], None], int]:
    """The loop of an instruction that this core has, and the multiply-accumulates of a call."""
    instruction = next(one for one in INSTRUCTIONS if one.name == name)
    program = Program(compile_bytes(instruction.module().encode(), load_target(instruction.target)))
    return program.bound(*instruction.operands()), instruction.macs * ACCUMULATORS * STEPS


def measured_peaks(seconds: float = 1.0) -> dict[str, float]:
    """GMAC/s of this core by instruction, of those that it has: the best of interleaved rounds.

    Args:
        seconds: about how long to measure.
    """
    features = host_flags()
    calls = {one.name: peak_call(one.name) for one in INSTRUCTIONS if one.feature in features}
    with pinned(1):
        times = measure({name: repeated(call) for name, (call, _) in calls.items()}, seconds=seconds)
    return {name: calls[name][1] / float(elapsed.min()) / 1e9 for name, elapsed in times.items()}


def print_peaks(peaks: Mapping[str, float]) -> None:
    """The table."""
    table = Table(title="Register-only peak", title_justify="left")
    table.add_column("instruction")
    table.add_column("GMAC/s", justify="right")
    for name, peak in peaks.items():
        table.add_row(name, f"{peak:.1f}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="about how long to measure (default: 1)")
    peaks = measured_peaks(parser.parse_args().seconds)
    if not peaks:
        sys.exit("this CPU has none of the instructions: " + ", ".join(one.name for one in INSTRUCTIONS))
    print_peaks(peaks)


if __name__ == "__main__":
    main()
