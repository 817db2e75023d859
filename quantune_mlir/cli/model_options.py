"""The options that say how a model is imported: its shapes, inputs pinned to constants, and where it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from quantune_mlir.errors import ModelError

if TYPE_CHECKING:
    from quantune_mlir.importers.common.import_options import ImportOptions

F = TypeVar("F", bound=Callable[..., Any])


def model_options(command: F) -> F:
    """--batch, --shape, --constant, --inputs and --outputs."""
    for option in (
        click.option(
            "--outputs",
            "cut_outputs",
            multiple=True,
            metavar="NAME,...",
            help="Tensors that become the model's outputs; what follows is cut off.",
        ),
        click.option(
            "--inputs",
            "cut_inputs",
            multiple=True,
            metavar="NAME,...",
            help="Tensors that become the model's inputs; what leads to them is cut off.",
        ),
        click.option(
            "--constant",
            "constants",
            multiple=True,
            metavar="NAME=VALUE",
            help="Pin an input: to a number, numbers with commas, or an .npy file. Repeatable.",
        ),
        click.option(
            "--shape",
            "shapes",
            multiple=True,
            metavar="NAME=AxBxC",
            help="Shape of an input with dynamic dimensions. Repeatable. [default: that of the samples, if any]",
        ),
        click.option(
            "--batch",
            type=click.IntRange(min=1),
            metavar="N",
            default=1,
            show_default=True,
            help="What a dynamic batch dimension becomes.",
        ),
    ):
        command = option(command)
    return command


keep_quantized_option: Final = click.option(
    "--keep-quantized",
    is_flag=True,
    help="Take a model that is quantized already as it is, instead of refusing it.",
)


def front_end_options(chosen: dict[str, Any]) -> ImportOptions:
    """What the importers' registry takes, of the arguments of a command with --keep-quantized. Raises ModelError."""
    from quantune_mlir.importers.common.edits import Edits
    from quantune_mlir.importers.common.import_options import ImportOptions
    from quantune_mlir.importers.common.static_shapes import StaticShapes

    given = import_options(chosen)
    return ImportOptions(
        StaticShapes(given["batch"], given["shapes"]),
        Edits(given["constants"], given["inputs"], given["outputs"]),
        chosen.pop("keep_quantized"),
    )


def import_options(chosen: dict[str, Any]) -> dict[str, Any]:
    """What Model.load takes, of a command's arguments, which are taken out of `chosen`. Raises ModelError."""
    return {
        "batch": chosen.pop("batch"),
        "shapes": _shapes(chosen.pop("shapes")),
        "constants": _constants(chosen.pop("constants")),
        "inputs": _names(chosen.pop("cut_inputs")),
        "outputs": _names(chosen.pop("cut_outputs")),
    }


def _shapes(texts: tuple[str, ...]) -> dict[str, list[int]]:
    """`("input=1x3x224x224",)` as a mapping."""
    parsed: dict[str, list[int]] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        parts = sizes.split("x")
        if not name or not all(part.isdigit() and int(part) > 0 for part in parts):
            raise ModelError("not a shape", where=f"--shape {text}", remedy="write it as NAME=1x3x224x224")
        parsed[name] = [int(part) for part in parts]
    return parsed


def _constants(texts: tuple[str, ...]) -> dict[str, str]:
    for text in texts:
        if not text.partition("=")[0] or not text.partition("=")[2]:
            raise ModelError("not a constant", where=f"--constant {text}", remedy="write it as NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


def _names(texts: tuple[str, ...]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",") if name.strip()]
