"""Directories and programs that are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend import compiler
from tests.e2e.conftest import Quantune, Refused
from tests.e2e.models import images, save_samples


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
