"""The noise of parts of outputs, each beside its own signal."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.parts import AxisRange, Part, PartMeter, PartNoise, worst_db, worst_group

RNG = np.random.default_rng(5)


def measured(part: Part, reference: np.ndarray, candidate: np.ndarray, argument: np.ndarray | None = None) -> PartNoise:
    """Over samples along a first axis."""
    meter = PartMeter([part])
    for index in range(len(reference)):
        meter.add([reference[index]], [candidate[index]], None if argument is None else argument[index])
    (noise,) = meter.noise()
    return noise


def whole(shape: tuple[int, ...], channels: int | None = None) -> Part:
    return Part(0, "y", shape, channels=channels)


def relative(db: float) -> float:
    """Energy of noise so many dB below a signal of energy 1."""
    return 10 ** (-db / 10)


def test_a_part_is_called_as_numpy_would_write_it() -> None:
    box = Part(0, "output", (1, 84, 100), (AxisRange(1, 0, 4),))
    assert box.name == "output[:, 0:4]"
    assert Part(0, "output", (1, 9, 6), (AxisRange(1, 0, 4), AxisRange(2, 5, 6))).name == "output[:, 0:4, 5:6]"
    assert whole((1, 3)).name == "y"
    array = np.arange(84 * 100).reshape(1, 84, 100)
    np.testing.assert_array_equal(box.of(array), array[:, 0:4])


def test_without_channels_it_is_the_sqnr_of_all_elements_of_all_samples() -> None:
    reference, error = RNG.standard_normal((2, 7, 1, 5, 4))
    noise = measured(whole((1, 5, 4)), reference, reference + 0.1 * error)
    expected = ErrorEnergy.of(reference, reference + 0.1 * error)
    assert noise.sqnr_db == pytest.approx(expected.sqnr_db)
    assert noise.worst.count == noise.whole.count == reference.size
    assert noise.normalized_mse == pytest.approx(expected.normalized_mse)


def test_a_number_is_a_part_too() -> None:
    assert measured(whole(()), np.full(3, 2.0), np.full(3, 2.2)).sqnr_db == pytest.approx(20)
    classes = Part(0, "y", (), reading="classes")
    assert measured(classes, np.arange(10), np.array([*range(9), 7])).sqnr_db == pytest.approx(10)


def test_the_large_do_not_drown_the_small() -> None:
    """Boxes of hundreds beside probabilities, in one part: those are lost, these are exact."""
    reference = np.concatenate([RNG.uniform(0, 400, (8, 1, 4, 50)), RNG.uniform(0, 1, (8, 1, 5, 50))], axis=2)
    candidate = reference.copy()
    candidate[:, :, 4:] = 0
    pooled, split = (measured(whole((1, 9, 50), axis), reference, candidate) for axis in (None, 1))
    assert pooled.sqnr_db > 50
    assert split.sqnr_db == pytest.approx(0)
    assert split.whole.sqnr_db == pytest.approx(pooled.sqnr_db)


def test_how_noise_is_spread_over_runs() -> None:
    """Of two channels the second is the worst; half of its noise is of one run of four."""
    part = Part(0, "y", (1, 2), channels=1)
    meter, plain = PartMeter([part], spread=True), PartMeter([part])
    for noise in (1e-3, 1e-3, 1e-3, 3**0.5 * 1e-3):
        for each in (meter, plain):
            each.add([np.array([[1e3, 1.0]])], [np.array([[1e3, 1.0 + noise]])])
    (found,), (unknown,) = meter.noise(), plain.noise()
    assert found.worst == unknown.worst and unknown.spread is None
    assert found.spread == pytest.approx(np.sqrt(4 / 3 * (3 * 0.5**2 + 1.5**2)) / 6, rel=1e-6)
    assert found.likely_mse == pytest.approx(
        found.normalized_mse * (1 + 2 * np.sqrt(4 / 3 * (3 * 0.5**2 + 1.5**2)) / 6)
    )


class TestGroups:
    def test_of_one_order_of_magnitude_are_one(self) -> None:
        signal = np.array([1.0, 0.5, 0.011])
        worst = worst_group(signal, np.array([0.0, 0.0, 0.011]), 30)
        assert (worst.signal, worst.count) == (signal.sum(), 30)

    def test_the_worst_counts(self) -> None:
        signal = np.array([1e6, 1e6, 1.0, 1.0])
        worst = worst_group(signal, signal * np.array([relative(20), relative(20), relative(30), relative(30)]), 40)
        assert ErrorEnergy(worst.signal, worst.noise, worst.count).sqnr_db == pytest.approx(20)
        assert worst.count == 20

    def test_few_quiet_channels_among_many_join_louder_ones(self) -> None:
        """A feature that hardly ever fires is no ruin, whatever its own SQNR."""
        signal = np.array([1.0] * 60 + [1e-8] * 3)
        noise = np.array([relative(30)] * 60 + [1e-7] * 3)
        worst = worst_group(signal, noise, 63)
        assert worst.count == 63
        assert worst.sqnr_db == pytest.approx(30, abs=0.01)

    def test_one_of_few_channels_stands_by_itself(self) -> None:
        worst = worst_group(np.array([1.0, 1.0, 1.0, 1e-8]), np.array([0, 0, 0, 1e-8]), 4)
        assert (worst.count, worst.sqnr_db) == (1, 0.0)

    def test_many_quiet_orders_of_magnitude_gather(self) -> None:
        signal = np.array([1.0] * 28 + [1e-4, 1e-6, 1e-8, 1e-10])
        worst = worst_group(signal, np.where(signal < 1, signal, 0), 32)
        assert worst.count == 2, "two of 32, of two orders of magnitude, are enough"

    def test_one_between_many_quiet_ones_and_few_loud_ones_stands_by_itself(self) -> None:
        """A detector's objectness: louder than the scores of eighty classes, quieter than four sides of boxes."""
        signal = np.array([1e5] * 4 + [1e1] + [1e-3] * 80)
        worst = worst_group(signal, np.where(signal == 1e1, 1.0, 0), 85)
        assert (worst.count, worst.sqnr_db) == (1, 10.0)

    def test_one_loudest_channel_stands_by_itself(self) -> None:
        signal = np.array([1e8] + [1.0] * 99)
        worst = worst_group(signal, signal * relative(40), 100)
        assert worst.sqnr_db == pytest.approx(40)
        assert worst_group(signal, np.where(signal > 1, signal, 0), 100).count == 1

    def test_dead_channels_bring_their_noise_to_the_quietest(self) -> None:
        signal = np.array([1e6, 1e6, 1.0, 1.0, 0.0, 0.0])
        assert worst_group(signal, np.array([0, 0, 0, 0, 0.1, 0.1]), 6).sqnr_db == pytest.approx(10)
        assert worst_group(signal, np.zeros(6), 6).sqnr_db == math.inf


