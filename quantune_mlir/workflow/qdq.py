"""The plan of a quantization as an ONNX model of QuantizeLinear and DequantizeLinear nodes, for other engines."""

from __future__ import annotations

from pathlib import Path

from quantune_mlir.backend.deliverable import Activations
from quantune_mlir.backend.deliverables.qdq.export import QdqModel, export_qdq
from quantune_mlir.backend.onnx_source import source_graph
from quantune_mlir.errors import OutputError
from quantune_mlir.importers.front_ends import ONNX, find_front_end
from quantune_mlir.mlir.signature import model_edits
from quantune_mlir.model import Model
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.workflow.artifacts import PLAN, PROFILE, Artifacts
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.quantization import Quantization
from quantune_mlir.workflow.rewriting import PlanRewriter, integer_options
from quantune_mlir.workflow.variants import Variants

_ONNX_ONLY = "a QDQ ONNX model is the graph of an ONNX file"


def require_onnx(path: Path) -> None:
    """Fail early. Raises OutputError if what is quantized comes from a file of another kind."""
    if find_front_end(path) is not ONNX:
        raise OutputError(
            f"{_ONNX_ONLY} with a plan, and this is none",
            where=str(path),
            remedy="quantize the ONNX file, or leave out --deliverable qdq-onnx",
        )


def qdq_of(quantization: Quantization, source: Path, activations: Activations = "uint8") -> QdqModel:
    """The model of a quantization just made.

    Args:
        quantization: its plan is the model's.
        source: the ONNX file that was quantized.
        activations: the type that activations are stored in.

    Raises:
        ModelError: `source` is not what was quantized.
        OutputError: the plan cannot be told in ONNX.
    """
    parts = quantization.model, quantization.profile, quantization.options, quantization.plan
    return _export(source, *parts, activations)


def qdq_of_directory(directory: Path, source: Path | None = None, activations: Activations = "uint8") -> QdqModel:
    """The model of an output directory of `quantune quantize`.

    Args:
        directory: its plan is the model's.
        source: the ONNX file that was quantized; None: where it was then.
        activations: the type that activations are stored in.

    Raises:
        ModelError: the ONNX file is not there, or is not what was quantized.
        OutputError: it is no such directory, or the plan cannot be told in ONNX.
    """
    artifacts = Artifacts.open(directory)
    variants = Variants(artifacts)
    path = source or variants.recorded_path()
    require_onnx(path)
    plan, profile = PrecisionPlan.load(artifacts[PLAN]), Profile.load(artifacts[PROFILE])
    return _export(path, variants.model, profile, variants.options, plan, activations)


def _export(
    path: Path, model: Model, profile: Profile, options: QuantizeOptions, plan: PrecisionPlan, activations: Activations
) -> QdqModel:
    annotated = PlanRewriter(model, profile, options).annotated(plan)
    source = source_graph(path, model.hash, model_edits(model.module))
    return export_qdq(source, model, annotated, integer_options(options), activations)
