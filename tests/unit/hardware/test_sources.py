from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.files import resources
from quantune_mlir.hardware.isa_names import ISA_NAMES
from quantune_mlir.hardware.sources import sources_in, sources_of
from quantune_mlir.hardware.targets import load_target


@pytest.mark.parametrize("isa", ISA_NAMES)
def test_every_number_has_a_source(isa: str) -> None:
    found = sources_in(resources.isa_text(isa))
    assert {"registers", "memory.l1", "throughput.dense_int8"} <= found.keys()
    assert all(found.values()), [key for key, source in found.items() if not source]


def test_a_line_speaks_for_itself_else_the_comment_above_its_table() -> None:
    text = "# x\na = 1\n\n# two\n# lines\n[t]\nb = 2\nc = 3.5  # own\ns = 'no number'\n"
    assert sources_in(text) == {"a": "", "t.b": "two lines", "t.c": "own"}


def test_a_number_of_ones_own_has_not_the_source_of_another(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('description = "mine"\nisa = "armv8"\n[memory]\nl1 = 65536\n')
    found = sources_of(load_target(str(file)))
    assert "memory.l1" not in found and "DDI 0500" in found["memory.l2"]
