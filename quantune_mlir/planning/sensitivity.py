"""The sensitivity list: what int8 does to each layer, the most sensitive layer first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from quantune_mlir.errors import DataError
from quantune_mlir.files import yaml_file
from quantune_mlir.numerics.metrics import Signal
from quantune_mlir.planning.metric import DEFAULT_METRIC, Metric


def _six_digits(value: float) -> float:
    if math.isnan(value):
        raise ValueError("a metric is never NaN")
    return float(f"{value:.6g}")


_SixDigits = Annotated[float, AfterValidator(_six_digits)]
Measured = _SixDigits | None
"""A metric to six significant digits, as the file holds it; None where it is undefined."""


class LayerSensitivity(BaseModel):
    """One layer's metrics. Local: the int8 layer fed with the fp32 run's inputs; otherwise every layer is int8.

    A layer whose clamp folds into its epilogue has the local metrics of both together.

    SQNRs are in dB, .inf where int8 is exact, None where the tensor is zero throughout (or there are no weights).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    op: str
    index: Annotated[int, Field(ge=0, description="position in graph order")]
    quantizable: bool
    macs: Annotated[int, Field(ge=0)]
    weight_bytes: Annotated[int, Field(ge=0, description="of the fp32 weights")]
    elements: Annotated[int, Field(ge=0, description="of the output, over all samples")]
    activation_sqnr_db: Measured = None
    sqnr_delta_db: Measured = None
    local_sqnr_db: Measured = None
    mse: Measured = None
    normalized_mse: Measured = None
    local_normalized_mse: Measured = None
    weight_sqnr_db: Measured = None
    output_normalized_mse: Annotated[
        Measured,
        Field(description="predicted at the network's output: what this layer alone would take away by being fp32"),
    ] = None

    alone_normalized_mse: Annotated[
        Measured,
        Field(description="predicted at the network's output: what this layer adds if it alone is int8"),
    ] = None

    own_noise: Annotated[
        tuple[_SixDigits, ...],
        Field(description="predicted at each part of the output: what goes away with this layer whatever others are"),
    ] = ()

    @property
    def noise(self) -> float:
        """Noise-to-signal power at the network's output that this layer would take away; 0 where undefined."""
        return self.output_normalized_mse or 0.0


class RoundedTensor(BaseModel):
    """What rounding a tensor to int8 that several layers read is predicted to bring to the output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer: Annotated[str, Field(description="whose result it is")]
    maker: Annotated[str | None, Field(description="the deciding layer with which it is stored in int8")] = None
    argument: Annotated[
        str | None,
        Field(description="the deciding layer that makes what the maker is a function of; both in int8 make a table"),
    ] = None
    counted: Annotated[bool, Field(description="whether the noise of the maker in int8 holds that of its rounding")] = (
        False
    )
    readers: Annotated[dict[str, _SixDigits], Field(description="deciding layers, and their shares, which sum to 1")]
    noise: Annotated[tuple[_SixDigits, ...], Field(description="at each part of the output, if all read it rounded")]
    apart: Annotated[
        tuple[_SixDigits, ...],
        Field(description="the sum of what it brings through each of them alone; as much as `noise` where left out"),
    ] = ()


class SensitivityList(BaseModel):
    """All layers of a model, the most sensitive first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = 2
    model: Annotated[str, Field(description="hash of the model")]
    samples: Annotated[int, Field(ge=0)]
    metric: Metric
    options: dict[str, str | bool | int | float | None] = {}
    rounding_normalized_mse: Measured = None
    """Predicted at the output's worst part, of tensors that are rounded to int8 for several layers, all int8."""
    parts: tuple[str, ...] = ()
    """The parts of the output that noise is predicted at, called after the layers that make them."""
    rounded: tuple[RoundedTensor, ...] = ()
    """The tensors that several layers read."""
    halved_at: tuple[Measured, ...] = ()
    """Noise at each part of which half comes out: as large as the signal it adds up no longer; None where it does."""
    signal: Signal = "output"
    """What noise at all parts of the output is compared with; where they differ, `output`."""
    signal_share: _SixDigits = 1.0
    """The energy of what noise is compared with over that of the output."""
    layers: tuple[LayerSensitivity, ...]

    @staticmethod
    def of(
        layers: Iterable[LayerSensitivity],
        *,
        rounding: float | None = None,
        parts: tuple[str, ...] = (),
        rounded: tuple[RoundedTensor, ...] = (),
        halved_at: tuple[Measured, ...] = (),
        signal: Signal = "output",
        signal_share: float = 1.0,
        model: str,
        samples: int,
        metric: Metric = DEFAULT_METRIC,
        options: Mapping[str, str | bool | int | float | None] | None = None,
    ) -> SensitivityList:
        """Sort the layers by `metric`. Numbers are those that the file holds, also of copies with other ones."""
        return SensitivityList(
            model=model,
            samples=samples,
            metric=metric,
            options=dict(options or {}),
            rounding_normalized_mse=rounding,
            parts=parts,
            rounded=tuple(RoundedTensor(**tensor.model_dump()) for tensor in rounded),
            halved_at=halved_at,
            signal=signal,
            signal_share=signal_share,
            layers=tuple(sorted(layers, key=lambda layer: _sort_key(layer, metric))),
        )

    def sorted_by(self, metric: Metric) -> SensitivityList:
        """The same list in the order of another metric."""
        layers = tuple(sorted(self.layers, key=lambda layer: _sort_key(layer, metric)))
        return self.model_copy(update={"metric": metric, "layers": layers})

    def to_yaml(self) -> str:
        """The file's text: the same for the same list."""
        return yaml_file.dump(self.model_dump(mode="python") | {"metric": self.metric.value, "layers": self._rows()})

    @staticmethod
    def from_yaml(text: str, where: str | None = None) -> SensitivityList:
        """Read what `to_yaml` wrote. Raises DataError, with the lines, for anything else."""
        return yaml_file.parse(text, SensitivityList, error=DataError, where=where, what="a sensitivity list")

    @staticmethod
    def load(path: Path | str) -> SensitivityList:
        """Read a list from a file; raises DataError as `from_yaml`, and if the file cannot be read."""
        return SensitivityList.from_yaml(yaml_file.read(path, error=DataError), where=str(path))

    def _rows(self) -> list[dict[str, Any]]:
        return [layer.model_dump() for layer in self.layers]


def _sort_key(layer: LayerSensitivity, metric: Metric) -> tuple[bool, bool, float, int]:
    """Layers that have no int8 form go last, before them those without this metric; ties in graph order."""
    value: float | None = getattr(layer, metric.field)
    if value is None:
        return not layer.quantizable, True, 0.0, layer.index
    return not layer.quantizable, False, -value if metric.high_is_sensitive else value, layer.index
