"""Small changes to inputs that leave most of their structure as it is."""

from __future__ import annotations

import copy
import io
import random
import re
import zipfile
from typing import Any, Final

import numpy as np

NUMBERS: Final = (0, -1, 1, 2, 3, 7, 99, 255, 2**16, 2**31 - 1, -(2**31), 2**31, 2**40, 2**62, 2**63 - 1, -(2**63))
REALS: Final = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e-30, 1e30, -1e30, float("nan"), float("inf"), float("-inf"), 1e5)
WORDS: Final = ("", "x", "SAME", "\x1b[31m", "\u202e", "a/b", "../x", "é", "y" * 5000, "%s", "NaN", "none", "1e999")
_TOKEN: Final = re.compile(rb'"[^"\n]*"|[A-Za-z_.$%@#!^][\w.$-]*|-?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\s+|.', re.DOTALL)
_TEXTS: Final = (b"", b"0", b"-1", b"9223372036854775807", b"9" * 40, b"1e999", b"nan", b'"', b"{", b"}", b"[", b"]")


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bits flipped, parts cut, doubled or zeroed."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if not content:
            break
        at, size = rng.randrange(len(content)), rng.choice((1, 1, 4, 64))
        action = rng.randrange(5)
        if action == 0:
            content[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            content[at : at + size] = rng.randbytes(size)
        elif action == 2:
            del content[at : at + size]
        elif action == 3:
            content[at:at] = content[at : at + size]
        else:
            content[at : at + size] = bytes(size)
    return bytes(content[: rng.randrange(len(content) + 1)] if rng.random() < 0.05 else content)


def mutated_text(data: bytes, rng: random.Random) -> bytes:
    """Tokens of MLIR, YAML, JSON or a pipeline changed, doubled, swapped, or dropped."""
    tokens = _TOKEN.findall(data)
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if not tokens:
            break
        at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        action = rng.randrange(7)
        if action == 0:
            tokens[at] = tokens[other]
        elif action == 1:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif action == 2:
            del tokens[at]
        elif action == 3:
            low, high = sorted((at, other))
            tokens[low:low] = tokens[low : min(high, low + 40)]
        elif action == 4:
            tokens[at] = rng.choice(_TEXTS)
        elif action == 5:
            tokens[at] = str(rng.choice(NUMBERS) if rng.random() < 0.7 else rng.choice(REALS)).encode()
        else:
            tokens[at] = tokens[at] * rng.choice((2, 3, 2000))
    text = b"".join(tokens)
    return mutated_bytes(text, rng) if rng.random() < 0.05 else text


def mutated_value(value: Any, rng: random.Random) -> Any:
    """A value of JSON with one part changed, dropped, or of another type."""
    value = copy.deepcopy(value)
    holder, key = None, None
    inner = value
    while isinstance(inner, dict | list) and inner and (holder is None or rng.random() < 0.8):
        key = rng.choice(list(inner)) if isinstance(inner, dict) else rng.randrange(len(inner))
        holder, inner = inner, inner[key]
    if holder is None or key is None:
        return rng.choice([None, [], {}, 1, "x"])
    action = rng.randrange(4)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(inner))
    else:
        holder[key] = rng.choice([*NUMBERS, *REALS, *WORDS, None, True, [], {}, [inner], {"x": inner}, 10**30])
    return value


def mutated_array(array: np.ndarray, rng: random.Random) -> np.ndarray:
    """Another shape, dtype, or another few values."""
    action = rng.randrange(6)
    if action == 0:
        return array[: rng.randrange(len(array) + 1)] if array.ndim else array[None]
    if action == 1:
        return array[None]
    if action == 2:
        kinds = (np.float64, np.float16, np.int8, np.uint64, np.complex64, np.bool_, "U3", object)
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(kinds))
    changed = np.array(array)
    if changed.size and changed.dtype.kind in "iuf":
        numbers = REALS if changed.dtype.kind == "f" else NUMBERS
        with np.errstate(all="ignore"):
            changed.flat[rng.randrange(changed.size)] = np.array(rng.choice(numbers)).astype(changed.dtype)
    return changed if action < 5 else np.concatenate([changed, changed]) if changed.ndim else changed


def mutated_npz(data: bytes, rng: random.Random) -> bytes:
    """An .npz with an array changed, missing or with a broken header; or with other bytes."""
    if rng.random() < 0.25:
        return mutated_bytes(data, rng)
    with np.load(io.BytesIO(data)) as found:
        arrays = dict(found)
    name = rng.choice(sorted(arrays))
    file = io.BytesIO()
    action = rng.randrange(4)
    if action == 0:
        del arrays[name]
    elif action < 3:
        arrays[name] = mutated_array(arrays[name], rng)
    np.savez_compressed(file, allow_pickle=True, **arrays)
    return file.getvalue() if action < 3 else _with_member(file.getvalue(), name, rng)


def _with_member(data: bytes, name: str, rng: random.Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            content = old.read(member)
            if member == f"{name}.npy":
                head, rest = content[:128], content[128:]
                content = mutated_text(head, rng) + rest if rng.random() < 0.7 else mutated_bytes(content, rng)
            new.writestr(member, content)
    return file.getvalue()
