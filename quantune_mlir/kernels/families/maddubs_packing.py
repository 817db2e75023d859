"""i8 weights for steps that add products of u8 x s8 in 16 bits before they widen them: arranged so that all sums fit.

A word is four neighbouring weights of each channel of a vector; it meets four neighbouring inputs of a pixel. A half of
a word is two products, added in 16 bits; two words may be added half by half, too, before they are widened:

    acc += widen(x[a] . w[a] + x[b] . w[b])

Inputs are at most 255, products of weights of either sign are between -32640 and 32640 in sum, if the positive weights
of a half add up to at most 128 and the negative ones to at least -128. So they fit. What a half has beyond that is its
*overflow*; it stands in a word of its own, as a part of one of the half's two weights. Then words are joined two by
two, where the halves of both fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

DEPTH: Final = 4
"""Weights of a channel in a word."""
ROOM: Final = 128
"""What the weights of equal sign in a half may add up to."""
MOST_WORDS: Final = 3
"""The word itself, and one for the overflow of each half."""
_HALF: Final = 2
_GROUP: Final = 128
"""Words among which a word looks for another: enough for nearly all to find one, few enough to be quick."""


@dataclass(frozen=True)
class Words:
    """The words of a vector of channels, in the order in which they are summed up.

    There are at most MOST_WORDS for every DEPTH weights of a run.

    Attributes:
        weights: i8 [words][lanes][DEPTH].
        places: where the inputs of each word begin, (run, element of the run) [words][2]; the last ones may lie beyond
            the end of a run, and meet weights of 0.
        joined: how many words come in pairs; the others follow, one by one.
    """

    weights: NDArray[np.int8]
    places: NDArray[np.int64]
    joined: int


def arrange(weights: NDArray[np.int8]) -> Words:
    """Words whose sum is that of `weights`, of one vector of channels.

    Args:
        weights: [lanes, runs, elements]; inputs of a run lie side by side.
    """
    lanes, runs, elements = weights.shape
    padded = np.zeros((lanes, runs, -(-elements // DEPTH) * DEPTH), np.int64)
    padded[..., :elements] = weights
    words: list[NDArray[np.int64]] = []
    places: list[tuple[int, int]] = []
    for run in range(runs):
        overflow = _take_overflow(padded[:, run])
        words.extend(padded[:, run].reshape(lanes, -1, DEPTH).transpose(1, 0, 2))
        words.extend(overflow.values())
        places += [(run, at) for at in [*range(0, padded.shape[2], DEPTH), *overflow]]
    order, joined = _join(np.stack(words))
    return Words(np.stack(words)[order].astype(np.int8), np.array(places)[order], joined)


def _take_overflow(row: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Words of what halves of `row` [lanes, elements] exceed, by place; `row` keeps the rest.

    A word begins at the second weight of a half; it has the overflow of that half, the next, and most often the third.
    """
    first, second = row[:, 0::_HALF], row[:, 1::_HALF]
    total = np.where(first * second > 0, first + second, 0)
    overflow = total - np.clip(total, -ROOM, ROOM)
    found: dict[int, NDArray[np.int64]] = {}
    done = -1
    for half in map(int, np.flatnonzero(overflow.any(axis=0))):
        if half <= done:
            continue
        word = np.zeros((len(row), DEPTH), np.int64)
        place, done = _HALF * half + 1, half
        for position, half_of in ((0, half), (2, half + 1), (3, half + 2)):
            if half_of < overflow.shape[1] and _fits(word, position, overflow[:, half_of]):
                word[:, position] = overflow[:, half_of]
                done = half_of
            elif half_of < overflow.shape[1]:
                break
        row[:, place : place + DEPTH] -= word[:, : row.shape[1] - place]
        found[place] = word
    return found


def _fits(word: NDArray[np.int64], position: int, values: NDArray[np.int64]) -> bool:
    """Whether `values` have room at a position of `word`."""
    other = word[:, position ^ 1]
    return bool(((other * values <= 0) | (np.abs(other + values) <= ROOM)).all())


def _join(words: NDArray[np.int64]) -> tuple[list[int], int]:
    """An order of `words` [words, lanes, DEPTH], and how many come in pairs whose sums fit."""
    halves = words.reshape(len(words), -1, _HALF)
    sums = [np.where(sign * halves > 0, sign * halves, 0).sum(axis=2) for sign in (1, -1)]
    filled = np.concatenate(sums, axis=1).astype(np.uint8)
    pairs: list[int] = []
    singles: list[int] = []
    groups = ceil(len(words) / _GROUP)
    for group in range(groups):
        _join_group(np.arange(group, len(words), groups), filled, pairs, singles)
    return [*pairs, *singles], len(pairs)


def _join_group(group: NDArray[np.intp], filled: NDArray[np.uint8], pairs: list[int], singles: list[int]) -> None:
    """Each word with the fullest one that fits, the fullest first."""
    group = group[np.argsort(-filled[group].max(axis=1).astype(np.int64), kind="stable")]
    rows = filled[group]
    is_free = np.ones(len(group), bool)
    for i, word in enumerate(group):
        if not is_free[i]:
            continue
        fits = is_free[i + 1 :] & (rows[i + 1 :] <= ROOM - rows[i]).all(axis=1)
        partner = i + 1 + int(fits.argmax()) if fits.any() else None
        if partner is None:
            singles.append(int(word))
        else:
            is_free[partner] = False
            pairs += [int(word), int(group[partner])]
