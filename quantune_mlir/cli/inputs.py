"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import click

from quantune_mlir.backend.deliverable import DEFAULT_NAME, DELIVERABLES, Activations
from quantune_mlir.errors import DataError
from quantune_mlir.integer.integer_options import Granularity, RequantizeMode
from quantune_mlir.numerics.schemes import RangeMethod, Scheme
from quantune_mlir.workflow.options import DEFAULT_SAMPLES, DEFAULTS, QuantizeOptions

if TYPE_CHECKING:
    from quantune_mlir.backend.workers import Workers

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)
_SIZE: Final = re.compile(r"(\d+)\s*([a-z]*)")
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1000, "m": 1 << 20, "mib": 1 << 20, "mb": 10**6}


class _Seconds(click.FloatRange):
    """A time; not a number is none, though no comparison says so."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


SECONDS: Final = _Seconds(min=0)
STDOUT: Final = Path("-")


calibration_option: Final = click.option(
    "--calibration",
    type=FILE,
    metavar="DATA",
    required=True,
    help="Samples: an .npz with one float32 array per model input, a folder of such .npy, or a folder of pictures.",
)


def _preprocess(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """The text, if it can be read."""
    if text is not None:
        from quantune_mlir.samples.preprocess import Preprocess

        try:
            Preprocess.parse(text)
        except DataError as error:
            raise click.BadParameter(f"{error.what}; {error.remedy}", param=parameter) from error
    return text


preprocess_option: Final = click.option(
    "--preprocess",
    metavar="KEY=VALUE,...",
    callback=_preprocess,
    help="How pictures become inputs, ((pixel / scale) - mean) / std: mean=0.485:0.456:0.406,std=0.229:0.224:0.225,"
    "size=256,layout=nchw,scale=255,order=rgb. The shorter side is resized to `size`, then the middle is cut out.",
)
profile_option: Final = click.option(
    "--profile",
    "profile_file",
    type=FILE,
    metavar="FILE",
    help="A profile made by `quantune profile`; run 1 is left out.",
)


tiles_option: Final = click.option(
    "--tiles",
    "tiles_file",
    type=FILE,
    metavar="FILE",
    help="Tiles that `quantune tune` found, to use instead of the model's.",
)


score_option: Final = click.option(
    "--score",
    "score_file",
    type=FILE,
    metavar="FILE.py",
    help="A Python file with your yardstick: score(outputs, references, labels) gets lists of arrays, samples along "
    "axis 0, and returns a number, the higher the better. It is run as it is.",
)


def json_option(what: str) -> Callable[[F], F]:
    """--json, which writes `what`."""
    return click.option(
        "--json",
        "json_file",
        type=FILE,
        metavar="FILE|-",
        help=f"Write {what} as JSON; to stdout, and nothing else there, if -.",
    )


scheduler_option: Final = click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Make run 1 and run 2 on the workers of a dask cluster; the results are the same bytes.",
)


def workers_of(scheduler: str | None) -> Workers | None:
    """The workers at the address, until the running command ends. Raises WorkerError if there are none."""
    if scheduler is None:
        return None
    from quantune_mlir.backend.dask_workers import DaskWorkers

    return click.get_current_context().with_resource(DaskWorkers(scheduler))


def _size(_: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """A number of bytes: 65536, 64k or 64KiB, 1M, 300KB."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or not int(found[1]) or found[2] not in _UNITS:
        raise click.BadParameter(f"{text!r} is no size: write it as 65536, 64KiB, 300KB or 1M", param=option)
    return int(found[1]) * _UNITS[found[2]]


