"""The mixed program is measured once over the samples of run 2, beside what fp32 gave there."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.parts import PartNoise
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.planning.alternatives import Alternative
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.policy import PlanPolicy
from quantune_mlir.workflow.quantization import Quantization, quantize
from quantune_mlir.workflow.verification import ReferenceRuns
from quantune_mlir.workflow.warnings import warnings
from tests.onnx_models import build_model

make = onnx.helper.make_node
SAMPLES = 12


def drowning(folder: Path) -> Model:
    """Two results of one input: the one reads its loud channel, the other its quiet one, which int8 rounds to zero."""
    nodes = [make("Conv", ["x", "w1"], ["loud"], name="a"), make("Conv", ["x", "w2"], ["quiet"], name="b.1")]
    weights = {
        "w1": np.array([1, 0, -1, 0], np.float32).reshape(2, 2, 1, 1),
        "w2": np.array([0, 1, 0, 2], np.float32).reshape(2, 2, 1, 1),
    }
    image = {"x": np.zeros((1, 2, 4, 4), np.float32)}
    onnx.save(build_model(nodes, image, weights, ["loud", "quiet"]), folder / "model.onnx")
    return Model.load(folder / "model.onnx")


def samples(model: Model) -> SampleSet:
    rng = np.random.default_rng(4)
    images = rng.uniform(-1, 1, (SAMPLES, 2, 4, 4)).astype(np.float32)
    images[:, 0] *= 1e4
    return SampleSet.open({"x": images}, model.inputs)


@pytest.fixture(scope="module")
def calls() -> Counter[str]:
    return Counter()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, calls: Counter[str]) -> Quantization:
    model = drowning(tmp_path_factory.mktemp("drowning"))
    with pytest.MonkeyPatch.context() as patch:
        call = Program.call

        def counted(self: Program, function: str, *inputs: Any, **options: Any) -> Any:
            calls[function] += 1
            return call(self, function, *inputs, **options)

        patch.setattr(Program, "call", counted)
        return quantize(model, samples(model), policy=PlanPolicy(everything="int8"))


def test_each_part_has_its_noise(found: Quantization) -> None:
    assert found.verification is not None and found.verification.samples == SAMPLES
    fp32 = Program(compile_program(found.model.module, load_target("host")))
    mixed = found.program()
    for part in found.verification.parts:
        energy = ErrorEnergy()
        for run in samples(found.model):
            energy += ErrorEnergy.of(fp32(*run)[part.noise.part.output], mixed(*run)[part.noise.part.output])
        assert part.noise.sqnr_db == pytest.approx(energy.sqnr_db, abs=0.01)
        assert part.noise.whole.count == energy.count
    loud, quiet = (part.noise.sqnr_db for part in found.verification.parts)
    assert loud > 30
    assert quiet < 1


def test_the_program_that_was_verified_is_the_one_that_ships(found: Quantization) -> None:
    assert found.verified is not None
    assert found.compile() is found.compile("host") is found.verified.program


def test_fp32_is_not_run_again(found: Quantization, calls: Counter[str]) -> None:
    """Two runs and one: the observed one, fp32 beside int8 (here all is probed), and the mixed program."""
    assert found.runs.fp32 == found.runs.int8 == 1
    assert calls["main"] + calls["probe"] == 3 * SAMPLES


def test_without_verification_the_samples_run_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, runs = drowning(tmp_path), Counter[str]()
    call = Program.call

    def counted(self: Program, function: str, *inputs: Any, **options: Any) -> Any:
        runs[function] += 1
        return call(self, function, *inputs, **options)

    monkeypatch.setattr(Program, "call", counted)
    found = quantize(model, samples(model), policy=PlanPolicy(everything="int8"), verify=False)
    assert runs["main"] + runs["probe"] == 2 * SAMPLES
    assert found.verification is None and found.verified is None
    assert not any("verified" in stage for stage in found.seconds)


def test_a_ruined_part_is_a_warning_with_its_layers_and_a_remedy(found: Quantization) -> None:
    (warning,) = warnings(found)
    what, layers, remedy = warning.splitlines()
    assert "quiet " in what and " dB" in what and "loud" not in what
    assert layers.endswith(": b.1"), "the other convolution is not before it"
    assert "--min-sqnr 20" in remedy and r"--keep-fp32 '^(b\.1)$'" in remedy


def test_the_remedy_helps(found: Quantization) -> None:
    model = found.model
    again = quantize(model, samples(model), QuantizeOptions(), policy=PlanPolicy(keep_fp32=r"^(b\.1)$"))
    assert warnings(again) == []


def test_why_most_stays_fp32_is_told(tmp_path: Path) -> None:
    model = drowning(tmp_path)
    (warning,) = warnings(quantize(model, samples(model)))
    what, layers, remedy = warning.splitlines()
    assert what.startswith("0% of the multiply-accumulates are in int8: with 60% of") and what.endswith(" at b.1")
    assert layers == "most of that noise is made by b.1, a" and "--max-drop" in remedy


@pytest.mark.parametrize(("time", "told"), [(8.0, ["20.0 dB", "30.0 dB"]), (9.5, ["20.0 dB"])])
def test_most_in_int8_with_the_floor_is_no_loss_where_it_takes_longer(
    time: float, told: list[str], tmp_path: Path
) -> None:
    model = drowning(tmp_path)
    found = quantize(model, samples(model))
    chosen = Alternative(("a", "b.1"), 0.0, 9.0, 100.0, chosen=True)
    said: list[str] = []
    for noise in (1e-2, 1e-3):
        vars(found)["front"] = [Alternative((), 1.0, 7.0, 25.0), chosen, Alternative((), noise, time, 25.0)]
        said += warnings(found)
    assert [db for db in ("20.0 dB", "30.0 dB") if db in "".join(said)] == told


def measured(found: Quantization, *noise: ErrorEnergy, **changes: Any) -> list[str]:
    """The warnings of a quantization in which this had been measured at the parts."""
    assert found.verification is not None
    parts = [
        replace(part, noise=replace(part.noise, worst=energy, whole=energy))
        for part, energy in zip(found.verification.parts, noise, strict=True)
    ]
    return warnings(replace(found, verification=replace(found.verification, parts=tuple(parts)), **changes))


FINE = ErrorEnergy(1.0, 1e-4, 10)


def test_what_is_below_twenty_is_told(found: Quantization) -> None:
    (warning,) = measured(found, ErrorEnergy(1.0, 0.0111, 10), FINE)
    assert "loud 19.5 dB; below 20 dB" in warning and "--min-sqnr" in warning


def test_what_was_asked_for_already_is_no_remedy(found: Quantization) -> None:
    (warning,) = measured(found, FINE, ErrorEnergy(1.0, 0.02, 10), policy=PlanPolicy())
    assert "--min-sqnr" not in warning and r"remedy: keep these in fp32: --keep-fp32 '^(b\.1)$'" in warning


def test_zeros_are_not_judged(found: Quantization) -> None:
    (warning,) = measured(found, ErrorEnergy(0.0, 0.0, 10), FINE)
    assert warning.startswith("not judged: loud;") and "remedy: calibrate with" in warning


def test_classes_are_told_by_how_many_differ(found: Quantization, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found.verification is not None
    loud, quiet = found.verification.parts
    monkeypatch.setattr(Model, "layers_before", lambda self, part: {"a"})
    energy = ErrorEnergy(85, 1, 85)
    decided = PartNoise(replace(loud.noise.part, reading="classes"), energy, energy)
    parts = (replace(loud, noise=decided), replace(quiet, noise=loud.noise))
    (warning,) = warnings(replace(found, verification=replace(found.verification, parts=parts)))
    assert "loud 19.3 dB (1 of 85 decided otherwise)" in warning


def test_the_order_of_a_top_k_is_not_judged(found: Quantization) -> None:
    assert found.verification is not None
    loud, quiet = found.verification.parts
    ranked = replace(quiet, noise=replace(quiet.noise, part=replace(quiet.noise.part, reading="ranked")))
    (warning,) = warnings(replace(found, verification=replace(found.verification, parts=(loud, ranked))))
    assert warning.startswith("not judged: quiet ") and "--outputs" in warning


def test_an_input_that_is_always_the_same_is_told(found: Quantization) -> None:
    histograms = {**found.profile, "%x": Histogram.of(np.zeros(8, np.float32))}
    profile = Profile(found.profile.model, SAMPLES, histograms)
    (warning,) = measured(found, FINE, FINE, profile=profile)
    assert warning.startswith("inputs that are the same throughout all samples: x 0\n")


def test_what_few_samples_make_is_told(found: Quantization) -> None:
    assert found.verification is not None
    loud, quiet = found.verification.parts
    energy = ErrorEnergy(1.0, 0.008, 10)
    parts = [
        replace(loud, noise=replace(loud.noise, worst=energy, spread=0.9)),
        replace(quiet, noise=replace(quiet.noise, worst=energy, spread=0.3)),
    ]
    (warning,) = warnings(replace(found, verification=replace(found.verification, parts=tuple(parts))))
    assert "noise: loud 21.0 dB, 16.5 dB on others perhaps\nremedy: calibrate" in warning


def test_samples_that_differ_much_in_size_are_told(found: Quantization) -> None:
    rng = np.random.default_rng(5)
    runs = np.exp(rng.standard_normal((50, 1))) * rng.standard_normal((50, 64))
    histograms = {
        name: reduce(Histogram.merge, map(Histogram.of, (runs * held.hi / runs.max()).astype(np.float32)))
        for name, held in found.parameters.items()
    }
    profile = Profile(found.profile.model, len(runs), {**found.profile, **histograms})
    (warning,) = measured(found, FINE, FINE, profile=profile)
    assert warning.startswith("the samples differ much in size: 10 times as many may reach ")
    assert "; 3 of 3 tensors in int8 would be clipped\nremedy: calibrate with more samples" in warning


def test_few_samples_tell_nothing_of_others(found: Quantization) -> None:
    (warning,) = measured(found, FINE, FINE, runs=replace(found.runs, samples=1))
    assert warning.startswith("only 1 sample(s)") and "\nremedy: " in warning


def test_what_was_not_measured_is_told_as_predicted(found: Quantization) -> None:
    (warning,) = warnings(replace(found, verification=None))
    assert warning.startswith("not measured, but predicted at the outputs: at b.1 ")


class TestReferenceRuns:
    def test_all_are_kept_that_fit(self) -> None:
        runs = self.added(10, ReferenceRuns(most_bytes=10 * 8))
        assert [int(run.outputs[0][0]) for run in runs] == list(range(10))

    @pytest.mark.parametrize("count", [11, 40, 1000])
    def test_of_more_some_evenly_spaced(self, count: int) -> None:
        runs = self.added(count, ReferenceRuns(most_bytes=10 * 8))
        kept = [int(run.outputs[0][0]) for run in runs]
        assert 5 <= len(runs) == len(kept) <= 10
        assert len({*np.diff(kept)}) == 1 and count - kept[-1] <= kept[1]

    def test_no_more_than_forty(self) -> None:
        assert 20 <= len(self.added(401, ReferenceRuns())) <= 40 == len(self.added(40, ReferenceRuns()))

    def test_one_is_kept_however_large(self) -> None:
        assert len(self.added(3, ReferenceRuns(most_bytes=1))) == 1

    @staticmethod
    def added(count: int, runs: ReferenceRuns) -> ReferenceRuns:
        for index in range(count):
            runs.add((np.zeros(1, np.float32),), [np.full(1, index, np.float32)])
        return runs
