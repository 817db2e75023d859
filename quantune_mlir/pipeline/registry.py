"""Every pass by its command-line name. Classes are imported when asked for, so that command lines start quickly."""

from __future__ import annotations

import ast
import importlib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quantune_mlir.errors import PassError

if TYPE_CHECKING:
    from quantune_mlir.pipeline.base import Pass

_PACKAGE: Final = "quantune_mlir.passes"

PASSES: Final[dict[str, str]] = {
    "quantune-assign-channel-levels": "quantize.assign_channel_levels:AssignChannelLevels",
    "quantune-assign-input-means": "quantize.assign_input_means:AssignInputMeans",
    "quantune-assign-precision": "quantize.assign_precision:AssignPrecision",
    "quantune-assign-qparams": "quantize.assign_qparams:AssignQParams",
    "quantune-cancel-transposes": "simplify.cancel_transposes:CancelTransposes",
    "quantune-crop-kernels": "simplify.crop_kernels:CropKernels",
    "quantune-equalize-ranges": "quantize.equalize_ranges:EqualizeRanges",
    "quantune-expand-rounding": "kernels.expand_rounding:ExpandRounding",
    "quantune-expand-tables": "kernels.expand_tables:ExpandTables",
    "quantune-expand-transposed-convolutions": "simplify.expand_transposed_convolutions:ExpandTransposedConvolutions",
    "quantune-fold-constants": "simplify.fold_constants:FoldConstants",
    "quantune-fold-pads": "simplify.fold_pads:FoldPads",
    "quantune-fold-scale-shift": "simplify.fold_scale_shift:FoldScaleShift",
    "quantune-fuse-kernels": "kernels.fuse_kernels:FuseKernels",
    "quantune-hoist-clamps": "simplify.hoist_clamps:HoistClamps",
    "quantune-hoist-transposes": "kernels.hoist_transposes:HoistTransposes",
    "quantune-insert-observers": "calibrate.insert_observers:InsertObservers",
    "quantune-join-clamps": "simplify.join_clamps:JoinClamps",
    "quantune-join-functions": "simplify.join_functions:JoinFunctions",
    "quantune-keep-bounded": "quantize.keep_bounded:KeepBounded",
    "quantune-keep-defined": "quantize.keep_defined:KeepDefined",
    "quantune-locate-layers": "simplify.locate_layers:LocateLayers",
    "quantune-lower-adjoints": "calibrate.lower_adjoints:LowerAdjoints",
    "quantune-lower-kernels": "kernels.lower_kernels:LowerKernels",
    "quantune-lower-observers": "calibrate.lower_observers:LowerObservers",
    "quantune-lower-qdq": "quantize.lower_qdq:LowerQdq",
    "quantune-pool-constants": "kernels.pool_constants:PoolConstants",
    "quantune-quantize": "quantize.quantize:Quantize",
    "quantune-remove-dead-code": "simplify.remove_dead_code:RemoveDeadCode",
    "quantune-shadow-int8": "calibrate.shadow_int8:ShadowInt8",
    "quantune-shadow-qdq": "calibrate.shadow_qdq:ShadowQdq",
    "quantune-verify-integer": "quantize.verify_integer:VerifyInteger",
    "quantune-verify-layers": "simplify.verify_layers:VerifyLayers",
}


UPSTREAM_PASSES: Final = ("canonicalize", "cse", "inline", "strip-debuginfo", "symbol-dce")
"""Upstream passes common enough to be flags of quantune-opt and to be suggested for misspelt names."""


def available() -> list[str]:
    """The names of all passes, sorted."""
    return sorted(PASSES)


def get(name: str) -> type[Pass]:
    """The class of the pass `name`. Raises PassError, with the nearest name, if there is none."""
    if name not in PASSES:
        raise PassError(f"unknown pass '{name}'", remedy=nearest(name, available()))
    module, cls = PASSES[name].split(":")
    return getattr(importlib.import_module(f"{_PACKAGE}.{module}"), cls)


def summary(name: str) -> str:
    """The first line of what a pass says of itself, read from its file: importing it takes long."""
    module, cls = PASSES[name].split(":")
    folder = importlib.import_module(_PACKAGE).__path__[0]
    file = Path(folder, *module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = (ast.get_docstring(node) for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls)
    return next(filter(None, docstrings), "").split("\n")[0]


def nearest(name: str, names: list[str]) -> str:
    """What to say about a misspelt name: the likeliest one meant, or the list of all."""
    matches = get_close_matches(name, names, n=1)
    if matches:
        return f"did you mean '{matches[0]}'?"
    return f"known: {', '.join(names)}"
