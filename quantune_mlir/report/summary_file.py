"""summary.json as it is read: every version of it, each field checked."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from quantune_mlir.errors import OutputError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.files.format_versions import check_version, known_versions

_LARGEST: Final = 64 * MIB


def _number(value: Any) -> Any:
    """JSON has no infinity: "inf" and "-inf" stand for it."""
    return {"inf": math.inf, "-inf": -math.inf}.get(value, value) if isinstance(value, str) else value


def _known(value: float) -> float:
    if math.isnan(value):
        raise ValueError("is not a number")
    return value


Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[float, AllowInfNan(True), BeforeValidator(_number), AfterValidator(_known)]
Figures = dict[str, Any]


class _Read(BaseModel):
    """What older versions lack is empty; what newer ones add is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Amount(_Read):
    """Time of an inference, in the unit of the costs, and bytes of constants."""

    time: float
    bytes: float


class Costs(_Read):
    """Predicted of the whole network."""

    unit: str
    int8: Amount
    mixed: Amount
    fp32: Amount


class PairOfCosts(_Read):
    """Predicted of one layer, in each precision."""

    int8: Amount
    fp32: Amount


class DecisionRead(_Read):
    """See planning/decisions.py."""

    ground: str
    named: str = ""
    rank: int | None = None
    noise: float | None = None
    noise_int8: float | None = None
    noise_fp32: float | None = None
    extra_time: float | None = None


class WeightsSummary(_Read):
    """Largest magnitudes of a layer's weights by channel, ascending."""

    channels: Count
    largest: tuple[float, ...]


class LayerRead(_Read):
    """One layer of the mixed network."""

    name: str
    op: str
    precision: str
    macs: Count
    weight_bytes: Count
    shape: tuple[Count, ...] = ()
    inputs: tuple[str, ...] = ()
    boundaries: tuple[str, ...] = ()
    activation_sqnr_db: Number | None = None
    sqnr_delta_db: Number | None = None
    local_sqnr_db: Number | None = None
    mse: Number | None = None
    normalized_mse: Number | None = None
    local_normalized_mse: Number | None = None
    output_normalized_mse: Number | None = None
    alone_normalized_mse: Number | None = None
    weight_sqnr_db: Number | None = None
    reason: str = ""
    decision: DecisionRead | None = None
    cost: PairOfCosts | None = None
    weights: WeightsSummary | None = None


class PointRead(_Read):
    """A plan of the front, or the plan that was made."""

    chosen: bool
    sqnr_db: Number
    time: float
    bytes: float
    fp32: tuple[Count, ...]
    int16: tuple[Count, ...] = ()
    options: tuple[str, ...]


class TensorSummary(_Read):
    """Parameters of int8, and the range that they can hold."""

    name: str
    scale: float
    zero_point: int
    low: float
    high: float


class Predicted(_Read):
    """SQNR in dB at a layer that makes a part of the outputs."""

    layer: str
    int8_sqnr_db: Number
    mixed_sqnr_db: Number


class MeasuredPart(_Read):
    """A part of the outputs, measured."""

    name: str
    output: str
    signal: str
    judged: bool = True
    measured_sqnr_db: Number | None
    likely_sqnr_db: Number | None = None
    predicted_sqnr_db: Number | None
    whole_sqnr_db: Number | None


class VerificationRead(_Read):
    """What the mixed program's outputs differ by from fp32's."""

    samples: Count
    parts: tuple[MeasuredPart, ...]


class Command(_Read):
    """How the run is made again: arguments of `quantune quantize`."""

    arguments: tuple[str, ...] = ()
    policy: tuple[str, ...] = ()
    circumstances: tuple[str, ...] = ()


class ModelSummary(_Read):
    """The model's file."""

    file: str = ""
    path: str = ""
    sha256: str = ""


class Totals(_Read):
    """Sums over the whole network."""

    fp32_program_bytes: Count
    mixed_program_bytes: Count
    macs: Count
    int8_mac_share: float
    int8_layers: Count
    layers: Count
    int16_mac_share: float = 0.0
    int16_layers: Count = 0


class Summary(_Read):
    """The whole file."""

    format: Literal[1, 2, 3]
    versions: dict[str, str | None]
    model: ModelSummary
    options: Figures
    requantize: str = ""
    repairs: dict[str, bool] = {}
    signal: str = "output"
    policy: str = ""
    command: Command = Command()
    trials: tuple[Figures, ...] = ()
    inference_runs: dict[str, Count]
    predicted: tuple[Predicted, ...] = ()
    verification: VerificationRead | None = None
    warnings: tuple[str, ...] = ()
    timings_s: dict[str, float] = {}
    peak_mib: dict[str, Count] = {}
    costs: Costs | None = None
    front: tuple[PointRead, ...] = ()
    tensors: tuple[TensorSummary, ...] = ()
    layers: Annotated[tuple[LayerRead, ...], Field(min_length=1)]
    totals: Totals

    @staticmethod
    def load(path: Path) -> Summary:
        """Read a summary.json. Raises OutputError, naming the file and the field, for anything else."""
        try:
            content = json.loads(read_file(path, limit=_LARGEST, error=OutputError))
            if isinstance(content, dict):
                found: Any = content.get("format")  # pyright: ignore[reportUnknownVariableType]
                check_version(found, known_versions(Summary), error=OutputError, where=str(path))
            return Summary.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise _unreadable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        except (ValueError, RecursionError) as error:
            raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> OutputError:
    return OutputError(
        f"is not a summary of `quantune quantize`: {why}", where=str(path), remedy="quantize the model again"
    )
