"""What this installation is made of, and what of it is missing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.compile_cache import user_cache
from quantune_mlir.files.processes import processors
from quantune_mlir.hardware.host_isa import cpu_name, host_flags, host_isa, needs

_REQUIRED: Final = ("quantune-mlir", "iree-base-compiler", "iree-base-runtime", "numpy", "onnx", "click", "rich")


@dataclass(frozen=True)
class Optional:
    """Something that commands can do without.

    Attributes:
        purpose: what it is for.
        remedy: how to have it.
        program: a program to look for; None: it is a Python package.
    """

    purpose: str
    remedy: str
    program: str | None = None


_PEERS: Final = "pip install 'quantune-mlir[peers]'"
OPTIONAL: Final[Mapping[str, Optional]] = MappingProxyType(
    {
        "onnxruntime": Optional("bench --against", _PEERS),
        "openvino": Optional("bench --against", _PEERS),
        "nncf": Optional("bench --against", _PEERS),
        "tosa-converter-for-tflite": Optional("models in .tflite", "pip install 'quantune-mlir[tflite]'"),
        "pillow": Optional("--calibration FOLDER-OF-IMAGES", "pip install 'quantune-mlir[images]'"),
        "matplotlib": Optional("figures from Python", "pip install 'quantune-mlir[plots]'"),
        "distributed": Optional("--scheduler", "pip install 'quantune-mlir[dask]'"),
        "cc": Optional("self-tests of C bundles", "install a C compiler", program="cc"),
        "make": Optional("self-tests of C bundles", "install make", program="make"),
    }
)


def diagnose() -> dict[str, dict[str, Any]]:
    """Versions, machine, cache and optional parts, by name; None for what is not there."""
    cache = user_cache()
    usage = cache.usage()
    isa = host_isa()
    return {
        "versions": {"python": platform.python_version(), **{name: installed_version(name) for name in _REQUIRED}},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": cpu_name(),
            "cpus for this process": processors(),
            "kernels' instruction set": isa,
            "because the cpu has": " ".join(sorted(needs(isa) & host_flags())) or "nothing better that is known",
        },
        "cache": {
            "directory": str(cache.directory),
            "MiB": f"{usage.bytes / 2**20:.1f} of at most {cache.limit / 2**20:.0f}",
            "entries": usage.entries,
            "writable": "yes" if _writable(cache.directory) else "no: everything is compiled anew each time",
        },
        "optional": {name: _found(name, part) for name, part in OPTIONAL.items()},
    }


def _found(name: str, part: Optional) -> str | None:
    return installed_version(name) if part.program is None else shutil.which(part.program)


def _writable(directory: os.PathLike[str]) -> bool:
    """Whether a directory can be written, or made."""
    place = os.path.abspath(directory)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    return os.access(place, os.W_OK | os.X_OK)
