"""A model: simplified fp32 TOSA, its signature, and the hash of the file it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantune_mlir.errors import ModelError
from quantune_mlir.graph.layers import Layer
from quantune_mlir.graph.network import Network
from quantune_mlir.importers import front_ends
from quantune_mlir.importers.common.edits import Edits
from quantune_mlir.importers.common.import_options import ImportOptions
from quantune_mlir.importers.common.static_shapes import StaticShapes
from quantune_mlir.integer.integer_options import RequantizeMode
from quantune_mlir.mlir.attributes import QPARAMS
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.context_copy import in_own_context
from quantune_mlir.mlir.edit import copy_module
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.mlir.signature import argument_specs, model_hash
from quantune_mlir.mlir.text import module_bytecode, parse_module
from quantune_mlir.numerics.parts import Part
from quantune_mlir.pipeline.driver import run_named_pipeline
from quantune_mlir.samples.sample_set import ArrayShapes, InputSpec


@dataclass(frozen=True)
class Model:
    """A simplified fp32 module. It is never changed: `after` works on a copy.

    Attributes:
        module: the module.
        found: its network, if whoever made it knows it already.
        made_from: a key of all that it follows from, if whoever made it knows that.
    """

    module: ir.Module
    found: Network | None = field(default=None, repr=False, compare=False)
    made_from: str | None = field(default=None, repr=False, compare=False)

    @staticmethod
    def load(
        path: Path | str,
        *,
        batch: int = 1,
        shapes: Mapping[str, Sequence[int]] | None = None,
        samples: Path | str | Mapping[str, NDArray[np.generic]] | None = None,
        constants: Mapping[str, ArrayLike] | None = None,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        keep_quantized: bool = False,
    ) -> Model:
        """Import and simplify a model, or read an fp32.mlir written by `save`.

        Args:
            path: an .onnx or .tflite file, or an .mlir or .mlirbc file.
            batch: what a dynamic first dimension becomes.
            shapes: whole shapes of inputs with other dynamic dimensions.
            samples: calibration data, as for SampleSet.open; shapes that are not given are taken from it.
            constants: inputs to pin to a constant; a condition that depends on it alone is then decided.
            inputs: tensors that become the model's inputs; what leads to them is cut off.
            outputs: tensors that become the model's outputs; what follows them is cut off.
            keep_quantized: take a model that is quantized already as it is, to be compiled.

        Raises:
            ModelError: the file is missing, broken, or cannot be imported, or has no such input or tensor.
        """
        path = Path(path)
        static = StaticShapes(batch, shapes or {}, {} if samples is None else ArrayShapes(samples))
        edits = Edits(constants or {}, inputs, outputs)
        return Model.imported(path, ImportOptions(static, edits, keep_quantized))

    @staticmethod
    def imported(path: Path, options: ImportOptions, requantize: RequantizeMode = "float") -> Model:
        """The simplified model of a file; one that is quantized by its own scales, and is kept so, in int8.

        `requantize` says how int32 becomes int8 in that. Raises ModelError as `load` does.
        """
        found = front_ends.load(path, options)
        if found.is_simplified:
            return Model(found.module)
        model = Model(parse_module(_simplified(found, requantize), make_context()))
        if not model.layers:
            raise ModelError(
                "the model computes nothing: there is no layer to quantize",
                where=str(path),
                remedy="give one with layers, or cut it elsewhere: --outputs",
            )
        return model

    @staticmethod
    def rounded(
        path: Path | str,
        *,
        batch: int = 1,
        shapes: Mapping[str, Sequence[int]] | None = None,
        samples: Path | str | Mapping[str, NDArray[np.generic]] | None = None,
        constants: Mapping[str, ArrayLike] | None = None,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
    ) -> Model:
        """A model that is quantized by its own scales: in fp32, with marks where it is rounded. Arguments as of `load`.

        Raises:
            ModelError: as `load` does, and if nothing is rounded.
        """
        static = StaticShapes(batch, shapes or {}, {} if samples is None else ArrayShapes(samples))
        edits = Edits(constants or {}, inputs, outputs)
        module = front_ends.load(Path(path), ImportOptions(static, edits, keep_quantized=True)).module
        if not _has_roundings(module):
            raise ModelError(
                "the model rounds nothing between int8 layers", where=str(path), remedy="give one with QuantizeLinear"
            )
        return Model(module)

    @property
    def hash(self) -> str:
        """SHA-256 of the model's file and of what it keeps in others, hexadecimal."""
        digest = model_hash(self.module.operation)
        if digest is None:
            raise ModelError("the module does not say which model it is", remedy="use an fp32.mlir made by quantune")
        return digest

    @cached_property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Names, shapes and dtypes of the model's inputs."""
        return tuple(InputSpec(*spec) for spec in argument_specs(self.function))

    @property
    def function(self) -> ir.Operation:
        """The `func.func @main`."""
        return main_function(self.module)

    @cached_property
    def network(self) -> Network:
        """What it is to quantization."""
        return self.found or Network(self.function)

    @property
    def layers(self) -> list[Layer]:
        """Its layers, in topological order."""
        return self.network.layers

    @property
    def parts(self) -> list[Part]:
        """The parts of its outputs, of which each is judged by its own noise."""
        return list(self.network.parts)

    def layers_before(self, part: Part) -> set[str]:
        """The names of the layers that a part of the outputs depends on."""
        makers = self.network.makers
        made = (makers[value].layer for value in self.network.sources(self.network.parts[part]) if value in makers)
        return {layer for layer in made if layer is not None}

    def after(self, pipeline: str, **values: object) -> Model:
        """The model that a named pipeline makes of it, given the values of its parameters."""
        copy = copy_module(self.module)
        return Model(copy, run_named_pipeline(copy, pipeline, values))

    def apart(self, pipeline: str, **values: object) -> ir.Module:
        """The same as a module in a context of its own, so that what the passes make goes with it."""
        copy = in_own_context(self.module)
        run_named_pipeline(copy, pipeline, values)
        return copy


def _simplified(imported: front_ends.Imported, requantize: RequantizeMode) -> bytes:
    """A simplified model as bytecode: what was imported and then replaced stays in the context that it leaves."""
    if _has_roundings(imported.module):
        run_named_pipeline(imported.module, "lower-qdq", {"requantize": requantize})
    else:
        run_named_pipeline(imported.module, "simplify")
    return module_bytecode(imported.module)


def _has_roundings(module: ir.Module) -> bool:
    return any(QPARAMS in op.operation.attributes for op in entry_block(main_function(module)))
