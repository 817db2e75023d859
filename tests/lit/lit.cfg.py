"""lit's configuration. Tests run against the installed package, or this checkout if none is installed."""

import importlib.util
import os
import sys
from pathlib import Path

import lit.formats
from lit.util import killProcessAndChildrenIsSupported

_SECONDS_PER_TEST = 60
_ROOT = Path(__file__).parent.parent.parent

config.name = "quantune"  # noqa: F821
config.test_format = lit.formats.ShTest(execute_external=False)  # noqa: F821
config.suffixes = [".mlir"]  # noqa: F821
config.test_source_root = str(Path(__file__).parent)  # noqa: F821
config.test_exec_root = str(Path(__file__).parent / "Output")  # noqa: F821

environment = config.environment  # noqa: F821
scripts = [str(Path(sys.executable).parent), environment.get("PATH", "")]
environment["PATH"] = os.pathsep.join(scripts)
paths = [] if importlib.util.find_spec("quantune_mlir") else [str(_ROOT)]
environment["PYTHONPATH"] = os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")])

config.substitutions += [  # noqa: F821
    ("%quantune-opt", f"{sys.executable} -m quantune_mlir.cli.quantune_opt"),
    ("%python", sys.executable),
    ("%irdl", str(_ROOT / "dialects" / "quantune.irdl.mlir")),
]

# lit needs psutil to stop a test that hangs.
if killProcessAndChildrenIsSupported()[0]:
    config.maxIndividualTestTime = _SECONDS_PER_TEST  # noqa: F821
