from __future__ import annotations

import io
from functools import reduce
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.ranges import choose_range
from quantune_mlir.numerics.schemes import RangeMethod, Scheme

SAMPLES = np.random.default_rng(0).standard_t(3, size=(12, 300)).astype(np.float32)


def profile_of(samples: np.ndarray, model: str = "abc") -> Profile:
    tensors = {"%input": samples, "block/conv": np.maximum(samples, 0), "split:1": np.zeros_like(samples)}
    histograms = {name: reduce(Histogram.merge, map(Histogram.of, x)) for name, x in tensors.items()}
    return Profile(model, len(samples), histograms)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)), st.sets(st.integers(1, 11)), st.randoms(use_true_random=False))
def test_same_bytes_however_the_samples_are_split_and_ordered(order: list[int], cuts: set[int], random) -> None:
    samples = SAMPLES[list(order)]
    parts = [profile_of(samples[a:b]) for a, b in pairwise([0, *sorted(cuts), 12])]
    random.shuffle(parts)
    assert Profile.merge(parts).to_bytes() == profile_of(SAMPLES).to_bytes()


def test_merge_of_merges() -> None:
    a, b, c = (profile_of(SAMPLES[i : i + 4]) for i in (0, 4, 8))
    assert Profile.merge([Profile.merge([c, a]), b]).to_bytes() == Profile.merge([a, b, c]).to_bytes()
    assert Profile.merge([a, b, c]).samples == 12


def test_save_and_load(tmp_path: Path) -> None:
    profile = profile_of(SAMPLES)
    profile.save(tmp_path / "profile.npz")
    loaded = Profile.load(tmp_path / "profile.npz")
    assert loaded == profile
    assert list(loaded) == ["%input", "block/conv", "split:1"]
    assert (loaded.model, loaded.samples) == ("abc", 12)
    assert (tmp_path / "profile.npz").stat().st_size < 20_000


def test_tensors_that_share_parameters_get_the_range_of_all_they_hold() -> None:
    profile = profile_of(SAMPLES)
    joined = profile["block/conv"].join(profile["%input"])
    assert joined.extremes.runs == len(SAMPLES)
    for method in RangeMethod:
        for scheme in (Scheme.ASYMMETRIC, Scheme.SYMMETRIC):
            expected = choose_range(joined, method, scheme=scheme)
            for _ in ("found", "kept"):
                assert profile.range_of(("block/conv", "%input"), method, scheme) == expected
    assert profile.range_of(("block/conv",), RangeMethod.MINMAX, Scheme.ASYMMETRIC)[0] == 0


def test_profile_without_tensors() -> None:
    stored = Profile("m", 0, {}).to_bytes()
    assert Profile.from_bytes(stored) == Profile("m", 0, {})
    assert Profile.restored(stored).to_bytes() is stored


def test_nonfinite_values_name_their_tensor() -> None:
    with pytest.raises(DataError, match="tensor block/conv: 1 of 2 values"):
        Profile("m", 1, {"block/conv": Histogram.of(np.array([1, np.inf], np.float32))})


def test_only_profiles_of_one_model_merge() -> None:
    with pytest.raises(DataError, match="profile 2 is of another model"):
        Profile.merge([profile_of(SAMPLES), profile_of(SAMPLES, "other")])
    with pytest.raises(DataError, match="other tensors"):
        Profile.merge([profile_of(SAMPLES), Profile("abc", 1, {})])
    with pytest.raises(DataError, match="no profile"):
        Profile.merge([])


def test_broken_files_are_refused(tmp_path: Path) -> None:
    content = profile_of(SAMPLES).to_bytes()
    other = io.BytesIO()
    np.savez(other, x=np.zeros(3))
    for broken in (b"", b"text", content[:-100], other.getvalue()):
        (tmp_path / "p.npz").write_bytes(broken)
        with pytest.raises(DataError, match=r"p\.npz: not a readable profile"):
            Profile.load(tmp_path / "p.npz")
    with pytest.raises(DataError, match="No such file"):
        Profile.load(tmp_path / "absent.npz")


def test_another_format_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantune_mlir.numerics.profile.FORMAT", 9)
    content = profile_of(SAMPLES).to_bytes()
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"format 9 is later than .* up to 4"):
        Profile.from_bytes(content)
