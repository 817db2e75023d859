"""A module delivered as a folder instead of a .vmfb: a C bundle, or a static library for IREE's runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from quantune_mlir.backend.compilation import compile_program, lower_to_kernels
from quantune_mlir.backend.deliverable import DEFAULT_NAME, Folder
from quantune_mlir.backend.deliverables.bundle import bundle_files
from quantune_mlir.backend.deliverables.bundle_memory import require_memory
from quantune_mlir.backend.deliverables.c_names import check_name
from quantune_mlir.backend.deliverables.schedule import BundleTensor
from quantune_mlir.backend.deliverables.selftest_code import TestVector
from quantune_mlir.backend.deliverables.static_library import compile_for_iree, compile_static, static_target
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import Target, load_target
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.mlir.context_copy import in_own_context
from quantune_mlir.mlir.function import main_function
from quantune_mlir.mlir.qparams import boundary_params
from quantune_mlir.mlir.signature import argument_specs, result_specs
from quantune_mlir.numerics.parameters import quantize
from quantune_mlir.passes.simplify.locate_layers import LocateLayers

_SEED: Final = 0


@dataclass(frozen=True)
class Delivery:
    """What to make of a module.

    Attributes:
        deliverable: which folder.
        name: a C identifier with which functions and files begin.
        title: what the network is, for people.
        kernels: compute with our kernels what they can compute.
        samples: inputs of runs of the self-test, as many as there are up to `vectors`; none: values evenly spread over
            [0, 1), or over all integers. Real numbers become codes where the module reads these.
        max_ram: bytes that a bundle may take besides the stack; None: what the target has, if that is known.
        max_flash: bytes of code and constants; None: likewise.
        vectors: how many runs the self-test makes.
    """

    deliverable: Folder
    name: str = DEFAULT_NAME
    title: str = "A network"
    kernels: bool = True
    samples: Iterable[Sequence[np.ndarray]] = ()
    max_ram: int | None = None
    max_flash: int | None = None
    vectors: int = 1

    def check(self, target: Target) -> None:
        """Fail early. Raises OutputError for a name that is none in C, TargetError for a target that has no code."""
        check_name(self.name)
        static_target(target)

    def files(self, module: ir.Module, target: Target, *, tiles: TunedTiles | None = None) -> dict[str, bytes]:
        """What the folder holds, by file name.

        Args:
            module: TOSA of any precision; it stays as it is.
            target: what to compile for.
            tiles: what to use instead of the model's tiles.

        Raises:
            BudgetError: a bundle takes more memory than there is.
            CompileError: IREE refuses the module, or it does what C code without a runtime cannot do.
            OutputError: the name is none in C, or there is no room for temporary files.
            TargetError: the target is not machine code.
        """
        self.check(target)
        static = static_target(target)
        lowered = in_own_context(module)
        LocateLayers().apply(lowered)
        lower_to_kernels(lowered, static if self.kernels else static.model_copy(update={"isa": None}), tiles)
        if self.deliverable == "static-library":
            return compile_for_iree(lowered, static, self.name)
        function = main_function(module)
        specs, results = argument_specs(function), result_specs(function)
        tensors = _tensors(function, "arg_attrs", specs), _tensors(function, "res_attrs", results)
        library = compile_static(lowered, static, *tensors, self.name)
        require_memory(library, ram=self.max_ram or target.ram, flash=self.max_flash or target.flash)
        program = Program(compile_program(module, load_target("host")))
        vectors = [TestVector(inputs, program(*inputs)) for inputs in self._inputs(function)]
        return bundle_files(library, target, vectors, name=self.name, title=self.title)

    def _inputs(self, function: ir.Operation) -> list[list[np.ndarray]]:
        """What the self-test runs."""
        specs = argument_specs(function)
        generator = np.random.default_rng(_SEED)
        runs = list(islice(self.samples, self.vectors)) or [
            [_spread(generator, shape, dtype) for _, shape, dtype in specs] for _ in range(self.vectors)
        ]
        meaning = boundary_params(function, "arg_attrs", len(specs))
        return [
            [
                array if params is None or array.dtype.kind != "f" else quantize(array, params)
                for array, params in zip(run, meaning, strict=True)
            ]
            for run in runs
        ]


def _tensors(
    function: ir.Operation, key: str, specs: Sequence[tuple[str, tuple[int, ...], np.dtype]]
) -> list[BundleTensor]:
    return [
        BundleTensor(*spec) if params is None else BundleTensor(*spec, params.scale, params.zero_point)
        for spec, params in zip(specs, boundary_params(function, key, len(specs)), strict=True)
    ]


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write them to `folder`, which is made if it is not there."""
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _spread(generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    limits = np.iinfo(np.int16 if dtype == np.int16 else np.int8)
    return generator.integers(limits.min, limits.max + 1, shape).astype(dtype)
