"""Plans, policies and targets that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from tests.e2e.conftest import Refused
from tests.e2e.models import make_model, save_model


class TestPlan:
    @pytest.mark.parametrize(
        ("plan", "expected"),
        [
            ("format: 1\ndefault: int8\nlayers:\n- {name: cnov, precision: fp32}\n", "did you mean 'conv' by 'cnov'?"),
            ("format: 1\ndefault: int8\nlayers:\n- {name: rleu, precision: fp32}\n", "did you mean 'relu' by 'rleu'?"),
            ("format: 1\nlayers: []\n", "the plan lacks layer 'conv'"),
            ("format: 1\nmodel: beef\ndefault: int8\n", "made for another model (beef"),
            ("format: 2\nlayers: []\n", "line 1: format 2 is later than"),
            ("layers:\n- name: conv\n   precision: [\n", "line 3: malformed YAML"),
            ("format: 1\nlayers:\n- {name: conv, precision: int4}\n", "line 3: layers.0.precision"),
            ("format: 1\nlayers:\n- {name: conv, precision: int8}\n- {name: conv, precision: fp32}\n", "listed twice"),
            ("just text", "this is not a precision plan"),
            ("", "this is not a precision plan"),
        ],
    )
    def test_does_not_fit(self, refused_early: Refused, work: Path, plan: str, expected: str) -> None:
        (work / "plan.yaml").write_text(plan)
        message = refused_early("--plan", "plan.yaml")
        assert expected in message and "plan.yaml" in message

    def test_missing(self, refused_early: Refused) -> None:
        assert "absent.yaml: cannot be read: No such file" in refused_early("--plan", "absent.yaml")

    def test_binary(self, refused_early: Refused) -> None:
        assert "good.npz: this is not a text file" in refused_early("--plan", "good.npz")

    def test_int8_of_a_layer_that_has_none(self, refused_early: Refused, work: Path) -> None:
        save_model(make_model([helper.make_node("Softmax", ["x"], ["y"], name="soft")], output="y"), work / "m.onnx")
        (work / "plan.yaml").write_text("format: 1\nlayers:\n- {name: soft, precision: int8}\n")
        assert "no int8 form exists of layer 'soft'" in refused_early("--plan", "plan.yaml", model="m.onnx")


class TestPolicy:
    @pytest.mark.parametrize(
        "options",
        [
            ("--all", "int8", "--fp32-layers", "1"),
            ("--fp32-layers", "1", "--min-sqnr", "30"),
            ("--all", "fp32", "--min-sqnr", "0"),
            ("--max-drop", "1", "--max-latency", "0.5x"),
            ("--fp32-layers", "1", "--max-size", "1MB"),
        ],
    )
    def test_conflicting(self, refused_early: Refused, options: tuple[str, ...]) -> None:
        assert "more than one policy" in refused_early(*options)

    @pytest.mark.parametrize(
        "options",
        [
            ("--all", "int8"),
            ("--fp32-layers", "0"),
            ("--min-sqnr", "30"),
            ("--keep-fp32", "conv"),
            ("--max-drop", "1"),
            ("--metric", "mse"),
        ],
    )
    def test_beside_a_plan(self, refused_early: Refused, work: Path, options: tuple[str, ...]) -> None:
        (work / "plan.yaml").write_text("format: 1\ndefault: int8\n")
        message = refused_early("--plan", "plan.yaml", *options)
        assert "plan.yaml: a plan leaves a policy nothing to decide" in message

    def test_keep_fp32_matches_nothing(self, refused_early: Refused) -> None:
        message = refused_early("--keep-fp32", "^stem/")
        assert "--keep-fp32 '^stem/' matches no layer" in message and "'conv'" in message

    def test_keep_fp32_is_no_expression(self, refused_early: Refused) -> None:
        assert "--keep-fp32 'conv(' is no regular expression" in refused_early("--keep-fp32", "conv(")

    def test_more_fp32_layers_than_there_are(self, refused_early: Refused) -> None:
        assert "7 layers are to stay fp32, but only 1 could be either" in refused_early("--fp32-layers", "7")

    @pytest.mark.parametrize(
        ("options", "answer"),
        [
            (("--max-latency", "soon"), "--max-latency soon: not a limit"),
            (("--max-size", "-5KB"), "--max-size -5KB: not a limit"),
            (("--max-drop", "-1"), "a drop of -1 points cannot be asked for"),
            (("--max-drop", "nan"), "a drop of nan points cannot be asked for"),
            (("--max-latency", "5ms", "--target", "cortex-a53"), "give the limit relative to fp32"),
            (("--costs", "measured", "--target", "cortex-a53"), "cannot be measured on this machine"),
            (("--validation", "calibration.npz"), "only --max-drop asks for validation samples"),
        ],
    )
    def test_limits_that_cannot_be_kept(self, refused_early: Refused, options: tuple[str, ...], answer: str) -> None:
        assert answer in refused_early(*options)

    @pytest.mark.parametrize("decibels", ["nan", "-1", "-1e6", "-inf"])
    def test_min_sqnr_cannot_be_meant(self, refused_early: Refused, decibels: str) -> None:
        assert "dB cannot be asked for" in refused_early("--min-sqnr", decibels)

    @pytest.mark.parametrize(
        "options",
        [
            ("--fp32-layers", "-1"),
            ("--fp32-layers", "many"),
            ("--min-sqnr", "high"),
            ("--all", "int4"),
            ("--scheme", "symetric"),
            ("--range", "max"),
            ("--weights", "per-row"),
            ("--requantize", "none"),
            ("--batch", "0"),
            ("--seed", "-1"),
        ],
    )
    def test_not_a_choice(self, refused_early: Refused, options: tuple[str, str]) -> None:
        name, value = options
        message = refused_early(name, value)
        assert f"Invalid value for '{name}'" in message and value in message


class TestTarget:
    def test_unknown(self, refused_early: Refused) -> None:
        message = refused_early("--target", "hots")
        assert "unknown target 'hots'" in message and "did you mean 'host'?" in message

    def test_unlike_any(self, refused_early: Refused) -> None:
        message = refused_early("--target", "zzzzz")
        assert "known targets: " in message and "host" in message
