"""Instructions by function, from what the plugin and nm write."""

from __future__ import annotations

from tools.instructions.counting import by_function

SYMBOLS = """
         U memcpy
00000101 T first
00000120 t second
00000110 d table
"""


def test_blocks_count_for_the_function_that_they_stand_in() -> None:
    counts = "256 3 10\n272 2 5\n288 4 1\n1 7 1\n"
    assert by_function(counts, SYMBOLS) == {"first": 40, "second": 4, "elsewhere": 7}
