"""What all that is kept in the user's cache was made with: our code, what it calls, and this machine's CPU."""

from __future__ import annotations

import json
import platform
from functools import cache
from typing import Final

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.compile_cache import digest
from quantune_mlir.files import resources
from quantune_mlir.hardware.host_isa import cpu_name, host_flags

_CALLED: Final = (
    *("quantune-mlir", "iree-base-compiler", "iree-base-runtime", "numpy", "onnx", "pydantic", "pyyaml", "jinja2"),
    *("markupsafe", "pillow", "tosa-converter-for-tflite"),
)


@cache
def made_with() -> str:
    """A digest of all that, made once."""
    versions = {name: installed_version(name) for name in _CALLED}
    machine = [platform.python_version(), platform.machine(), cpu_name(), *sorted(host_flags())]
    return digest(json.dumps([versions, machine]), resources.code_digest())
