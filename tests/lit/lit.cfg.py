"""Configuration of lit, for `lit tests/lit` as for tests/test_lit.py, by which pytest runs the same tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import lit.formats

config: Any = globals()["config"]  # lit puts it there

here = Path(__file__).parent
config.name = "quantune-mlir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = str(here)
config.test_exec_root = os.environ.get("LIT_OUTPUT", str(here / "Output"))
# quantune-opt, iree-opt and filecheck stand beside the Python that runs lit.
config.environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
config.environment["PYTHONPATH"] = str(here.parent.parent)
config.substitutions += [
    ("%quantune-opt", f"{sys.executable} -m quantune_mlir.cli.quantune_opt"),
    ("%data", str(here.parent / "data")),
]
