"""Profiles that no run has made."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from quantune_mlir.errors import DataError
from quantune_mlir.numerics.channels import BINS, ChannelStatistics
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.numerics.run_extremes import RunExtremes

Arrays = dict[str, Any]


def good() -> Profile:
    channel = ChannelStatistics(2, np.zeros((3, BINS), np.int64), np.zeros(3, np.float32), np.ones(3, np.float32))
    first, second = (Histogram.of(np.array(values, np.float32)) for values in ([-1.5, 0], [0, 2]))
    return Profile("0" * 64, 2, {"a": first.merge(second), "b": Histogram()}, {"a": channel})


def arrays() -> Arrays:
    with np.load(io.BytesIO(good().to_bytes())) as found:
        return dict(found)


def packed(content: Mapping[str, Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **content)
    return file.getvalue()


def with_header(**changes: Any) -> Arrays:
    content = arrays()
    header = json.loads(bytes(content["header"])) | changes
    return content | {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}


def refused(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        Profile.from_bytes(data, where="profile.npz")
    assert str(caught.value).startswith("profile.npz: ")


def test_a_good_one_is_read() -> None:
    assert Profile.from_bytes(packed(arrays())) == good()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": 3},
        {"format": [1]},
        {"samples": -1},
        {"samples": 10**400},
        {"samples": 1.5},
        {"samples": True},
        {"model": 7},
        {"tensors": ["a"]},
        {"tensors": ["a", "a"]},
        {"tensors": [["a"], "b"]},
        {"tensors": "abc"},
        {"channel_tensors": None},
    ],
)
def test_headers(changes: Arrays) -> None:
    refused(packed(with_header(**changes)))


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[]", "7", '{"format": 4}', "1" * 5000, "\udcff"])
def test_headers_that_are_none(text: str) -> None:
    refused(packed(arrays() | {"header": np.frombuffer(text.encode("utf-8", "surrogateescape"), np.uint8)}))


def changed(name: str, change: Callable[[np.ndarray], Any]) -> bytes:
    content = arrays()
    return packed(content | {name: np.asarray(change(content[name]))})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("counts", lambda x: x * 0 + (2**64 - 1)),
        ("counts", lambda x: x * 0),
        ("counts", lambda x: x[:-1]),
        ("counts", lambda x: x.astype(np.float64)),
        ("counts", lambda x: x.astype(np.int64)),
        ("counts", lambda x: x[None]),
        ("buckets", lambda x: x[::-1].copy()),
        ("buckets", lambda x: x * 0),
        ("buckets", lambda x: x * 0 + 0x7F80),
        ("lengths", lambda x: x + 1),
        ("lengths", lambda x: ~(x * 0)),
        ("lengths", lambda x: x[:, None]),
        ("lowest", lambda x: -x),
        ("lowest", lambda x: np.full_like(x, np.nan)),
        ("lowest", lambda x: x.astype(complex)),
        ("lowest", lambda x: x * 0),
        ("lowest", lambda x: x[::-1]),
        ("highest", lambda x: np.full_like(x, np.inf)),
        ("highest", lambda x: np.full_like(x, -5)),
        ("runs", lambda x: x + 1),
        ("runs", lambda x: x.astype(np.int64)),
        ("channel_minimum", lambda x: x + 9),
        ("channel_maximum", lambda x: x * np.nan),
        ("channel_counts", lambda x: x + 2**63),
        ("channel_sums", lambda x: x[:, :3]),
        ("channel_sums", lambda x: x.reshape(-1)),
        ("header", lambda x: x.astype(np.float32)),
        ("header", lambda _: "text"),
    ],
)
def test_numbers(name: str, change: Callable[[np.ndarray], Any]) -> None:
    refused(changed(name, change))


def test_arrays_of_objects_or_missing() -> None:
    refused(packed(arrays() | {"counts": np.array([{}], object)}))
    content = arrays()
    del content["counts"]
    refused(packed(content))


def zipped(name: str, content: bytes) -> bytes:
    """The good profile with other bytes for one array."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed(arrays()))) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, content if member == f"{name}.npy" else old.read(member))
    return file.getvalue()


def npy(shape: str, dtype: str = "<u8", size: int = 64) -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(size)


@pytest.mark.parametrize(
    "content",
    [
        npy(f"({2**62}, 4)"),
        npy("(-1,)"),
        npy("(8,), 'x': '''"),
        npy(f"({2**70},)"),
        npy("(8.0,)"),
        npy("'x'"),
        npy("(" * 2000 + ")" * 2000),
        npy("(8,)", dtype="|O"),
        npy("(8,)", dtype="nonsense"),
        npy("(0,)", dtype="V0"),
        b"\x93NUMPY\x09\x00" + bytes(50),
        b"",
    ],
)
def test_arrays_with_broken_headers(content: bytes) -> None:
    refused(zipped("counts", content))


def test_a_zip_bomb_is_not_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("counts.npy", "w") as member:
        for _ in range(520):
            member.write(bytes(1 << 20))
    refused(file.getvalue())
    data = bytearray(packed(arrays()))
    data[len(data) // 2] ^= 0xFF
    refused(bytes(data))
    refused(bytes(data[: len(data) // 2]))


def test_more_than_can_be_counted() -> None:
    zero = np.zeros(1, np.float32)
    many = Histogram(np.zeros(1, np.uint16), np.array([2**61], np.uint64), RunExtremes.of(zero, zero))
    profile = Profile("0" * 64, 1, {"a": many})
    assert Profile.from_bytes(profile.to_bytes()) == profile
    with pytest.raises(DataError, match="cannot be added"):
        Profile.merge([profile, profile, profile])


def test_profiles_of_another_model() -> None:
    good().require_model(None)
    good().require_model("0" * 64)
    with pytest.raises(DataError, match="of another model"):
        good().require_model("1" * 64)