def deliverable_options(command: F) -> F:
    """--deliverable, --name, --vectors, --max-ram and --max-flash."""
    for option, what in (("--max-flash", "code and constants"), ("--max-ram", "arena, inputs and outputs")):
        command = click.option(
            option,
            callback=_size,
            metavar="SIZE",
            help=f"Refuse a C bundle whose {what} take more. [default: what the target has, if it says]",
        )(command)
    command = click.option(
        "--vectors",
        type=click.IntRange(min=1),
        metavar="N",
        default=1,
        show_default=True,
        help="How many samples a bundle's self-test runs.",
    )(command)
    command = click.option(
        "--name",
        metavar="NAME",
        default=DEFAULT_NAME,
        show_default=True,
        help="What functions and files of a bundle begin with.",
    )(command)
    return click.option(
        "--deliverable",
        type=click.Choice(DELIVERABLES),
        default="vmfb",
        show_default=True,
        help="A program for IREE's runtime, a folder of C code that needs none, an object file for that runtime, or an "
        "ONNX model with QuantizeLinear and DequantizeLinear nodes.",
    )(command)


activations_option: Final = click.option(
    "--activations",
    type=click.Choice(get_args(Activations)),
    default="uint8",
    show_default=True,
    help="The type of activations in a QDQ ONNX model: ONNX Runtime is quicker with uint8, some compilers want int8.",
)


def _switch_cache_off(ctx: click.Context, parameter: click.Parameter, off: bool) -> None:
    if off:
        from quantune_mlir.backend.compile_cache import without_cache

        ctx.with_resource(without_cache())


cache_option: Final = click.option(
    "--no-cache",
    is_flag=True,
    expose_value=False,
    callback=_switch_cache_off,
    help="Compile everything anew, and keep nothing of it. See `quantune cache`.",
)


def quantization_options(command: F) -> F:
    """The options that make up QuantizeOptions, but for the target."""
    for option in (
        click.option(
            "--integer-only/--no-integer-only",
            default=None,
            help="No floating-point number at all: layers are int8, int16 or int16x16, and deliverables have integer "
            "inputs and outputs. [default: where the target has no float operations]",
        ),
        click.option(
            "--requantize",
            type=click.Choice(get_args(RequantizeMode)),
            help="How int32 becomes int8. [default: what suits the target]",
        ),
        click.option(
            "--correct-bias/--no-correct-bias",
            default=True,
            show_default=True,
            help="Let biases make up for what the rounding of weights adds on average.",
        ),
        click.option(
            "--equalize/--no-equalize",
            default=None,
            help="Scale channels between layers so that their ranges are alike. [default: with --weights per-tensor]",
        ),
        click.option(
            "--range",
            "range_",
            type=_choice(RangeMethod),
            default=DEFAULTS.range.value,
            show_default=True,
            help="How a tensor's range follows from its histogram.",
        ),
        click.option(
            "--scheme",
            type=_choice(Scheme),
            default=DEFAULTS.scheme.value,
            show_default=True,
            metavar="SCHEME",
            help="Of activations: " + ", ".join(scheme.value for scheme in Scheme) + ".",
        ),
        click.option(
            "--weights",
            type=click.Choice(get_args(Granularity)),
            default=DEFAULTS.weights,
            show_default=True,
            help="One scale for each output channel, or one for all.",
        ),
    ):
        command = option(command)
    return sample_options(command)


def sample_options(command: F) -> F:
    """--samples and --seed."""
    command = click.option(
        "--seed",
        type=click.IntRange(min=0),
        metavar="N",
        default=0,
        show_default=True,
        help="Chooses which, where the data holds more.",
    )(command)
    return click.option(
        "--samples",
        type=click.IntRange(min=1),
        metavar="N",
        default=DEFAULT_SAMPLES,
        show_default=True,
        help="Use at most N calibration samples.",
    )(command)


def quantize_options(
    *,
    weights: Granularity,
    scheme: str,
    range_: str,
    equalize: bool | None,
    correct_bias: bool,
    requantize: RequantizeMode | None,
    integer_only: bool | None,
    samples: int,
    seed: int,
    target: str = "host",
) -> QuantizeOptions:
    """The options object of a command's arguments."""
    return QuantizeOptions(
        weights=weights,
        scheme=Scheme(scheme),
        range=RangeMethod(range_),
        equalize=equalize,
        correct_bias=correct_bias,
        requantize=requantize,
        integer_only=integer_only,
        target=target,
        samples=samples,
        seed=seed,
    )


def _choice(enum: type[Scheme] | type[RangeMethod]) -> click.Choice[str]:
    return click.Choice([member.value for member in enum])
