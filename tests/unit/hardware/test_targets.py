from __future__ import annotations

from pathlib import Path

import pytest

from quantune_mlir.errors import TargetError
from quantune_mlir.files import resources
from quantune_mlir.hardware.targets import load_target


@pytest.mark.parametrize("name", sorted(resources.targets()))
def test_described_targets_say_what_they_are(name: str) -> None:
    target = load_target(name)
    assert target.name == name
    assert target.c.board is None or not target.c.hosted


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('description = "mine"\nisa = "mve"\nram = 65536\n\n[c]\ncompiler = "gcc"\n')
    target = load_target(str(file))
    assert (target.name, target.isa, target.ram, target.c.compiler) == ("mine", "mve", 65536, "gcc")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('description = "x"\nisa = "mvv"\n', ":2", "isa: Input should be"),
        ('description = "x"\n\n[c]\nborad = "a"\n', ":4", "c.borad: there is no such key"),
        ('borad = "a"\ndescription = "x"\n[c]\n', ":1", "borad: there is no such key"),
        ('isa = "mve"\n', "", "description: Field required"),
        ('description = "x\n', "", "is no TOML: Illegal character"),
        ('description = "x"\nstack = -1\n', ":2", "stack: Input should be greater"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(TargetError) as refused:
        load_target(str(file))
    assert refused.value.where == f"{file}{line}"
    assert refused.value.what.startswith(said)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot be read"):
        load_target(str(tmp_path / "mine.toml"))
