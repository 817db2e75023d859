from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.backend.deliverables.read_schedule import read_schedule
from quantune_mlir.backend.deliverables.schedule import BufferView, BundleTensor, Copy, Dispatch, Fill, Schedule
from quantune_mlir.errors import CompileError
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import parse_module

FLOAT = np.dtype(np.float32)
EXECUTABLE = """
hal.executable private @code {
  hal.executable.variant public @static target(<"llvm-cpu", "static">) {
    hal.executable.export public @first ordinal(0) layout(#hal.pipeline.layout<bindings = [
      #hal.pipeline.binding<storage_buffer>]>) count(%device: !hal.device) -> (index, index, index) {
      %one = arith.constant 1 : index
      hal.return %one, %one, %one : index, index, index
    }
    hal.executable.export public @second ordinal(1) layout(#hal.pipeline.layout<constants = 1, bindings = [
      #hal.pipeline.binding<storage_buffer>, #hal.pipeline.binding<storage_buffer>]>)
      count(%device: !hal.device) -> (index, index, index) {
      %one = arith.constant 1 : index
      %three = arith.constant 3 : index
      hal.return %three, %one, %one : index, index, index
    }
  }
}
"""
CONSTANT = """
util.global private @weights : !stream.resource<constant>
util.initializer {
  %now = stream.timepoint.immediate => !stream.timepoint
  %zero = arith.constant 0 : index
  %size = arith.constant 16 : index
  %data = util.buffer.constant : !util.buffer = #util.composite<16xi8, [
    dense<[1, 2]> : tensor<2xi32>, dense<0> : vector<8xi8>]>
  %mapped, %constant = stream.resource.try_map %data[%zero] : !util.buffer -> i1, !stream.resource<constant>{%size}
  util.global.store %constant, @weights : !stream.resource<constant>
  util.return
}
"""


def read(main: str, *, inputs: int = 1, outputs: int = 1) -> Schedule:
    """The schedule of a @main whose inputs and outputs are all 4 floats."""
    sizes = "\n".join(f"%c{n} = arith.constant {n} : index" for n in (0, 8, 16, 32, 64, 128))
    text = EXECUTABLE + CONSTANT + main.replace("SIZES", sizes)
    tensors = [BundleTensor(f"t{i}", (4,), FLOAT) for i in range(inputs + outputs)]
    return read_schedule(parse_module(text, make_context()), tensors[:inputs], tensors[inputs:])


def test_commands_come_in_order_and_an_allocation_that_is_a_result_is_no_part_of_the_arena() -> None:
    schedule = read(
        """
        util.func public @main(%arg0: !hal.buffer_view) -> !hal.buffer_view {
          SIZES
          %pattern = arith.constant 1065353216 : i32
          %word = arith.constant -2 : i32
          %weights = util.global.load immutable @weights : !stream.resource<constant>
          %x = stream.tensor.import %arg0 : !hal.buffer_view -> tensor<4xf32> in !stream.resource<external>{%c16}
          %y, %t0 = stream.resource.alloca uninitialized : !stream.resource<external>{%c16} => !stream.timepoint
          %a, %t1 = stream.resource.alloca uninitialized : !stream.resource<transient>{%c32} => !stream.timepoint
          %t2 = stream.cmd.execute await(%t1) => with(%x as %px: !stream.resource<external>{%c16},
              %a as %pa: !stream.resource<transient>{%c32}) {
            stream.cmd.fill %pattern, %pa[%c0 for %c16] : i32 -> !stream.resource<transient>{%c32}
            stream.cmd.copy %px[%c0], %pa[%c16], %c16 : !stream.resource<external>{%c16} ->
              !stream.resource<transient>{%c32}
          } => !stream.timepoint
          %t3 = stream.cmd.execute await(%t2) => with(%weights as %pw: !stream.resource<constant>{%c16},
              %a as %pa: !stream.resource<transient>{%c32}, %y as %py: !stream.resource<external>{%c16}) {
            stream.cmd.concurrent {
              stream.cmd.dispatch @code::@static::@second(%word : i32) {
                ro %pw[%c8 for %c8] : !stream.resource<constant>{%c16},
                wo %py[%c0 for %c16] : !stream.resource<external>{%c16}
              }
            }
          } => !stream.timepoint
          %r = stream.timepoint.await %t3 => %y : !stream.resource<external>{%c16}
          %e = stream.tensor.export %r : tensor<4xf32> in !stream.resource<external>{%c16} -> !hal.buffer_view
          util.return %e : !hal.buffer_view
        }
        """
    )
    assert schedule.arena == 64
    assert schedule.functions == 2
    assert schedule.weights == (np.array([1, 2, 0, 0], np.int32).tobytes(),)
    assert schedule.commands == (
        Fill(BufferView("arena", 0, 0, 16), np.float32(1).tobytes()),
        Copy(BufferView("input", 0, 0, 16), BufferView("arena", 0, 16, 16)),
        Dispatch(
            "second",
            "second",
            1,
            (3, 1, 1),
            (0xFFFFFFFE,),
            (BufferView("weights", 0, 8, 8), BufferView("output", 0, 0, 16)),
        ),
    )