class TestWithoutSignal:
    """Never NaN: nothing where there is nothing is exact, anything there is all wrong."""

    @pytest.mark.parametrize("channels", [None, 1])
    def test_exact(self, channels: int | None) -> None:
        noise = measured(whole((1, 3), channels), np.zeros((2, 1, 3)), np.zeros((2, 1, 3)))
        assert (noise.sqnr_db, noise.normalized_mse) == (math.inf, 0.0)

    @pytest.mark.parametrize("channels", [None, 1])
    def test_noise(self, channels: int | None) -> None:
        noise = measured(whole((1, 3), channels), np.zeros((2, 1, 3)), np.full((2, 1, 3), 1e-9))
        assert (noise.sqnr_db, noise.normalized_mse) == (-math.inf, math.inf)


class TestWhatIsNotFinite:
    def test_alike_is_exact(self) -> None:
        values = np.array([[[1.0, np.inf, -np.inf, np.nan]]])
        assert measured(whole((1, 4)), values, values).sqnr_db == math.inf

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_in_the_candidate_alone_all_is_lost(self, wrong: float) -> None:
        noise = measured(whole((1, 2), 1), np.array([[[1.0, 2.0]]]), np.array([[[1.0, wrong]]]))
        assert noise.sqnr_db == -math.inf

    def test_in_fp32_alone_all_is_lost(self) -> None:
        noise = measured(whole((1, 2)), np.array([[[1.0, -np.inf]]]), np.array([[[1.0, -50.0]]]))
        assert noise.sqnr_db == -math.inf


