"""`quantune tune MODEL -o tiles.yaml`, and what other commands do with the file. What kernels take is made up."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.compile_cache import CACHE_VARIABLE
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.host_isa import host_isa
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.kernels.tiling.tuning import Tiling
from quantune_mlir.workflow import tiling_timer
from quantune_mlir.workflow.tuning import Site, Timer, Timers
from tests.e2e.conftest import DIGITS, Quantune

MODEL = DIGITS / "digits.onnx"
CALIBRATION = ("--calibration", DIGITS / "digits_calibration.npz", "--samples", 10)
Refused = Callable[..., str]


def the_last_is_quickest(*_: object) -> Timers:
    def timer_of(site: Site, tilings: Sequence[Tiling]) -> Timer:
        last = tilings[-1]
        return lambda chosen, seconds: [np.full(20, 1e-5 if tiling == last else 2e-5) for tiling in chosen]

    return timer_of


@pytest.fixture(autouse=True)
def _measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(tiling_timer, "host_timers", the_last_is_quickest)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def digits(quantune: Quantune, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample network, quantized with the model's tiles."""
    output = tmp_path_factory.getbasetemp() / "model_tiles"
    if not output.exists():
        assert quantune("quantize", MODEL, *CALIBRATION, "--output", output).status == 0
    return output


