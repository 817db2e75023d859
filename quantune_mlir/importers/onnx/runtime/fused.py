"""Activations of ONNX Runtime's own, and products that are fused with what follows them."""

from __future__ import annotations

import math
from typing import Any, Final

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.onnx.runtime.body import Body, Call

_PLAIN: Final = frozenset({"Relu", "Tanh", "Sigmoid"})
_PARAMETERS: Final = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta")}
"""What the numbers of an activation are called."""


def gelu(body: Body, call: Call) -> list[str]:
    """Gelu and BiasGelu: by the error function."""
    return [body.op("Gelu", body.added(*call.names))]


def fast_gelu(body: Body, call: Call) -> list[str]:
    """FastGelu: by tanh."""
    return [body.op("Gelu", body.added(*call.names), approximate="tanh")]


def quick_gelu(body: Body, call: Call) -> list[str]:
    """x sigmoid(alpha x)."""
    (x,) = call.names
    alpha = body.number(call.attributes.get("alpha", 1.702))
    return [body.op("Mul", x, body.op("Sigmoid", body.op("Mul", x, alpha)))]


def fused_matmul(body: Body, call: Call) -> list[str]:
    """alpha times the product of matrices, each perhaps transposed."""
    attributes = call.attributes
    if attributes.get("transBatchA") or attributes.get("transBatchB"):
        raise Unsupported("batches of matrices transposed with them (transBatchA, transBatchB)")
    factors = list(call.names[:2])
    for index, name in enumerate(("transA", "transB")):
        rank = len(call.shape(index))
        if attributes.get(name) and rank > 1:
            order = [*range(rank - 2), rank - 1, rank - 2]
            factors[index] = body.op("Transpose", factors[index], perm=order)
    product = body.op("MatMul", *factors)
    alpha = attributes.get("alpha", 1.0)
    return [product if alpha == 1 else body.op("Mul", product, body.number(alpha))]


def fused_gemm(body: Body, call: Call) -> list[str]:
    """Gemm with an activation."""
    kept = {name: call.attributes[name] for name in ("alpha", "beta", "transA", "transB") if name in call.attributes}
    numbers = [call.attributes[name] for name in _numbers_of_gemm(call.attributes)]
    return [_activated(body, body.op("Gemm", *call.names, **kept), call.attributes.get("activation", ""), numbers)]


def fused_convolution(body: Body, call: Call) -> list[str]:
    """Conv, plus the fourth input, with an activation."""
    kept = {name: value for name, value in call.attributes.items() if not name.startswith("activation")}
    total = body.added(body.op("Conv", *call.names[:3], **kept), call.given(3))
    numbers = list(call.attributes.get("activation_params", ()))
    return [_activated(body, total, call.attributes.get("activation", ""), numbers)]


def _numbers_of_gemm(attributes: dict[str, Any]) -> list[str]:
    return [name for name in ("activation_alpha", "activation_beta", "activation_gamma") if name in attributes]


def _activated(body: Body, x: str, activation: str, numbers: list[float]) -> str:
    if not activation:
        return x
    if activation in _PLAIN:
        return body.op(activation, x)
    if activation == "Clip":
        low, high = [*numbers, -math.inf, math.inf][:2] if numbers else (-math.inf, math.inf)
        return body.op("Clip", x, body.number(low), body.number(high))
    if activation in _PARAMETERS:
        return body.op(activation, x, **dict(zip(_PARAMETERS[activation], numbers, strict=False)))
    raise Unsupported(f"activation {activation!r}")
