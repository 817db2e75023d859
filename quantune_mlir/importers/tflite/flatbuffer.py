"""Tables of a FlatBuffer, read with every bound checked and changed in place."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike


class BrokenBuffer(Exception):
    """Something points out of the buffer. Never shown by itself."""


@dataclass(frozen=True)
class FlatTable:
    """One table: a position in `data`, at which stands the distance back to its vtable.

    Fields are told by their slot, counted from 0 as in the schema.
    """

    data: bytearray
    position: int

    @staticmethod
    def root(data: bytearray) -> FlatTable:
        """The buffer's outermost table."""
        return FlatTable(data, _number(data, "I", 0))

    def scalar(self, slot: int, kind: str, default: int) -> int:
        """An integer field of struct format `kind`; `default` where the buffer leaves it out."""
        place = self._place(slot)
        return default if place is None else _number(self.data, kind, place)

    def put(self, slot: int, kind: str, value: int) -> bool:
        """Change an integer field of struct format `kind`; False where the buffer leaves it out."""
        place = self._place(slot)
        if place is not None:
            struct.pack_into(f"<{kind}", self.data, place, value)
        return place is not None

    def text(self, slot: int) -> str:
        """A string field, "" where there is none. Raises BrokenBuffer if it is not UTF-8."""
        try:
            return bytes(self.array(slot, np.uint8)).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BrokenBuffer("a name is not UTF-8") from error

    def table(self, slot: int) -> FlatTable | None:
        """A field that is a table."""
        place = self._place(slot)
        return None if place is None else FlatTable(self.data, place + _number(self.data, "I", place))

    def tables(self, slot: int) -> list[FlatTable]:
        """A field that is a vector of tables; empty where there is none."""
        offsets = self.array(slot, np.uint32)
        start = self._vector(slot)[0]
        return [FlatTable(self.data, start + 4 * i + int(offset)) for i, offset in enumerate(offsets)]

    def array(self, slot: int, dtype: DTypeLike) -> np.ndarray:
        """A field that is a vector of numbers: a view, through which the buffer can be changed."""
        start, count = self._vector(slot)
        if not count:
            return np.empty(0, dtype)
        try:
            return np.frombuffer(self.data, np.dtype(dtype).newbyteorder("<"), count, start)
        except ValueError as error:
            raise BrokenBuffer(f"a vector of {count} elements") from error

    def keep(self, slot: int, places: Sequence[int]) -> None:
        """Let a field that is a vector of tables hold those at these places, ascending, alone."""
        start, _ = self._vector(slot)
        offsets = self.array(slot, np.uint32)
        for place, kept in enumerate(places):
            offsets[place] = offsets[kept] + 4 * (kept - place)
        struct.pack_into("<I", self.data, start - 4, len(places))

    def with_numbers(self, slot: int, numbers: Sequence[int]) -> bytearray:
        """The buffer with a field that is a vector of int32 put at its end, with these elements.

        Raises:
            BrokenBuffer: the table has not this field.
        """
        place = self._place(slot)
        if place is None:
            raise BrokenBuffer(f"a table without the field {slot}")
        data = self.data + bytes(-len(self.data) % 4)
        struct.pack_into("<I", data, place, len(data) - place)
        return data + struct.pack(f"<I{len(numbers)}i", len(numbers), *numbers)

    def _vtable(self) -> int:
        return self.position - _number(self.data, "i", self.position)

    def _place(self, slot: int) -> int | None:
        vtable = self._vtable()
        if 4 + 2 * slot >= _number(self.data, "H", vtable):
            return None
        offset = _number(self.data, "H", vtable + 4 + 2 * slot)
        return self.position + offset if offset else None

    def _vector(self, slot: int) -> tuple[int, int]:
        """Where a vector's elements begin, and how many they are."""
        place = self._place(slot)
        if place is None:
            return 0, 0
        start = place + _number(self.data, "I", place)
        return start + 4, _number(self.data, "I", start)


def _number(data: bytearray, kind: str, place: int) -> int:
    if place < 0:
        raise BrokenBuffer(f"position {place}")
    try:
        return struct.unpack_from(f"<{kind}", data, place)[0]
    except struct.error as error:
        raise BrokenBuffer(f"position {place}") from error
