"""ONNX Runtime's static quantization, as we measure ours against it: QDQ, weights of signed bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

Feed = Mapping[str, NDArray[Any]]
"""A sample: arrays by the inputs' names."""

_OPSET: Final = 13
"""The first whose quantized weights may have a scale for each channel."""


def prepare_static(source: Path, target: Path) -> None:
    """Write to `target` what `quantize_qdq` takes, of a model whose shapes are static.

    ONNX Runtime finds shapes symbolically, which some models defy; where shapes are static, ONNX finds them as well.
    """
    model = onnx.load(source)
    version = next(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
    if version < _OPSET:
        model = version_converter.convert_version(model, _OPSET)
    try:
        quant_pre_process(model, str(target))
    except Exception:  # whatever its symbolic inference stumbles over
        quant_pre_process(model, str(target), skip_symbolic_shape=True)


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
        Reader(feeds),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        reduce_range=reduce_range,
        activation_type=activations,
        weight_type=QuantType.QInt8,
        calibrate_method=method,
    )


class Reader(CalibrationDataReader):
    """Samples as ONNX Runtime asks for them."""

    def __init__(self, feeds: Iterable[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:  # type: ignore[override]
        """The next sample; None after the last one."""
        return next(self._feeds, None)
