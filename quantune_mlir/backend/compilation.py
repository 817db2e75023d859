"""From a TOSA module to a program with our kernels."""

from __future__ import annotations

from pathlib import Path

from quantune_mlir.backend.compile_cache import cache_in_use, digest
from quantune_mlir.backend.compiler import (
    KnownProgram,
    Source,
    compile_module,
    compiler_key,
    known_program,
    program_kernels,
)
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.files import resources
from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.hardware.targets import Target
from quantune_mlir.kernels.emit.receiver import Receiver
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.context_copy import in_own_context
from quantune_mlir.mlir.text import module_bytecode
from quantune_mlir.pipeline.driver import run_named_pipeline


def compile_program(
    module: ir.Module,
    target: Target,
    *,
    kernels: bool = True,
    tiles: TunedTiles | None = None,
    compiling: Compiling = untold,
) -> bytes:
    """The .vmfb of `module`, which stays as it is.

    Args:
        module: TOSA of any precision; observers lowered.
        target: what to compile for.
        kernels: compute with our kernels what they can compute; without, IREE compiles the TOSA as it is.
        tiles: what to use instead of the model's tiles.
        compiling: is told how far it is.

    Raises:
        CompileError: IREE refuses the module.
        TilesError: the tiles are for another instruction set.
    """
    if not kernels:
        return compile_module(module, target)
    return program_source(in_own_context(module), target, tiles).compile(compiling)


def program_source(module: ir.Module, target: Target, tiles: TunedTiles | None = None) -> Source | KnownProgram:
    """What the program of a `module` that is needed no more is compiled from, with kernels. See `compile_program`."""
    made_from = program_key(module, target, tiles) if cache_in_use() else ""
    known = known_program(made_from) if made_from else None
    if known is not None:
        return known
    kernels = program_kernels(target, module.context) if isa_of(target) is not None else None
    lower_to_kernels(module, target, tiles, kernels)
    return Source(module, target, kernels, made_from=made_from)


def program_key(module: ir.Module, target: Target, tiles: TunedTiles | None) -> str:
    """A key of a module before it is lowered, and of all that lowers and compiles it."""
    isa, chosen = isa_of(target) or "", "" if tiles is None else tiles.to_yaml()
    return digest("module", module_bytecode(module), compiler_key(target), resources.code_digest(), isa, chosen)


def with_kernels(module: ir.Module, target: Target, tiles: TunedTiles | None = None) -> ir.Module:
    """A copy of `module`, in a context of its own, that dispatches kernels if the target names an instruction set."""
    copy = in_own_context(module)
    lower_to_kernels(copy, target, tiles)
    return copy


def isa_of(target: Target) -> str | None:
    """The instruction set of a target's kernels; None if it has none."""
    return host_isa() if target.isa == "host" else target.isa


def load_tiles(path: Path | None, target: Target) -> TunedTiles | None:
    """The tiles in a file, which must be for the target. Raises TilesError, naming the file, if they are not."""
    if path is None:
        return None
    tiles = TunedTiles.load(path)
    tiles.require(isa_of(target) or "no instruction set")
    return tiles


def lower_to_kernels(
    module: ir.Module, target: Target, tiles: TunedTiles | None = None, receiver: Receiver | None = None
) -> None:
    """Let `module` dispatch kernels, where the target names an instruction set, or prepare it for bytecode.

    A `receiver` takes the code of the kernels, as soon as it is written.
    """
    isa = isa_of(target)
    if target.backend == "vmvx":
        run_named_pipeline(module, "bytecode", {})
    if isa is not None:
        run_named_pipeline(module, "kernels", {"isa": isa, "tiles": tiles, "target": target, "receiver": receiver})
