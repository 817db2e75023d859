"""Whatever is wrong with the input: exit status, one clear message, no traceback, nothing written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from quantune_mlir.backend import compiler
from quantune_mlir.planning.sensitivity import SensitivityList
from tests.e2e.conftest import DIGITS, Quantune
from tests.e2e.models import conv_relu, images, make_model, save_model, save_samples

Refused = Callable[..., str]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which a test works, with a good model and good samples."""
    save_model(conv_relu(), tmp_path / "good.onnx")
    save_samples(tmp_path / "good.npz", x=images())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused_early(refused: Refused, work: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """`quantune quantize ...` must fail before anything is compiled, and write nothing."""

    def unexpected(*_: object, **__: object) -> bytes:
        raise AssertionError("something was compiled")

    monkeypatch.setattr(compiler, "iree_compile", unexpected)

    def run(*arguments: object, model: object = "good.onnx", data: object = "good.npz", output: object = "out") -> str:
        before = sorted(work.rglob("*"))
        message = refused("quantize", model, "--calibration", data, "--output", output, *arguments)
        assert sorted(work.rglob("*")) == before
        return message

    return run


class TestModel:
    def test_missing(self, refused_early: Refused) -> None:
        message = refused_early(model="absent.onnx")
        assert "absent.onnx: no such file" in message and "remedy: " in message

    @pytest.mark.parametrize("kept", [0, 1, 10, 100, -1, -7])
    def test_truncated(self, refused_early: Refused, work: Path, kept: int) -> None:
        (work / "m.onnx").write_bytes((work / "good.onnx").read_bytes()[:kept])
        assert "m.onnx: not " in refused_early(model="m.onnx")

    @pytest.mark.parametrize("content", [b"hello, world\n" * 20, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000)])
    def test_not_onnx(self, refused_early: Refused, work: Path, content: bytes) -> None:
        (work / "m.onnx").write_bytes(content)
        assert "m.onnx: not an ONNX model" in refused_early(model="m.onnx")

    def test_directory(self, refused_early: Refused, work: Path) -> None:
        assert "not a file" in refused_early(model=work)

    def test_refused_by_the_onnx_checker(self, refused_early: Refused, work: Path) -> None:
        model = conv_relu()
        model.graph.node[1].input[0] = "nowhere"
        save_model(model, work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: not a valid ONNX model" in message and "nowhere" in message

    def test_all_unsupported_operators_at_once(self, refused_early: Refused, work: Path) -> None:
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("NonZero", ["c"], ["n"], name="first"),
            helper.make_node("Cast", ["n"], ["f"], name="cast", to=TensorProto.FLOAT),
            helper.make_node("Det", ["c"], ["d"], name="second"),
            helper.make_node("ReduceSum", ["f"], ["s"], name="sum", keepdims=0),
            helper.make_node("Add", ["d", "s"], ["y"], name="add"),
        ]
        save_model(make_model(nodes, list(conv_relu().graph.initializer), output="y"), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: 2 node(s) cannot be imported" in message
        assert "first (NonZero): " in message and "second (Det): " in message

    def test_quantized_already(self, refused_early: Refused, work: Path) -> None:
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="first/quantize"),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="first/dequantize"),
        ]
        constants = [
            numpy_helper.from_array(np.array(1, dtype), name) for name, dtype in (("s", np.float32), ("z", np.int8))
        ]
        save_model(make_model(nodes, constants, output="y"), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "quantized already" in message and "first/quantize" in message

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_nan_in_weights(self, refused_early: Refused, work: Path, value: float) -> None:
        weight = np.ones((3, 2, 3, 3), np.float32)
        weight[1, 0, 2, 1] = value
        save_model(conv_relu(weight=numpy_helper.from_array(weight, "w")), work / "m.onnx")
        message = refused_early(model="m.onnx")
        assert "m.onnx: tensor 'w' holds 1 NaN or infinite" in message and "[1, 0, 2, 1]" in message

    def test_nothing_to_quantize(self, refused_early: Refused, work: Path) -> None:
        save_model(make_model([helper.make_node("Identity", ["x"], ["y"])], output="y"), work / "m.onnx")
        assert "m.onnx: the model computes nothing" in refused_early(model="m.onnx")

    def test_dynamic_shape_as_the_samples_have_it(self, refused_early: Refused, work: Path) -> None:
        model = conv_relu()
        for position in (0, 2, 3):
            model.graph.input[0].type.tensor_type.shape.dim[position].dim_value = -1
        model.graph.node.append(helper.make_node("GlobalAveragePool", ["y"], ["z"], name="pool"))
        model.graph.output[0].name = "z"
        save_model(onnx.shape_inference.infer_shapes(model), work / "m.onnx")
        labels = np.array([0, 1, 3])
        save_samples(work / "d.npz", x=images(), labels=labels)
        message = refused_early(model="m.onnx", data="d.npz")
        assert "sample 2 is labelled 3, but the model's first output has 3 score(s)" in message

    @pytest.mark.parametrize("shape", ["x", "x=", "x=1x2xq", "x=1x0x4x4", "1x2x4x4"])
    def test_malformed_shape(self, refused_early: Refused, shape: str) -> None:
        assert f"--shape {shape}: not a shape" in refused_early("--shape", shape)

    def test_shape_of_an_unknown_input(self, refused_early: Refused) -> None:
        assert "there is no input 'z'" in refused_early("--shape", "z=1x2x4x4")


class TestData:
    def test_missing(self, refused_early: Refused) -> None:
        assert "absent.npz: cannot be read: No such file" in refused_early(data="absent.npz")

    def test_truncated(self, refused_early: Refused, work: Path) -> None:
        (work / "d.npz").write_bytes((work / "good.npz").read_bytes()[:-20])
        assert "d.npz: the .npz file is truncated" in refused_early(data="d.npz")

    @pytest.mark.parametrize(
        ("arrays", "expected"),
        [
            ({"X": images()}, "rename 'X' to 'x'"),
            ({"pixels": images()}, "no array for the model input 'x'; expected 'x', found 'pixels'"),
            ({"x": images()[:, 0]}, "shape [3, 4, 4]"),
            ({"x": images().transpose(0, 2, 3, 1)}, "shape [3, 4, 4, 2]"),
            ({"x": images().astype(np.float64)}, "is float64, the model takes float32"),
            ({"x": images().astype(np.uint8)}, "is uint8, the model takes float32"),
            ({"x": images()[:0]}, "0 samples"),
            ({"x": images(), "labels": np.zeros(2, np.int64)}, "array 'labels' has shape [2], but there are 3"),
        ],
    )
    def test_does_not_fit(
        self, refused_early: Refused, work: Path, arrays: dict[str, np.ndarray], expected: str
    ) -> None:
        save_samples(work / "d.npz", **arrays)
        message = refused_early(data="d.npz")
        assert expected in message and "d.npz" in message and "remedy: " in message

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_nan(self, refused_early: Refused, work: Path, value: float) -> None:
        samples = images(7)
        samples[5, 1, 2, 3] = value
        save_samples(work / "d.npz", x=samples)
        assert "d.npz: array 'x' holds NaN or Inf in sample 5" in refused_early(data="d.npz")

    @pytest.mark.parametrize("count", [0, -1])
    def test_no_samples_asked_for(self, refused_early: Refused, count: int) -> None:
        assert "--samples" in refused_early("--samples", count)


@pytest.mark.parametrize(("op", "bad"), [("Log", 0.0), ("Sqrt", -1.0)])
def test_activations_become_nan(refused: Refused, work: Path, op: str, bad: float) -> None:
    nodes = [
        helper.make_node(op, ["x"], ["l"], name="breaks/here"),
        helper.make_node("Relu", ["l"], ["y"], name="relu"),
    ]
    save_model(make_model(nodes, output="y"), work / "m.onnx")
    samples = images(9) + 1
    samples[6, 1, 0, 0] = bad
    save_samples(work / "d.npz", x=samples)
    message = refused("quantize", "m.onnx", "--calibration", "d.npz", "--output", "out")
    assert "tensor 'breaks/here': the fp32 model yields NaN or Inf at sample 6" in message
    assert sorted(p.name for p in work.iterdir()) == ["d.npz", "good.npz", "good.onnx", "m.onnx"]


def test_constant_zero_activations_work(quantune: Quantune, work: Path) -> None:
    save_samples(work / "d.npz", x=np.zeros((3, 2, 4, 4), np.float32))
    outcome = quantune("quantize", "good.onnx", "--calibration", "d.npz", "--output", "out", "-v")
    assert outcome.status == 0, outcome.stderr
    assert "nan" not in outcome.stdout.lower()
    assert [line.split().count("zero") for line in outcome.stdout.splitlines() if line.startswith("conv ")] == [1]
    layers = SensitivityList.load(work / "out" / "sensitivity.yaml").layers
    assert [(layer.name, layer.activation_sqnr_db, layer.mse) for layer in layers] == [
        ("conv", None, 0.0),
        ("relu", None, 0.0),
    ]
    assert "NaN" not in (work / "out" / "summary.json").read_text()


class TestPlan:
    @pytest.mark.parametrize(
        ("plan", "expected"),
        [
            ("format: 1\ndefault: int8\nlayers:\n- {name: cnov, precision: fp32}\n", "did you mean 'conv' by 'cnov'?"),
            ("format: 1\ndefault: int8\nlayers:\n- {name: rleu, precision: fp32}\n", "did you mean 'relu' by 'rleu'?"),
            ("format: 1\nlayers: []\n", "the plan lacks layer 'conv'"),
            ("format: 1\nmodel: beef\ndefault: int8\n", "made for another model (beef"),
            ("format: 2\nlayers: []\n", "line 1: format"),
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


class TestOutput:
    def test_exists(self, refused_early: Refused, work: Path) -> None:
        (work / "out").mkdir()
        assert "out: exists already\nremedy: choose another, or give --force" in refused_early()

    def test_force_spares_what_is_not_ours(self, refused_early: Refused, work: Path) -> None:
        (work / "out").mkdir()
        (work / "out" / "thesis.tex").write_text("years of work")
        assert "is not an output directory of `quantune quantize`" in refused_early("--force")
        assert (work / "out" / "thesis.tex").read_text() == "years of work"

    def test_force_spares_files(self, refused_early: Refused) -> None:
        assert "--force does not replace it" in refused_early("--force", output="good.npz")

    @pytest.mark.parametrize("place", ["good.npz/out", "good.npz/deeper/out", "/proc/out", "/proc/none/out"])
    def test_unwritable(self, refused_early: Refused, place: str) -> None:
        assert f"{place}: cannot be written: " in refused_early(output=place)

    def test_dangling_link(self, refused_early: Refused, work: Path) -> None:
        (work / "out").symlink_to("nowhere")
        assert "out: exists already" in refused_early()

    def test_becomes_unwritable_meanwhile(self, refused: Refused, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = Path.write_bytes

        def full(path: Path, data: bytes) -> int:
            if path.is_relative_to(work):
                raise OSError(28, "No space left on device")
            return write(path, data)

        monkeypatch.setattr(Path, "write_bytes", full)
        message = refused("quantize", "good.onnx", "--calibration", "good.npz", "--output", "out")
        assert "out: cannot be written: No space left on device" in message
        assert sorted(p.name for p in work.iterdir()) == ["good.npz", "good.onnx"]

    def test_no_room_for_temporary_files(self, refused: Refused, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(**_: object) -> None:
            raise OSError(28, "No space left on device", "temporary/quantune-1")

        monkeypatch.setattr(compiler, "scratch_directory", full)
        message = refused("quantize", "good.onnx", "--calibration", "good.npz", "--output", "out", "--no-cache")
        assert "quantune-1: temporary files cannot be written: No space left on device" in message
        assert "TMPDIR" in message
        assert sorted(p.name for p in work.iterdir()) == ["good.npz", "good.onnx"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("analyze", "good.onnx", "--calibration", "good.npz", "--output"),
            ("profile", "make", "good.onnx", "--calibration", "good.npz", "--output"),
            ("profile", "merge", "a.npz", "--output"),
            ("compile", "x.mlir", "--output"),
            ("run", "x.vmfb", "--input", "x.npy", "--output"),
            ("evaluate", "x", "--data", "good.npz", "--json"),
            ("evaluate", "x", "--data", "good.npz", "--variant", "int8", "--outputs"),
            ("bench", "x", "--json"),
        ],
    )
    @pytest.mark.parametrize("place", ["good.npz/file", "absent/file", "/proc/file", "."])
    def test_unwritable_file(self, refused: Refused, work: Path, arguments: tuple[str, ...], place: str) -> None:
        message = refused(*arguments, place)
        assert f"{place}: cannot be written: " in message or f"{place}: is a directory" in message


class TestTarget:
    def test_unknown(self, refused_early: Refused) -> None:
        message = refused_early("--target", "hots")
        assert "unknown target 'hots'" in message and "did you mean 'host'?" in message

    def test_unlike_any(self, refused_early: Refused) -> None:
        message = refused_early("--target", "zzzzz")
        assert "known targets: " in message and "host" in message


class TestProfile:
    def test_not_a_profile(self, refused_early: Refused) -> None:
        assert "good.npz: not a readable profile" in refused_early("--profile", "good.npz")

    def test_of_another_model(self, quantune: Quantune, refused: Refused, work: Path) -> None:
        made = quantune("profile", "make", "good.onnx", "--calibration", "good.npz", "-o", "p.npz")
        assert made.status == 0, made.stderr
        assert made.stdout == "p.npz: 2 tensors, 3 samples\n"
        weight = numpy_helper.from_array(np.ones((3, 2, 3, 3), np.float32), "w")
        save_model(conv_relu(weight=weight), work / "other.onnx")
        arguments = ("other.onnx", "--calibration", "good.npz", "--profile", "p.npz")
        assert "the profile is of another model" in refused("analyze", *arguments)


class TestOutputDirectory:
    @pytest.mark.parametrize("command", [("evaluate", "{}", "--data", "good.npz"), ("bench", "{}")])
    def test_is_none_of_ours(self, refused: Refused, work: Path, command: tuple[str, ...]) -> None:
        message = refused(*(part.format(work) for part in command))
        assert "not an output directory of `quantune quantize`: it lacks fp32.mlir" in message

    def test_has_a_broken_summary(self, refused: Refused, work: Path) -> None:
        for name in ("fp32.mlir", "profile.npz", "mixed.mlir", "model.vmfb"):
            (work / name).touch()
        (work / "summary.json").write_text('{"format": 1}')
        assert "summary.json: is not a summary of" in refused("bench", work)


class TestRun:
    def test_missing_program(self, refused: Refused, work: Path) -> None:
        np.save(work / "x.npy", images(1))
        assert "absent.vmfb: cannot be loaded: No such file" in refused("run", "absent.vmfb", "--input", "x.npy")

    def test_not_a_program(self, refused: Refused, work: Path) -> None:
        np.save(work / "x.npy", images(1))
        assert "good.onnx: cannot be loaded: " in refused("run", "good.onnx", "--input", "x.npy")

    def test_inputs_that_do_not_fit(self, quantune: Quantune, refused: Refused, work: Path) -> None:
        (work / "m.mlir").write_text(
            "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n"
            "  %y = tosa.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>\n"
            "  return %y : tensor<2xf32>\n}\n"
        )
        assert quantune("compile", "m.mlir", "-o", "m.vmfb").status == 0
        for array, expected in (
            (np.zeros(3, np.float32), "1 sample(s) are left over: a run of the program takes 2"),
            (np.zeros((1, 3), np.float32), "has shape [1, 3]"),
            (np.zeros(2, np.float64), "is float64, the model takes float32"),
        ):
            np.save(work / "x.npy", array)
            message = refused("run", "m.vmfb", "--input", "x.npy")
            assert expected in message
        assert "x.npz" in refused("run", "m.vmfb", "--input", save_samples(work / "x.npz", x=images()))
        np.save(work / "x.npy", np.ones(2, np.float32))
        message = refused("run", "m.vmfb", "--input", "x.npy", "--output", "a.npy", "--output", "b.npy")
        assert "the program has 1 output(s), not 2" in message
        assert not (work / "a.npy").exists()

    def test_module_that_iree_refuses(self, refused: Refused, work: Path) -> None:
        (work / "m.mlir").write_text("func.func private @f()\nfunc.func @main() { call @f() : () -> () return }\n")
        message = refused("compile", "m.mlir", "-o", "m.vmfb")
        assert "IREE cannot compile the module" in message and "m.mlir:1:1" in message
        assert not (work / "m.vmfb").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds child processes in /proc")
@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_interrupted(tmp_path: Path, number: signal.Signals, status: int, word: str) -> None:
    command = [sys.executable, "-m", "quantune_mlir.cli.quantune", "quantize", str(DIGITS / "digits.onnx")]
    arguments = [
        "--calibration",
        str(DIGITS / "digits_calibration.npz"),
        "--output",
        str(tmp_path / "out"),
        "--no-cache",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [*command, *arguments], env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    )
    compilers = _await_children(process.pid)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in message
    assert message == f"quantune: {word}; nothing was written\n"
    assert list(tmp_path.iterdir()) == []
    assert not _still_running(compilers)


def _heed_interrupts() -> None:
    """Shells start background jobs, and so perhaps this test run, with SIGINT ignored; children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _await_children(pid: int) -> list[int]:
    """The processes below a process, once iree-compile is among them: it does its work in one, that in another."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        workers = _children(pid)
        compilers = [child for worker in workers for child in _children(worker)]
        if compilers:
            return workers + compilers
        time.sleep(0.02)
    raise AssertionError("no compiler was started")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _still_running(processes: list[int]) -> list[int]:
    """Those that do not end in good time: a process that was killed takes a moment."""
    deadline = time.monotonic() + 5
    while (running := [pid for pid in processes if _is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return running


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