def test_of_an_output_directory(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    outcome = quantune("tune", digits, "-o", "tiles.yaml")
    assert outcome.status == 0, outcome.stderr
    tiles = TunedTiles.load("tiles.yaml")
    assert tiles.isa == host_isa() and {tuned.kernel.precision for tuned in tiles.kernels} == {"int8", "fp32"}
    assert all(tuned.speedup == 2 for tuned in tiles.kernels)
    assert f"tiles.yaml: tiles of {len(tiles.kernels)} kernels" in outcome.stdout
    sums = {line.split()[0]: line.split()[-1] for line in outcome.stdout.splitlines()[-5:-1]}
    assert sums == {"program": "gain", "fp32": "%", "int8": "%", "mixed": "%"}
    again = quantune("tune", digits, "-o", "again.yaml", "--seconds", 0)
    assert again.stdout.replace("again", "tiles") == outcome.stdout and again.stderr == ""
    assert Path("again.yaml").read_bytes() == Path("tiles.yaml").read_bytes()


def test_a_model_and_a_variant_have_the_same_kernels(quantune: Quantune, digits: Path) -> None:
    assert quantune("tune", MODEL, "-o", "onnx.yaml").status == 0
    given = TunedTiles.load("onnx.yaml")
    assert quantune("tune", digits, "--variant", "int8", "-o", "int8.yaml").status == 0
    assert set(TunedTiles.load("int8.yaml").kernels) == {x for x in given.kernels if x.kernel.precision == "int8"}
    assert quantune("tune", digits / "fp32.mlir", "-o", "fp32.yaml").status == 0
    assert set(TunedTiles.load("fp32.yaml").kernels) == {x for x in given.kernels if x.kernel.precision == "fp32"}


def test_a_limit_of_time(quantune: Quantune) -> None:
    outcome = quantune("tune", MODEL, "-o", "tiles.yaml", "--seconds", 0)
    assert outcome.status == 0 and "are not measured: run the command again to go on" in outcome.stderr
    assert TunedTiles.load("tiles.yaml").kernels == ()


def test_interrupted(quantune: Quantune, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> Timers:
        def timer_of(*_: object) -> Timer:
            raise KeyboardInterrupt

        return timer_of

    monkeypatch.setattr(tiling_timer, "host_timers", interrupt)
    outcome = quantune("tune", MODEL, "-o", "tiles.yaml")
    assert outcome.status == 130
    assert "what was measured is kept: run the command again to go on" in outcome.stderr
    assert not Path("tiles.yaml").exists()


@pytest.mark.slow
def test_programs_with_other_tiles_compute_the_same(quantune: Quantune, digits: Path, tmp_path: Path) -> None:
    assert quantune("tune", digits, "-o", "tiles.yaml").status == 0
    tuned, test = tmp_path / "tuned", DIGITS / "digits_test.npz"
    arguments = (MODEL, *CALIBRATION, "--tiles", "tiles.yaml", "--output", tuned)
    assert quantune("quantize", *arguments).status == 0
    assert (tuned / "tiles.yaml").read_bytes() == Path("tiles.yaml").read_bytes()
    for name in ("mixed.mlir", "plan.yaml", "sensitivity.yaml"):
        assert (tuned / name).read_bytes() == (digits / name).read_bytes()
    for directory in (digits, tuned):
        command = ("evaluate", directory, "--data", test, "--samples", 40, "--variant", "int8", "--outputs")
        assert quantune(*command, f"{directory.name}.npy").status == 0
    np.testing.assert_array_equal(np.load("tuned.npy"), np.load(f"{digits.name}.npy"))
    compiled = ("compile", digits / "mixed.mlir", "--tiles", "tiles.yaml", "-o", "a.vmfb")
    assert quantune(*compiled).status == 0
    image = np.load(test)["input"][:1]
    (ours,), (others,) = Program(digits / "model.vmfb")(image), Program(Path("a.vmfb"))(image)
    np.testing.assert_allclose(ours, others, rtol=1e-5, atol=1e-5)
    before = set(digits.rglob("*.vmfb"))
    bench = ("bench", digits, "--tiles", "tiles.yaml", "--variant", "int8", "--variant", "mixed", "--seconds", 0)
    assert quantune(*bench).status == 0
    made = sorted(path.name.split("-")[0] for path in set(digits.rglob("*.vmfb")) - before)
    assert made == ["int8", "mixed"], "neither the int8 program nor model.vmfb has these tiles"


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("absent.onnx",), "absent.onnx: no such file"),
            ((".",), "not an output directory of `quantune quantize`"),
            ((MODEL, "--variant", "int8"), "digits.onnx: has no variants"),
            ((MODEL, "--target", "cortex-a53"), "--target cortex-a53: the kernels of cortex-a53 cannot be measured"),
            ((MODEL, "--target", "vmvx"), "target vmvx has no kernels of ours"),
            ((MODEL, "--target", "hots"), "did you mean 'host'?"),
            ((MODEL, "--calibration", "absent.npz"), "absent.npz: cannot be read"),
            (("m.mlir", "--calibration", "x.npz"), "m.mlir: needs no samples"),
            ((MODEL, "--seconds", "-1"), "Invalid value for '--seconds'"),
        ],
    )
    def test_of_tune(self, refused: Refused, arguments: tuple[object, ...], message: str) -> None:
        assert message in refused("tune", *arguments, "-o", "tiles.yaml")
        assert not Path("tiles.yaml").exists()

    @pytest.mark.parametrize("place", ["absent/tiles.yaml", "."])
    def test_unwritable(self, refused: Refused, place: str) -> None:
        message = refused("tune", MODEL, "-o", place)
        assert "cannot be written" in message or "is a directory" in message

    @pytest.mark.parametrize(
        ("tiles", "message"),
        [
            (None, "t.yaml: cannot be read: No such file"),
            ("just text", "t.yaml: this is not a file of tuned tiles"),
            ("format: 1\nisa: mmx\n", "line 2: isa"),
            ("format: 1\nisa: rvv\n", "t.yaml: these tiles were measured with rvv, the target has "),
            ("format: 1\nisa: rvv\nkernels:\n- {precision: int4}\n", "line 4: kernels.0.precision"),
        ],
    )
    @pytest.mark.parametrize(
        "command",
        [
            ("compile", "absent.mlir", "-o", "m.vmfb"),
            ("quantize", MODEL, *CALIBRATION, "--output", "out"),
        ],
    )
    def test_of_tiles(self, refused: Refused, command: tuple[object, ...], tiles: str | None, message: str) -> None:
        if tiles is not None:
            Path("t.yaml").write_text(tiles)
        assert message in refused(*command, "--tiles", "t.yaml")
        assert not Path("out").exists() and not Path("m.vmfb").exists()

    def test_tiles_without_kernels(self, refused: Refused) -> None:
        assert "--tiles: are for our kernels" in refused(
            "compile", "m.mlir", "--no-kernels", "--tiles", "t.yaml", "-o", "m.vmfb"
        )

    def test_a_directory_whose_tiles_are_broken(self, refused: Refused, digits: Path, tmp_path: Path) -> None:
        shutil.copytree(digits, tmp_path / "broken")
        (tmp_path / "broken" / "tiles.yaml").write_text("format: 9\n")
        assert "tiles.yaml: line 1: format 9 is later than" in refused("bench", "broken")
