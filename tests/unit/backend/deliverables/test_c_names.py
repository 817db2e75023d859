from __future__ import annotations

import re

import pytest

from quantune_mlir.backend.deliverables.c_names import c_names, check_name
from quantune_mlir.errors import OutputError


def test_names_become_identifiers_that_differ() -> None:
    names = ["serving_default_x:0", "serving.default.x/0", "Logits", "arena", "9 lives", "größe", "int"]
    found = c_names(names)
    assert found == ["serving_default_x_0", "serving_default_x_0_2", "logits", "arena_", "t_9_lives", "gr_e", "int_"]
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in found)


@pytest.mark.parametrize("name", ["Model", "2nd", "a-b", "", "int", "kernels", "weights"])
def test_names_that_c_or_a_file_has_are_refused(name: str) -> None:
    with pytest.raises(OutputError, match="is no name for a model in C"):
        check_name(name)
