"""From kernels, which are vectors, loops and buffers, to LLVM's dialect and to machine code.

IREE would do it, too, but lets a hundred passes look for what kernels do not have; that takes as long as all the
rest. These are those of its passes that change a kernel, in its order; and LLVM's that make none quicker.
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
_NEEDLESS: Final = (
    *("aggressive-instcombine", "vector-combine", "slp-vectorizer", "float2int"),
    *("gvn", "sccp", "ipsccp", "called-value-propagation", "constraint-elimination", "correlated-propagation"),
    *("jump-threading", "dfa-jump-threading", "speculative-execution", "tailcallelim", "mergeicmps", "div-rem-pairs"),
    *("indvars", "loop-deletion", "loop-distribute", "loop-idiom", "loop-instsimplify", "loop-interchange"),
    *("loop-load-elim", "loop-simplifycfg", "loop-sink", "loop-unroll", "loop-unroll-full", "loop-vectorize"),
    *("simple-loop-unswitch", "adce", "bdce", "dse", "memcpyopt", "mldst-motion", "infer-alignment"),
    *("alignment-from-assumptions", "inject-tli-mappings", "libcalls-shrinkwrap", "lower-constant-intrinsics"),
    *("deadargelim", "globalopt", "constmerge", "function-attrs", "rpo-function-attrs", "inferattrs", "openmp-opt"),
    *("openmp-opt-cgscc", "elim-avail-extern", "recompute-globalsaa", "drop-unnecessary-assumes"),
)
"""Passes of LLVM that find nothing in vectors that fit registers, with each constant and product there once."""
_FOR_X86: Final = ("--opt-bisect-verbose=false", f"--opt-disable={','.join(_NEEDLESS)}", "--disable-post-ra")
_FOR_AVX512: Final = (*_FOR_X86, "--disable-lsr")
"""With 32 vector registers, kernels have no need of other addresses than a base, a scaled index and a displacement."""


def llvm_flags(variant: str, attribute: str) -> tuple[str, ...]:
    """What to tell iree-compile of LLVM: only on x86 were kernels timed without those passes.

    Args:
        variant: what IREE calls the kind of machine code.
        attribute: what IREE makes executables for, as text.
    """
    if not variant.endswith("x86_64"):
        return ()
    return _FOR_AVX512 if "+avx512f" in attribute else _FOR_X86


def lower_to_llvm(module: ir.Module) -> None:
    """Lower the code of the executables in `module`. Raises CompileError where that cannot be done."""
    passes = passmanager.PassManager.parse(PASSES, module.context)
    passes.enable_verifier(False)
    try:
        passes.run(module.operation)
    except ir.MLIRError as error:
        raise CompileError(f"kernels cannot be lowered:\n  {str(error)[:300]}") from error
