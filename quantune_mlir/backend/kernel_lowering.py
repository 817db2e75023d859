"""From kernels, which are vectors, loops and buffers, to LLVM's dialect.

IREE would do it, too, but lets a hundred passes look for what kernels do not have; that takes as long as all the
rest. These are those of its passes that change a kernel, in its order.
"""

from __future__ import annotations

from typing import Final

from quantune_mlir.errors import CompileError
from quantune_mlir.mlir.bindings import ir, passmanager

_OF_FUNCTIONS: Final = (
    "canonicalize",
    "cse",
    "iree-codegen-math-transform",
    "iree-codegen-hoist-statically-bound-allocations",
    "convert-scf-to-cf",
    "canonicalize",
    "cse",
)
_OF_MODULES: Final = (
    f"func.func({','.join(_OF_FUNCTIONS)})",
    "iree-convert-to-llvm{reassociateFpReductions=true}",
    "reconcile-unrealized-casts",
    "canonicalize",
    "cse",
    "llvm.func(iree-codegen-add-fast-math-flags)",
)
PASSES: Final = f"builtin.module(hal.executable(hal.executable.variant(builtin.module({','.join(_OF_MODULES)}))))"


def lower_to_llvm(module: ir.Module) -> None:
    """Lower the code of the executables in `module`. Raises CompileError where that cannot be done."""
    passes = passmanager.PassManager.parse(PASSES, module.context)
    passes.enable_verifier(False)
    try:
        passes.run(module.operation)
    except ir.MLIRError as error:
        raise CompileError(f"kernels cannot be lowered:\n  {str(error)[:300]}") from error
