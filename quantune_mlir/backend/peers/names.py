"""The peers by name, and the module of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PEERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "onnxruntime": "onnxruntime_fp32",
        "onnxruntime-int8": "onnxruntime_int8",
        "openvino-int8": "openvino_int8",
        "iree": "iree_onnx",
        "iree-tosa": "iree_tosa",
    }
)