def test_results_that_share_an_allocation_are_copied_out_of_the_arena() -> None:
    schedule = read(
        """
        util.func public @main(%arg0: !hal.buffer_view) -> (!hal.buffer_view, !hal.buffer_view, !hal.buffer_view) {
          SIZES
          %byte = arith.constant 7 : i8
          %both, %t0 = stream.resource.alloca uninitialized : !stream.resource<external>{%c128} => !stream.timepoint
          %t1 = stream.cmd.execute await(%t0) => with(%both as %p: !stream.resource<external>{%c128}) {
            stream.cmd.fill %byte, %p[%c0 for %c128] : i8 -> !stream.resource<external>{%c128}
          } => !stream.timepoint
          %r = stream.timepoint.await %t1 => %both : !stream.resource<external>{%c128}
          %s = stream.resource.subview %r[%c64] : !stream.resource<external>{%c128} -> !stream.resource<external>{%c16}
          %u = stream.resource.subview %r[%c0] : !stream.resource<external>{%c128} -> !stream.resource<external>{%c16}
          %e = stream.tensor.export %s : tensor<4xf32> in !stream.resource<external>{%c16} -> !hal.buffer_view
          %f = stream.tensor.export %u : tensor<4xf32> in !stream.resource<external>{%c16} -> !hal.buffer_view
          util.return %e, %f, %arg0 : !hal.buffer_view, !hal.buffer_view, !hal.buffer_view
        }
        """,
        outputs=3,
    )
    assert schedule.arena == 128
    assert schedule.commands == (
        Fill(BufferView("arena", 0, 0, 128), b"\x07"),
        Copy(BufferView("arena", 0, 64, 16), BufferView("output", 0, 0, 16)),
        Copy(BufferView("arena", 0, 0, 16), BufferView("output", 1, 0, 16)),
        Copy(BufferView("input", 0, 0, 16), BufferView("output", 2, 0, 16)),
    )


def test_a_program_that_decides_as_it_runs_is_refused() -> None:
    with pytest.raises(CompileError, match="control flow, which C code without a runtime cannot do") as refused:
        read(
            """
            util.func public @main(%arg0: !hal.buffer_view) -> !hal.buffer_view {
              cf.br ^end
            ^end:
              util.return %arg0 : !hal.buffer_view
            }
            """
        )
    assert refused.value.remedy == "deliver it as --deliverable vmfb"


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(CompileError, match=r"has hal\.device\.resolve"):
        read(
            """
            util.func public @main(%arg0: !hal.buffer_view) -> !hal.buffer_view {
              %device = hal.device.resolve : !hal.device
              util.return %arg0 : !hal.buffer_view
            }
            """
        )
