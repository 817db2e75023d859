"""Kernels of microcontrollers, emulated, give the bytes of this machine's, whatever the shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.backend.delivery import Delivery, write_files
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.mlir.text import parse_module
from tests.c_bundle import require, selftest
from tests.unit.kernels.convolutions import NAMED
from tests.unit.kernels.tosa import Graph


@pytest.mark.slow
@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55"])
def test_convolutions(target: str, tmp_path: Path) -> None:
    description = load_target(target)
    require(description.c)
    graph, rng = Graph(), np.random.default_rng(0)
    integer = [convolution for convolution in NAMED.values() if convolution.mode == "integer"]
    for convolution in integer:
        convolution.write(graph, rng)
    delivery = Delivery("c-bundle", samples=[[x.value for x in graph.inputs]])
    write_files(delivery.files(parse_module(str(graph), make_context()), description), tmp_path / "bundle")
    said = selftest(tmp_path / "bundle", tmp_path / "build")
    assert said.count("elements identical") == len(integer) > 0
