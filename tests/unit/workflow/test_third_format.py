"""A number format that the package does not know goes through plan, costs, front and rewrite: weights of 4 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.kernel_groups import kernel_groups
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import PlanError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.attributes import LAYER, string_attribute
from quantune_mlir.mlir.constants import constant_value
from quantune_mlir.mlir.function import entry_block, main_function
from quantune_mlir.model import Model
from quantune_mlir.numerics import formats
from quantune_mlir.numerics.formats import FP32, INT8, IntegerRange, NumberFormat
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.passes.quantize.layer_graph import planned_layers
from quantune_mlir.planning.costs import CostModel
from quantune_mlir.planning.plan import PrecisionPlan
from quantune_mlir.planning.planner import Planner
from quantune_mlir.planning.policies import default
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.inference_runs import Analyzed, analyze
from quantune_mlir.workflow.layer_costs import modelled_costs
from quantune_mlir.workflow.options import DEFAULTS
from quantune_mlir.workflow.progress import SILENT, Stopwatch
from quantune_mlir.workflow.rewriting import PlanRewriter

DATA = Path(__file__).parents[2] / "data"
HOST = load_target("host")
INT4_WEIGHTS = NumberFormat("int4_weights", INT8.activations, IntegerRange(4, -7, 7), 32)
STEM, HEAD = "stem/conv", "head/conv"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS})
    formats.register(INT4_WEIGHTS)


@pytest.fixture(scope="module")
def analyzed() -> Analyzed:
    model = Model.load(DATA / "digits.onnx")
    samples = SampleSet.open(DATA / "digits_calibration.npz", model.inputs, count=8)
    return analyze(model, samples, DEFAULTS, Stopwatch(SILENT))


@pytest.fixture(scope="module")
def rewriter(analyzed: Analyzed) -> PlanRewriter:
    return analyzed.rewriter


def everywhere(format_: NumberFormat) -> PrecisionPlan:
    return PrecisionPlan(format=1, default=format_)


def largest_weight(rewriter: PlanRewriter, plan: PrecisionPlan, layer: str) -> float:
    """The largest of the constant weights of a layer of the rewritten module."""
    ops = (op.operation for op in entry_block(main_function(rewriter.rewrite(plan).module)))
    (product,) = (op for op in ops if op.name == "tosa.conv2d" and string_attribute(op, LAYER) == layer)
    weights = constant_value(product.operands[1])
    assert weights is not None
    return float(np.abs(weights.astype(np.float64)).max())


def test_a_plan_names_it() -> None:
    plan = PrecisionPlan.from_yaml("format: 1\nlayers:\n- {name: a, precision: int4_weights}")
    assert plan.layers[0].precision is INT4_WEIGHTS
    assert PrecisionPlan.from_yaml(plan.to_yaml()) == plan
    with pytest.raises(PlanError, match=r"no number format 'int3'.*known: int8, int16, int16x16, fp32, int4_weights"):
        PrecisionPlan.from_yaml("format: 1\nlayers:\n- {name: a, precision: int3}")


def test_the_rewrite_has_it(rewriter: PlanRewriter) -> None:
    text = f"format: 1\ndefault: int8\nlayers:\n- {{name: {STEM}, precision: int4_weights}}"
    mixed = PrecisionPlan.from_yaml(text)
    assert largest_weight(rewriter, mixed, STEM) == 7 and largest_weight(rewriter, mixed, HEAD) == 127
    assert rewriter.rewrite(mixed).precision[STEM] == "int4_weights"


def test_it_runs_and_is_coarser(analyzed: Analyzed, rewriter: PlanRewriter) -> None:
    samples = SampleSet.open(DATA / "digits_test.npz", analyzed.model.inputs, count=16)
    reference = Program(compile_program(analyzed.model.module, HOST))
    found: list[float] = []
    for format_ in (INT4_WEIGHTS, INT8):
        program = Program(compile_program(rewriter.rewrite(everywhere(format_)).module, HOST))
        energy = sum((ErrorEnergy.of(reference(*run)[0], program(*run)[0]) for run in samples), ErrorEnergy())
        assert energy.sqnr_db is not None
        found.append(energy.sqnr_db)
    assert 5 < found[0] < found[1] - 10


def test_costs_and_the_front_weigh_it(analyzed: Analyzed, rewriter: PlanRewriter) -> None:
    groups = {
        INT4_WEIGHTS: kernel_groups(rewriter.rewrite(everywhere(INT4_WEIGHTS)).module),
        INT8: kernel_groups(rewriter.rewrite(everywhere(INT8)).module),
        FP32: kernel_groups(analyzed.model.module),
    }
    costs: CostModel = modelled_costs(analyzed.model, groups, HOST)
    sizes = [costs.layers[HEAD][format_].size for format_ in groups]
    assert sizes == [sizes[2] / 8, sizes[2] / 4, sizes[2]]
    graph = planned_layers(analyzed.model.layers)
    names = {node.name for node in graph}
    listed = tuple(layer for layer in analyzed.sensitivity.layers if layer.name in names)
    sensitivity = analyzed.sensitivity.model_copy(update={"layers": listed})
    planner = Planner(sensitivity, graph, costs, formats=(INT4_WEIGHTS, INT8, FP32))
    used = {frozenset(point.moved.values()) for point in planner.problem.front}
    assert frozenset() in used and frozenset({INT8}) in used and any(FP32 in formats_ for formats_ in used)
    smallest = min(planner.problem.front, key=lambda point: point.cost.size)
    assert (
        not smallest.moved
        and smallest.noise
        > 10 * planner.problem.noise_model.noise({layer.name: INT8 for layer in planner.problem.layers}).max()
    )
    plan = planner.plan(default, "default").plan
    assert INT8 in {layer.precision for layer in plan.layers}, "4 bits are too few somewhere"
    rewriter.rewrite(plan)
