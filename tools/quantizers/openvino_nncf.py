"""NNCF's `quantize` and `quantize_with_accuracy_control`, run by OpenVINO with fp32 where there is no int8."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.peers.openvino_child import installed, read, request, save
from tools.quantizers.cases import ACCURACY_CONTROL, MAX_DROP, Case
from tools.quantizers.data import Data
from tools.quantizers.quantized import Quantized, Run, Runners
from tools.quantizers.stages import Stages

_MODEL: Final = "int8.xml"
_SETTINGS: Final = {"SNIPPETS_MODE": "DISABLE"}
"""Without snippets, since on one CPU OpenVINO 2026.4 refuses to run AD with them. That says nothing of latency here."""
_REVERTED: Final = re.compile(r"(\d+) out of (\d+) were reverted")


def load() -> None:
    """See `Quantizer`."""
    installed("nncf")
    installed("openvino").Core().available_devices  # noqa: B018 - loads the plugins


def quantize(case: Case, data: Data, samples: int, directory: Path, stages: Stages) -> Quantized:
    """See `Quantizer`."""
    nncf = installed("nncf")
    found = data.samples("calib", samples)
    dataset = nncf.Dataset(range(len(found)), lambda index: {data.input: found[index]})
    details: dict[str, Any] = {}
    with stages.stage("read the model"):
        model = read(data.model)
    if case.settings == [ACCURACY_CONTROL]:
        validation = Validation(data, samples)
        log = _Log()
        logging.getLogger("nncf").addHandler(log)
        with stages.stage("quantize"):
            quantized = nncf.quantize_with_accuracy_control(
                model, dataset, dataset, validation.score, max_drop=MAX_DROP, subset_size=samples
            )
        details = {"validations": validation.calls, "validated_on": validation.measure, **log.reverted()}
    else:
        with stages.stage("quantize"):
            quantized = nncf.quantize(model, dataset, subset_size=samples)
    with stages.stage("save"):
        save(quantized, directory / _MODEL)
    return Quantized(("int8",), details)


def runners(case: Case, data: Data, directory: Path, variant: str) -> Runners:
    """See `Quantizer`."""
    file = directory / _MODEL
    files = [file, file.with_suffix(".bin")]
    model = read(file)
    output = _compiled(model)
    softmaxes = [node for node in model.get_ordered_ops() if node.get_type_name().lower() == "softmax"]
    if len(softmaxes) != 1:
        return Runners(files, output, None)
    source = softmaxes[0].input_value(0)
    before_softmax = installed("openvino").Model([source], model.get_parameters(), "before_softmax")
    return Runners(files, output, _compiled(before_softmax))


class Validation:
    """What accuracy control maximizes: correct answers, else agreement with fp32, else nearness to fp32's output."""

    def __init__(self, data: Data, samples: int) -> None:
        self._data = data
        self._samples = data.samples("calib", samples)
        self._labels = data.labels("calib")
        self._reference: dict[int, NDArray[Any]] = {}
        self.calls = 0
        self.measure = "labels" if self._labels is not None else "nearness" if data.metric == "auc" else "agreement"

    def score(self, model: Any, indices: Iterable[int]) -> tuple[float, list[float]]:
        """The mean over samples, and each sample's own. The first model that is asked about is the fp32 one."""
        chosen = list(indices)
        outputs = {index: np.array(model(self._samples[index])[0]) for index in chosen}
        if len(chosen) == len(self._samples):
            self.calls += 1
        self._reference = {**outputs, **self._reference}
        values = [self._value(index, outputs[index], self._reference[index]) for index in chosen]
        return float(np.mean(values)), values

    def _value(self, index: int, output: NDArray[Any], reference: NDArray[Any]) -> float:
        if self._labels is not None:
            return float(output.argmax() == self._labels[index])
        if self.measure == "agreement":
            return float(output.argmax() == reference.argmax())
        return float(1 - np.square(output - reference).sum() / np.square(reference).sum())


class _Log(logging.Handler):
    """Listens to what NNCF says of reverted operations: it gives no report back."""

    def __init__(self) -> None:
        super().__init__()
        self._found = (0, 0)

    def emit(self, record: logging.LogRecord) -> None:
        found = _REVERTED.search(record.getMessage())
        if found:
            self._found = int(found[1]), int(found[2])

    def reverted(self) -> dict[str, int]:
        """Operations that accuracy control took back to fp32."""
        return {"reverted_operations": self._found[0]}


def _compiled(model: Any) -> Run:
    asked = request(model, 1, **_SETTINGS)
    return lambda sample: np.array(asked.infer([sample])[0])
