"""Layers that int8 leaves as they are: piecewise linear functions, computed in fp32 in the epilogue before them.

That is so where an epilogue may compute in fp32 and their argument is fp32, or an accumulator that became so. An
argument that is stored in int8, because others read it so, makes a table of them, whose result is rounded.
"""

from __future__ import annotations

from quantune_mlir.graph.epilogues import is_piecewise_linear
from quantune_mlir.graph.lowering import Form, lowering_steps
from quantune_mlir.mlir.bindings import ir
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import INT8


def float_functions(model: Model) -> dict[str, str | None]:
    """By layer that is such a function, the deciding layer that makes its argument; None if that is fp32 in any plan.

    What the network is given is int8 to a layer in int8, and its functions are tables.
    """
    network, owners = model.network, model.network.owners
    steps = lowering_steps(network, network.everywhere(INT8), float_epilogues=True)
    rounded = {step.end for step in steps if step.form is Form.ROUNDED}
    found: dict[str, str | None] = {}
    for layer in model.layers:
        made = [value for value in layer.inputs if not isinstance(value, ir.BlockArgument)]
        if layer.computes and all(map(is_piecewise_linear, layer.computing)) and made == layer.inputs:
            makers = (owners.get(network.layer_making[value].name) for value in made if value in network.layer_making)
            in_fp32 = layer.units[-1].output in rounded
            found[layer.name] = None if in_fp32 else next(filter(None, makers), None)
    return found
