"""ONNX Runtime's static quantization, as we measure ours against it: QDQ, weights of signed bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

Feed = Mapping[str, NDArray[Any]]
"""A sample: arrays by the inputs' names."""


def quantize_qdq(
    source: Path,
    target: Path,
    feeds: Iterable[Feed],
    *,
    activations: QuantType,
    method: CalibrationMethod = CalibrationMethod.MinMax,
    per_channel: bool = True,
    reduce_range: bool = False,
) -> None:
    """Write to `target` the quantized form of `source`, which `quant_pre_process` has prepared."""
    quantize_static(
        str(source),
        str(target),
        _Reader(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        reduce_range=reduce_range,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        calibrate_method=method,
    )


class _Reader(CalibrationDataReader):
    """Samples as ONNX Runtime asks for them."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:  # type: ignore[override]
        return next(self._feeds, None)
