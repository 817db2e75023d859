"""Operators of ai.onnx.ml that are plain arithmetic: what converters of scikit-learn put around networks."""

from __future__ import annotations

import numpy as np

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.onnx.runtime.body import Body, Call


def scaler(body: Body, call: Call) -> list[str]:
    """(x - offset) scale, each a number for every feature or one for all."""
    shifted = body.op("Sub", _floats(body, call), body.number(call.attributes.get("offset", [0.0])))
    return [body.op("Mul", shifted, body.number(call.attributes.get("scale", [1.0])))]


def linear_regressor(body: Body, call: Call) -> list[str]:
    """Features times coefficients, a row of them for each target, plus intercepts."""
    if call.attributes.get("post_transform", "NONE") != "NONE":
        raise Unsupported(f"post_transform {call.attributes['post_transform']!r}")
    targets = call.attributes.get("targets", 1)
    rows = np.reshape(call.attributes["coefficients"], (targets, -1))
    intercepts = call.attributes.get("intercepts", np.zeros(targets))
    return [body.op("Gemm", _floats(body, call), body.number(rows), body.number(intercepts), transB=1)]


def _floats(body: Body, call: Call) -> str:
    return body.op("Cast", call.names[0], to=1)
