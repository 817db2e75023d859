from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.errors import DataError
from quantune_mlir.samples.sample_set import InputSpec, SampleSet

FLOAT = np.dtype(np.float32)
IMAGE = InputSpec("image", (1, 3, 4, 4), FLOAT)
STATE = InputSpec("state", (1, 5), np.dtype(np.int64))


def images(count: int) -> np.ndarray:
    return np.arange(count * 48, dtype=np.float32).reshape(count, 3, 4, 4)


def stored(kind: str, folder: Path, **arrays: np.ndarray) -> Path | dict[str, np.ndarray]:
    if kind == "memory":
        return arrays
    if kind == "folder":
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return folder
    save = np.savez_compressed if kind == "compressed" else np.savez
    save(folder / "data.npz", **arrays)
    return folder / "data.npz"


@pytest.mark.parametrize("kind", ["memory", "folder", "npz", "compressed"])
def test_yields_every_sample_again_and_again(kind: str, tmp_path: Path) -> None:
    x, state = images(7), np.arange(35).reshape(7, 5)
    samples = SampleSet.open(stored(kind, tmp_path, image=x, state=state, labels=np.arange(7)), [STATE, IMAGE])
    assert len(samples) == samples.samples == 7
    assert samples.labels is not None and samples.labels.tolist() == list(range(7))
    for _ in range(2):
        seen = list(samples)
        np.testing.assert_array_equal(np.concatenate([s for s, _ in seen]), state)
        np.testing.assert_array_equal(np.concatenate([i for _, i in seen]), x)
        assert seen[0][1].shape == (1, 3, 4, 4)


def test_a_key_tells_the_samples_apart_without_reading_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = stored("npz", tmp_path, image=images(7))
    assert SampleSet.open(data, [IMAGE]).key == SampleSet.open({"image": images(7)}, [IMAGE]).digest
    monkeypatch.setattr(SampleSet, "digest", None)

    def key(content: str, count: int | None = None, seed: int = 0) -> str:
        return SampleSet.open(data, [IMAGE], count, seed, content=content).key

    assert key("a") == key("a", count=99, seed=1)
    assert len({key("a"), key("b"), key("a", count=3), key("a", count=3, seed=1)}) == 4


@pytest.mark.parametrize("kind", ["memory", "folder", "npz", "compressed"])
def test_a_subset_is_seeded_sorted_and_keeps_its_labels(kind: str, tmp_path: Path) -> None:
    x = images(50)
    data = stored(kind, tmp_path, image=x, labels=np.arange(50) * 10)

    def chosen(seed: int) -> list[int]:
        samples = SampleSet.open(data, [IMAGE], count=12, seed=seed)
        rows = [int(image[0, 0, 0, 0]) // 48 for (image,) in samples]
        assert samples.labels is not None and samples.labels.tolist() == [10 * row for row in rows]
        return rows

    first = chosen(seed=1)
    assert first == sorted(set(first)) and len(first) == 12
    assert first == chosen(seed=1) != chosen(seed=2)
    assert len(SampleSet.open(data, [IMAGE], count=99)) == 50


def test_only_some_runs_are_read() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    x = InputSpec("x", (2, 2), np.float32)
    samples = SampleSet.open({"x": rows, "labels": np.arange(12)}, [x], count=8, seed=1)
    all_runs = [x for (x,) in samples]
    part = samples.only([1, 3])
    assert [x.tolist() for (x,) in part] == [all_runs[1].tolist(), all_runs[3].tolist()]
    assert (len(part), part.samples, part.number_of(1)) == (2, 4, samples.number_of(3))
    assert part.labels is None
    assert len(samples) == 4
    assert len(samples.only([])) == 0


def test_a_batch_takes_consecutive_samples_and_drops_the_incomplete_rest() -> None:
    spec = InputSpec("image", (4, 3, 4, 4), FLOAT)
    x = images(11)
    samples = SampleSet.open({"image": x, "labels": np.arange(11)}, [spec])
    assert (len(samples), samples.samples) == (2, 8)
    assert samples.labels is not None and samples.labels.tolist() == list(range(8))
    np.testing.assert_array_equal(np.stack([image for (image,) in samples]), x[:8].reshape(2, 4, 3, 4, 4))


def test_an_input_without_batch_takes_one_entry_of_a_stacked_array() -> None:
    spec = InputSpec("table", (6, 2), FLOAT)
    table = np.random.default_rng(0).normal(size=(5, 6, 2)).astype(np.float32)
    samples = SampleSet.open({"table": table, "image": images(5)}, [IMAGE, spec])
    np.testing.assert_array_equal(np.stack([t for _, t in samples]), table)


def test_scalar_input_and_foreign_byte_order(tmp_path: Path) -> None:
    path = stored("npz", tmp_path, gain=np.array([1.5, 2.5], dtype=">f4"))
    values = [gain for (gain,) in SampleSet.open(path, [InputSpec("gain", (), FLOAT)])]
    assert [float(v) for v in values] == [1.5, 2.5]
    assert values[0].dtype == FLOAT and values[0].shape == ()


def test_memory_stays_below_a_compressed_file_many_times_larger(tmp_path: Path) -> None:
    spec = InputSpec("image", (1, 3, 64, 64), FLOAT)
    x = np.random.default_rng(0).integers(0, 9, size=(800, 3, 64, 64)).astype(np.float32)
    np.savez_compressed(tmp_path / "data.npz", image=x)
    expected, size = float(x.sum(dtype=np.float64)), x.nbytes
    del x
    tracemalloc.start()
    try:
        samples = SampleSet.open(tmp_path / "data.npz", [spec])
        total = sum(float(image.sum(dtype=np.float64)) for (image,) in samples)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == expected
    assert size > 39e6
    assert peak < 2e6


def error(data: object, specs: list[InputSpec], **options: int) -> str:
    with pytest.raises(DataError) as caught:
        list(SampleSet.open(data, specs, **options))  # type: ignore[arg-type]
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert "No such file" in error(tmp_path / "absent.npz", [IMAGE])


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("hello")
    assert "not an .npz" in error(tmp_path / "x.npz", [IMAGE])


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"")
    assert "not an .npz" in error(tmp_path / "x.npz", [IMAGE])


