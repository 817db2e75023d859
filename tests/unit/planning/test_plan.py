from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantune_mlir.errors import PlanError
from quantune_mlir.numerics.formats import FP32, INT8
from quantune_mlir.planning.graph import LayerNode
from quantune_mlir.planning.plan import LayerPlan, PrecisionPlan

GRAPH = [
    LayerNode("conv1", "Conv", True, 100),
    LayerNode("conv2", "Conv", True, 100, ("conv1",)),
    LayerNode("softmax", "Softmax", False, 0, ("conv2",)),
]
EDITED = """\
format: 1
layers:
- name: softmax
  precision: fp32
- {name: conv2, precision: int8}
- name: conv1
  precision: fp32
  reason: because I say so
"""


def refused(text: str, **options: str) -> str:
    with pytest.raises(PlanError) as caught:
        PrecisionPlan.from_yaml(text, where="plan.yaml").fitted_to(GRAPH, **options)
    return str(caught.value)


FORMATS = st.sampled_from([INT8, FP32])


@given(
    st.builds(
        PrecisionPlan,
        format=st.just(1),
        model=st.text(),
        policy=st.text(),
        default=st.none() | FORMATS,
        layers=st.lists(
            st.builds(
                LayerPlan, name=st.text(), op=st.text(), precision=st.sampled_from([INT8, FP32]), reason=st.text()
            ),
            unique_by=lambda layer: layer.name,
            max_size=4,
        ).map(tuple),
    )
)
def test_yaml_round_trips(plan: PrecisionPlan) -> None:
    assert PrecisionPlan.from_yaml(plan.to_yaml()) == plan


def test_an_edited_plan_is_honoured_in_graph_order() -> None:
    plan = PrecisionPlan.from_yaml(EDITED).fitted_to(GRAPH, model="abc")
    assert [(layer.name, layer.op, layer.precision.name) for layer in plan.layers] == [
        ("conv1", "Conv", "fp32"),
        ("conv2", "Conv", "int8"),
        ("softmax", "Softmax", "fp32"),
    ]
    assert plan.layers[0].reason == "because I say so"
    assert plan.precision_of()["conv2"] is INT8


def test_default_fills_in_what_is_missing_as_far_as_it_can() -> None:
    plan = PrecisionPlan.from_yaml("format: 1\ndefault: int8\nlayers:\n- {name: conv1, precision: fp32}").fitted_to(
        GRAPH
    )
    assert [layer.precision.name for layer in plan.layers] == ["fp32", "int8", "fp32"]


def test_numeric_names_need_no_quotes() -> None:
    plan = PrecisionPlan.from_yaml("format: 1\nlayers:\n- {name: 17, precision: int8}")
    assert plan.fitted_to([LayerNode("17", "Conv", True, 1)]).layers[0].name == "17"


def test_unknown_layer_suggests_the_nearest() -> None:
    message = refused(EDITED.replace("conv2", "covn2"))
    assert "no layer 'covn2'" in message and "did you mean 'conv2'" in message


def test_missing_layers_are_named() -> None:
    assert "lacks layers 'conv2', 'softmax'" in refused("format: 1\nlayers:\n- {name: conv1, precision: int8}")
    assert "lacks layers 'conv1', 'conv2', 'softmax'" in refused("format: 1")


def test_duplicate_names_both_lines() -> None:
    assert "'conv2' is listed twice, in lines 5 and 6" in refused(EDITED.replace("conv1", "conv2"))


def test_bad_precision_names_the_line() -> None:
    message = refused(EDITED.replace("int8", "int4"))
    assert "line 5: layers.1.precision" in message and "'int4'" in message


def test_unknown_key_and_missing_key_name_the_line() -> None:
    message = refused(EDITED.replace("reason:", "raison:").replace("  precision: fp32\n-", "-"))
    assert "line 7: layers.2.raison" in message and "line 3: layers.0.precision" in message


def test_int8_of_a_layer_without_int8_form() -> None:
    assert "no int8 form exists of layer 'softmax'" in refused(
        EDITED.replace("softmax\n  precision: fp32", "softmax\n  precision: int8")
    )


@pytest.mark.parametrize("version", ["2", "one", "null"])
def test_wrong_format_version(version: str) -> None:
    assert "line 1: format" in refused(EDITED.replace("format: 1", f"format: {version}"))


def test_malformed_yaml_names_the_line() -> None:
    assert "plan.yaml: line 6: malformed YAML" in refused(EDITED.replace("- name: conv1", "- name: conv1: x"))
    assert "not a precision plan" in refused("- just\n- a list")
    assert "malformed" in refused("a: \x01")


def test_plan_of_another_model() -> None:
    text = EDITED.replace("format: 1", "format: 1\nmodel: aaaa")
    assert "another model" in refused(text, model="bbbb")
    PrecisionPlan.from_yaml(text).fitted_to(GRAPH, model="aaaa")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="No such file"):
        PrecisionPlan.load(tmp_path / "plan.yaml")
