"""Programs with executables of their own."""

from __future__ import annotations

from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.text import parse_module


def executable(name: str, operation: str, others: str = "") -> str:
    """An executable that changes four numbers by means of a helper of the same name in each."""
    return f"""
hal.executable.source private @{name} {{
  hal.executable.export public @{name} ordinal(0) layout(#layout) count(%d: !hal.device) -> (index, index, index) {{
    %one = arith.constant 1 : index
    hal.return %one, %one, %one : index, index, index
  }}
  builtin.module {{
    func.func private @changed(%x: vector<4xf32>) -> vector<4xf32> {{
      %y = arith.{operation} %x, %x : vector<4xf32>
      return %y : vector<4xf32>
    }}
    func.func @{name}() {{
      %zero = arith.constant 0 : index
      %in = hal.interface.binding.subspan layout(#layout) binding(0) alignment(64) offset(%zero) : memref<4xf32>
      %out = hal.interface.binding.subspan layout(#layout) binding(1) alignment(64) offset(%zero) : memref<4xf32>
      %x = vector.load %in[%zero] : memref<4xf32>, vector<4xf32>
      %y = func.call @changed(%x) : (vector<4xf32>) -> vector<4xf32>
      vector.store %y, %out[%zero] : memref<4xf32>, vector<4xf32>
      {others}
      return
    }}
  }}
}}
"""


def program(names: tuple[str, str], others: str = "", operations: tuple[str, str] = ("addf", "mulf")) -> ir.Module:
    """x changed by one operation, then by another."""
    first, second = names
    return parse_module(
        f"""
#layout = #hal.pipeline.layout<bindings = [
  #hal.pipeline.binding<storage_buffer, ReadOnly>, #hal.pipeline.binding<storage_buffer>]>
{executable(first, operations[0])}
{executable(second, operations[1], others)}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {{
  %0 = flow.dispatch @{first}::@{first}(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = flow.dispatch @{second}::@{second}(%0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}}
""",
        make_context(),
    )