def test_single_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images(2))
    assert "single .npy" in error(tmp_path / "x.npy", [IMAGE])


def test_truncated_zip(tmp_path: Path) -> None:
    path = stored("npz", tmp_path, image=images(9))
    assert isinstance(path, Path)
    path.write_bytes(path.read_bytes()[:1000])
    assert "truncated" in error(path, [IMAGE])


@pytest.mark.parametrize("kind", ["npz", "compressed"])
def test_corrupt_member(kind: str, tmp_path: Path) -> None:
    path = stored(kind, tmp_path, image=np.random.default_rng(0).normal(size=(9, 3, 4, 4)).astype(np.float32))
    assert isinstance(path, Path)
    content = bytearray(path.read_bytes())
    content[1000:1004] = bytes(b ^ 0x15 for b in content[1000:1004])
    path.write_bytes(content)
    message = error(path, [IMAGE])
    assert "'image'" in message and "broken" in message


def test_truncated_npy_in_folder(tmp_path: Path) -> None:
    stored("folder", tmp_path, image=images(9))
    file = tmp_path / "image.npy"
    file.write_bytes(file.read_bytes()[:-1])
    assert "truncated" in error(tmp_path, [IMAGE])


def test_wrong_name_suggests_the_nearest() -> None:
    message = error({"imgae": images(2), "labels": np.zeros(2)}, [IMAGE])
    assert "expected 'image'" in message and "'imgae', 'labels'" in message and "rename 'imgae' to 'image'" in message


def test_empty_folder(tmp_path: Path) -> None:
    assert "holds neither .npy files nor pictures" in error(tmp_path, [IMAGE])


@pytest.mark.parametrize("shape", [(5, 4, 4, 3), (5, 48), (3, 4, 4), (5, 1, 1, 3, 4, 4)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    message = error({"image": np.zeros(shape, np.float32)}, [IMAGE])
    assert str(list(shape)) in message and "[samples, 3, 4, 4]" in message


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.float16])
def test_wrong_dtype(dtype: type) -> None:
    message = error({"image": images(2).astype(dtype)}, [IMAGE])
    assert np.dtype(dtype).name in message and "astype(np.float32)" in message


def test_integer_input_takes_its_own_dtype_only() -> None:
    assert "int32" in error({"state": np.zeros((2, 5), np.int32)}, [STATE])


def test_different_lengths() -> None:
    message = error({"image": images(4), "state": np.zeros((3, 5), np.int64)}, [IMAGE, STATE])
    assert "'image' has 4 samples, 'state' has 3" in message


def test_no_samples() -> None:
    assert "0 samples" in error({"image": images(0)}, [IMAGE])


def test_fewer_samples_than_a_batch() -> None:
    assert "takes 4" in error({"image": images(3)}, [InputSpec("image", (4, 3, 4, 4), FLOAT)])
    assert "takes 4" in error({"image": images(9)}, [InputSpec("image", (4, 3, 4, 4), FLOAT)], count=3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("batch", [1, 3])
def test_nan_and_inf_name_array_and_sample(bad: float, batch: int) -> None:
    x = images(6)
    x[4, 1, 2, 3] = bad
    message = error({"image": x}, [InputSpec("image", (batch, 3, 4, 4), FLOAT)])
    assert "'image'" in message and "sample 4" in message


def test_labels_of_another_length() -> None:
    assert "5 samples" in error({"image": images(5), "labels": np.zeros(4)}, [IMAGE])


def test_python_objects_and_column_major(tmp_path: Path) -> None:
    np.save(tmp_path / "image.npy", np.array([None, "x"], dtype=object), allow_pickle=True)
    assert "Python objects" in error(tmp_path, [IMAGE])
    np.save(tmp_path / "image.npy", np.asfortranarray(images(3)))
    assert "ascontiguousarray" in error(tmp_path, [IMAGE])


def test_an_unused_array_may_be_anything(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", image=images(2), names=np.array([None, "x"], dtype=object))
    assert len(list(SampleSet.open(tmp_path / "d.npz", [IMAGE]))) == 2