class TestScores:
    @pytest.mark.parametrize("reading", ["probabilities", "log probabilities"])
    def test_of_a_softmax_are_compared_as_scores_beside_their_mean(self, reading: str) -> None:
        scores = RNG.normal(0, 3, (40, 1, 10))
        noisy = scores + RNG.normal(0, 0.1, scores.shape)
        part = Part(0, "y", (1, 10), reading=reading, scores=1)  # type: ignore[arg-type]

        def read(x: np.ndarray) -> np.ndarray:
            shares = np.exp(x + 7)
            shares /= shares.sum(axis=-1, keepdims=True)
            return (shares if reading == "probabilities" else np.log(shares)).astype(np.float32)

        centred = [x - x.mean(axis=-1, keepdims=True) for x in (scores, noisy)]
        noise = measured(part, read(scores), read(noisy))
        assert noise.signal == "output - mean"
        assert noise.sqnr_db == pytest.approx(ErrorEnergy.of(*centred).sqnr_db, abs=0.01)

    def test_probabilities_of_zero_are_alike(self) -> None:
        part = Part(0, "y", (1, 3), reading="probabilities", scores=1)
        sure = np.array([[[1.0, 0.0, 1e-35]]], np.float32)
        assert measured(part, sure, sure[..., [0, 2, 1]]).sqnr_db == math.inf


class TestReconstruction:
    PART = Part(0, "y", (1, 8), resembles_input=True)

    def test_is_compared_with_what_it_misses_of_the_input(self) -> None:
        x = RNG.uniform(1, 2, (20, 1, 2, 4))
        y = x.reshape(20, 1, 8) + 0.1 * RNG.standard_normal((20, 1, 8))
        noise = measured(self.PART, y, y + 0.01, x)
        assert noise.signal == "output - input"
        assert noise.sqnr_db == pytest.approx(20, abs=1)

    def test_channels_are_grouped_by_their_own_scale(self) -> None:
        part = Part(0, "y", (1, 2, 4), channels=1, resembles_input=True)
        x = RNG.uniform(1, 2, (20, 1, 2, 4))
        y = x + np.array([[0.1], [0.001]])  # One channel is hardly touched.
        assert measured(part, y, y + 0.01, x).sqnr_db == pytest.approx(17, abs=0.1)

    def test_nothing_alike_is_compared_as_it_is(self) -> None:
        x = RNG.uniform(1, 2, (20, 1, 8))
        noise = measured(self.PART, -x, -x + 0.01, x)
        assert noise.signal == "output"
        assert noise.sqnr_db == pytest.approx(43.5, abs=0.5)


def test_classes_are_alike_or_not() -> None:
    part = Part(0, "y", (1, 10), reading="classes")
    reference = np.arange(10)[None, None]
    candidate = reference.copy()
    candidate[0, 0, 3] = 900
    assert measured(part, reference, candidate).sqnr_db == pytest.approx(10)
    truth = reference > 4
    assert measured(part, truth, truth).sqnr_db == math.inf


def test_the_order_of_a_top_k_is_no_worst_part() -> None:
    energy = {db: ErrorEnergy(10 ** (db / 10), 1.0, 8) for db in (5, 30)}
    values = PartNoise(Part(0, "values", (8,)), energy[30], energy[30])
    places = PartNoise(Part(1, "places", (8,), reading="ranked"), energy[5], energy[5])
    assert worst_db([places, values]) == pytest.approx(30)
    assert math.isnan(worst_db([places]))
