"""What stands in the way of a network without floating-point numbers, told before anything is run."""

from __future__ import annotations

from quantune_mlir.errors import PlanError
from quantune_mlir.graph.softmax import find_softmaxes
from quantune_mlir.graph.units import Kind
from quantune_mlir.model import Model


def require_integer_forms(model: Model) -> None:
    """Raises PlanError, naming the layers, if some of a model have no integer form."""
    softmaxes = {unit.layer for softmax in find_softmaxes(model.network) for unit in softmax.units}
    loops = {unit.layer for unit in model.network.units if unit.kind is Kind.LOOP}
    missing = [
        f"{layer.name!r} ({layer.op_type})"
        for layer in model.layers
        if layer.name in loops or (not layer.quantizable and layer.name not in softmaxes)
    ]
    if missing:
        raise PlanError(
            f"no integer form exists of {', '.join(missing)}",
            where="--integer-only",
            remedy="cut them off with --outputs, if they come last; or compute in floats: --no-integer-only",
        )
