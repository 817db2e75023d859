"""What is wrong with a target is said, where LLVM goes on without it, or crashes."""

from __future__ import annotations

import pytest

from quantune_mlir.backend.compiler import compile_bytes
from quantune_mlir.errors import TargetError
from quantune_mlir.hardware.targets import load_target

SOURCE = b"""
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %y = tosa.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
"""


@pytest.mark.parametrize(
    ("key", "value"), [("triple", "quantune-unknown-elf"), ("cpu", "quantune"), ("features", "+avx2,+quantune")]
)
def test_what_llvm_does_not_know_is_named(key: str, value: str) -> None:
    target = load_target("x86-64-avx2").model_copy(update={key: value})
    with pytest.raises(TargetError, match=rf"target x86-64-avx2: {key}: LLVM knows no '[^']*quantune") as told:
        compile_bytes(SOURCE, target)
    assert told.value.remedy and f"`{key}`" in told.value.remedy
