"""The variants of a quantized model, as programs for this machine: fp32, int8 throughout, mixed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from quantune_mlir.backend.compilation import compile_program, load_tiles, program_key
from quantune_mlir.backend.compiling import Compiling, untold
from quantune_mlir.backend.onnx_source import GIVE, source_file
from quantune_mlir.backend.program import SINGLE_THREAD, Program
from quantune_mlir.errors import ModelError
from quantune_mlir.files.access import write_in_folder
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.signature import model_edits
from quantune_mlir.mlir.text import load_module
from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.passes.quantize.verify_integer import VerifyInteger
from quantune_mlir.pipeline.driver import run_pipeline
from quantune_mlir.planning.plan import ALL_INT8
from quantune_mlir.workflow.artifacts import (
    FP32,
    MIXED,
    PLAN,
    PROFILE,
    PROGRAM,
    PROGRAMS,
    SUMMARY,
    TILES,
    Artifacts,
    read_summary,
)
from quantune_mlir.workflow.options import ANALYSIS_TARGET, QuantizeOptions
from quantune_mlir.workflow.policy import load_plan
from quantune_mlir.workflow.rewriting import PlanRewriter
from quantune_mlir.workflow.variant import Variant

_KEY_LENGTH: Final = 24


class Variants:
    """Programs of one output directory. What has to be compiled is kept there, keyed by all it depends on."""

    def __init__(self, artifacts: Artifacts, *, target: str = ANALYSIS_TARGET, tiles: Path | None = None) -> None:
        """Open a directory.

        Args:
            artifacts: the directory.
            target: what programs are compiled for; this machine must have its instructions.
            tiles: a file of tuned tiles; None: the directory's own, if it has one and was made for `target`.
        """
        self._artifacts = artifacts
        self._summary: dict[str, Any] = read_summary(artifacts[SUMMARY])
        self.target = load_target(target)
        self.options = QuantizeOptions.from_dict(self._summary["options"], str(artifacts[SUMMARY]))
        self.model = Model.load(artifacts[FP32])
        own = artifacts[TILES] if self._is_own_target and artifacts[TILES].is_file() else None
        self._tiles = load_tiles(tiles or own, self.target)
        self._retiled = tiles is not None

    def load(self, variant: Variant, *, device: str = SINGLE_THREAD, compiling: Compiling = untold) -> Program:
        """The program of a variant."""
        return Program(self.compiled(variant, compiling), device=device)

    def compiled(self, variant: Variant, compiling: Compiling = untold) -> Path:
        """The .vmfb of a variant; `compiling` is told how far it is."""
        if variant == "mixed" and self._is_own_target and not self._retiled:
            return self._artifacts[PROGRAM]
        module = self.tosa(variant)
        key = program_key(module, self.target, self._tiles)[:_KEY_LENGTH]
        path = self._artifacts[PROGRAMS] / f"{variant}-{key}.vmfb"
        if not path.is_file():
            program = compile_program(module, self.target, tiles=self._tiles, compiling=compiling)
            write_in_folder(path, program)
        return path

    @property
    def title(self) -> str:
        """What the model's file was called."""
        return self._summary.get("model", {}).get("file", str(self._artifacts.directory))

    @property
    def _is_own_target(self) -> bool:
        return self.options.target == self.target.name

    def tosa(self, variant: Variant) -> ir.Module:
        """The module of a variant: pure TOSA."""
        if variant == "fp32":
            return self.model.module
        if variant == "mixed":
            return load_module(self._artifacts[MIXED], make_context())
        profile = Profile.load(self._artifacts[PROFILE])
        return PlanRewriter(self.model, profile, self.options).rewrite(ALL_INT8).module

    def for_integers(self, *, integer_only: bool) -> ir.Module:
        """The mixed module with int8 inputs and outputs, from the directory's plan and profile.

        With `integer_only` it requantizes in integers, and there is nothing in it that is not an integer.

        Raises:
            PassError: `integer_only`, and something is; it names the layers.
        """
        options = replace(self.options, requantize="integer") if integer_only else self.options
        plan = load_plan(self._artifacts[PLAN], self.model)
        module = PlanRewriter(self.model, Profile.load(self._artifacts[PROFILE]), options).rewrite(plan, "int8").module
        if integer_only:
            run_pipeline(module, [VerifyInteger()])
        return module

    def recorded_path(self) -> Path:
        """Where the model's file was. Raises ModelError if summary.json does not say."""
        recorded = self._summary["model"].get("path")
        if not isinstance(recorded, str) or not recorded:
            raise ModelError("does not say where the model's file is", where=SUMMARY, remedy=GIVE)
        return Path(recorded)

    def onnx_file(self, given: Path | None = None) -> Path:
        """The ONNX file that the model came from: the one given, else the one that summary.json names.

        Raises:
            ModelError: it is not there, or is another model.
        """
        path = given or self.recorded_path()
        return source_file(path, self.model.hash, model_edits(self.model.module), self.cache)

    @property
    def cache(self) -> Path:
        """Where others may keep what they make of the model."""
        return self._artifacts[PROGRAMS]
