from __future__ import annotations

import numpy as np
import pytest

from quantune_mlir.numerics.drop import estimate_drop, logits

RNG = np.random.default_rng(5)


def noisy(count: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits of 10 classes of which the largest is mostly right, the same with noise, and labels."""
    labels = RNG.integers(0, 10, count)
    before = RNG.standard_normal((count, 10))
    before[np.arange(count), labels] += 3
    return before, before + noise * RNG.standard_normal(before.shape), labels


def test_without_noise_nothing_is_lost() -> None:
    before, _, labels = noisy(200, 0.0)
    drop = estimate_drop(before, before, labels)
    assert (drop.lost, drop.won, drop.expected, drop.unseen) == (0, 0, 0, pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_few_samples_foretell_the_losses_of_many(noise: float) -> None:
    many = estimate_drop(*noisy(40_000, noise))
    few = np.mean([estimate_drop(*noisy(100, noise)).expected for _ in range(50)])
    assert few == pytest.approx(many.lost, rel=0.2)
    assert many.expected == pytest.approx(many.lost, rel=0.2)


def test_much_noise_is_not_taken_lightly() -> None:
    many = estimate_drop(*noisy(40_000, 1.0))
    assert many.lost < many.expected < 1.5 * many.lost


def test_samples_that_the_network_knows_too_well_do_not_hide_losses() -> None:
    """Without its ties, a set looks safe; the estimate for other samples is much the same."""
    before, after, labels = noisy(20_000, 0.1)
    top = np.sort(before, axis=1)
    clear = top[:, -1] - top[:, -2] > 0.5
    everything = estimate_drop(before, after, labels)
    known = estimate_drop(before[clear], after[clear], labels[clear])
    assert known.lost == 0 and known.expected < 0.1 < 0.5 < everything.expected
    assert known.unseen == pytest.approx(everything.unseen, rel=0.25)
    assert known.points == known.unseen


def test_labels_tell_losses_from_wins() -> None:
    before = np.array([[2.0, 1, 0], [2.0, 1, 0], [0.0, 2, 1]])
    after = np.array([[1.0, 2, 0], [1.0, 2, 0], [0.0, 2, 1]])
    drop = estimate_drop(before, after, np.array([0, 1, 1]))
    assert (drop.lost, drop.won) == (pytest.approx(100 / 3), pytest.approx(100 / 3))
    assert estimate_drop(before, after, None).lost == pytest.approx(200 / 3)


def test_probabilities_count_by_their_logarithms() -> None:
    before, after, labels = noisy(300, 0.3)

    def softmax(x: np.ndarray) -> np.ndarray:
        powers = np.exp(x - x.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    wanted = estimate_drop(before, after, labels)
    found = estimate_drop(softmax(before), softmax(after), labels)
    assert found.expected == pytest.approx(wanted.expected, rel=1e-6)
    assert (logits(before) == before).all()


def test_one_output_has_no_classes() -> None:
    one = RNG.random((5, 1))
    assert estimate_drop(one, one + 1, None).points == 0
