"""Names of the discardable attributes that the project puts on TOSA ops, in one place.

| attribute            | on                         | meaning                                                    |
|----------------------|----------------------------|------------------------------------------------------------|
| `quantune.layer`     | every non-constant op      | name of the model's node that the op comes from             |
| `quantune.op`        | every non-constant op      | op type of that node, e.g. "Conv"                          |
| `quantune.name`      | function arguments/results | the model's own input and output names                     |
| `quantune.element_type` | function arguments/results | NumPy's name of an unsigned type, which MLIR's do not tell  |
| `quantune.qparams`   | ops, function arguments    | quantization parameters of the (first) result or argument  |
| `quantune.range`     | ops, function arguments    | the same's extremes, which int16 spans, array<f32>          |
| `quantune.precision` | ops                        | name of a number format, "int8" or "fp32" as a rule        |
| `quantune.input_means` | convolutions             | mean of each input channel, array<f64>                     |
| `quantune.channel_levels` | ops                   | root mean square of each channel of the result, array<f64>   |
| `quantune.model`     | the module                 | hash of the model that it was imported from                |
| `quantune.edits`     | the module                 | inputs pinned and tensors cut at before, as JSON           |
| `quantune.extremes`  | ops                        | least and largest number that the result held, array<f32>  |
| `quantune.fp32_only` | ops                        | why the op has no int8 form, although others of its kind do |
| `quantune.weight_scales` | products               | scales that the weights were stored with, array<f32>       |
| `quantune.joined_clamp` | clamps that round       | bounds of a clamp that was joined with them, array<f32>    |
| `quantune.shadowed`  | the module                 | layers of a quantized model: passes/calibrate/shadow_qdq.py |
| `quantune.constant_qparams` | add, sub, mul       | parameters that the constant operand was stored with       |

Layout transposes, which belong to no node, may lack `quantune.layer`.
"""

from __future__ import annotations

from typing import Final

from quantune_mlir.mlir.bindings import ir

LAYER: Final = "quantune.layer"
OP: Final = "quantune.op"
NAME: Final = "quantune.name"
ELEMENT_TYPE: Final = "quantune.element_type"
QPARAMS: Final = "quantune.qparams"
RANGE: Final = "quantune.range"
PRECISION: Final = "quantune.precision"
INPUT_MEANS: Final = "quantune.input_means"
CHANNEL_LEVELS: Final = "quantune.channel_levels"
MODEL: Final = "quantune.model"
EDITS: Final = "quantune.edits"
EXTREMES: Final = "quantune.extremes"
FP32_ONLY: Final = "quantune.fp32_only"
WEIGHT_SCALES: Final = "quantune.weight_scales"
JOINED_CLAMP: Final = "quantune.joined_clamp"
SHADOWED: Final = "quantune.shadowed"
CONSTANT_QPARAMS: Final = "quantune.constant_qparams"


def string_attribute(op: ir.Operation, name: str) -> str | None:
    """The string attribute `name` of `op`, or None."""
    attributes = op.attributes
    return ir.StringAttr(attributes[name]).value if name in attributes else None
