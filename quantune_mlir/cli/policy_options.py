"""The options that say which layers stay fp32."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from quantune_mlir.planning.metric import DEFAULT_METRIC, Metric

if TYPE_CHECKING:
    from quantune_mlir.workflow.policy import PlanPolicy

POLICY_PARAMETERS: Final = (
    "everything",
    "fp32_layers",
    "min_sqnr_db",
    "keep_fp32",
    "max_latency",
    "max_size",
    "max_drop",
    "metric",
    "costs",
    "formats",
)
"""The fields of PlanPolicy."""

F = TypeVar("F", bound=Callable[..., Any])


def policy_options(command: F) -> F:
    """The options that make up PlanPolicy."""
    for option in (
        click.option(
            "--costs",
            type=click.Choice(["model", "measured"]),
            help="What layers cost: as the instruction set's throughput tells, or measured on this machine, once. "
            "[default: measured if --max-latency is in seconds]",
        ),
        click.option(
            "--metric",
            type=click.Choice([metric.value for metric in Metric]),
            metavar="METRIC",
            default=DEFAULT_METRIC.value,
            show_default=True,
            help="What layers are sorted by, see `quantune analyze`.",
        ),
        click.option(
            "--keep-fp32", metavar="REGEX", help="Keep layers in fp32 in whose name it is found, under any policy."
        ),
        click.option(
            "--formats",
            metavar="NAMES",
            default="int8,fp32",
            show_default=True,
            help="What layers may be in, the coarsest first: int8, int16 (activations; weights are int8), int16x16 (of "
            "weights too), fp32.",
        ),
        click.option(
            "--all",
            "everything",
            type=click.Choice(["int8", "int16", "int16x16", "fp32"]),
            help="Policy: one precision.",
        ),
        click.option(
            "--max-drop",
            type=float,
            metavar="POINTS",
            help="Policy: the quickest plan that loses at most so many percent of the samples that fp32 has right "
            "(of all, without labels), or of fp32's --score. Candidates are compiled and run over the calibration "
            "samples.",
        ),
        click.option(
            "--max-size", metavar="SIZE", help="Limit: of the constants, as 300KB, or 0.5x for half of fp32's."
        ),
        click.option(
            "--max-latency", metavar="TIME", help="Limit: of an inference, as 5ms, or 0.5x for half of fp32's."
        ),
        click.option(
            "--min-sqnr",
            "min_sqnr_db",
            type=float,
            metavar="DB",
            help="Limit: the quickest plan with this predicted output SQNR.",
        ),
        click.option(
            "--fp32-layers",
            type=click.IntRange(min=0),
            metavar="N",
            help="Policy: the N most sensitive layers in fp32.",
        ),
    ):
        command = option(command)
    return command


def plan_policy(chosen: dict[str, Any]) -> PlanPolicy:
    """The policy of a command's arguments, which are taken out of `chosen`. Raises PlanError as PlanPolicy does."""
    from quantune_mlir.workflow.policy import PlanPolicy

    fields: dict[str, Any] = {name: chosen.pop(name) for name in POLICY_PARAMETERS}
    fields["metric"] = Metric(fields["metric"])
    fields["formats"] = tuple(name.strip() for name in fields["formats"].split(","))
    return PlanPolicy(**fields)
