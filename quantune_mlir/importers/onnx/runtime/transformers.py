"""What ONNX Runtime's optimizer for transformers makes: attention with its projections, sums that are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from quantune_mlir.importers.common.errors import Unsupported
from quantune_mlir.importers.onnx.runtime.body import Body, Call

_HIDDEN: Final = -10000.0
"""What is added to the scores of what a mask hides, unless the node says another number."""
_EPSILON: Final = 1e-12


def attention(body: Body, call: Call) -> list[str]:
    """Attention: one product of the input [B, S, C] gives queries, keys and values, the whole heads side by side."""
    x, weights = call.names[:2]
    for index, meaning in ((4, "keys and values of earlier runs"), (6, "lengths of earlier runs")):
        call.refuse(index, meaning)
    if call.attributes.get("do_rotary"):
        raise Unsupported("rotary embeddings inside attention (do_rotary)")
    sizes = call.attributes.get("qkv_hidden_sizes") or [call.shape(1)[1] // 3] * 3
    product = body.added(body.op("MatMul", x, weights), call.given(2))
    query, key, value = body.parts("Split", 3, product, body.number(sizes, np.int64), axis=-1)
    batch, length, _ = call.shape(0)
    mask = _mask(body, call, 3, batch, length)
    return [_attended(body, [query, key, value], _of_scores(body, mask, call.given(5)), call.attributes)]


def multi_head_attention(body: Body, call: Call) -> list[str]:
    """MultiHeadAttention of queries, keys and values [B, S, C], with one bias for all three."""
    for index, meaning in ((6, "keys of earlier runs"), (7, "values of earlier runs")):
        call.refuse(index, meaning)
    if not call.given(2) or any(len(call.shape(index)) != 3 for index in range(3)):
        raise Unsupported("queries, keys and values that are packed into one tensor")
    parts = list(call.names[:3])
    if call.given(3):
        sizes = [call.shape(index)[2] for index in range(3)]
        biases = body.parts("Split", 3, call.names[3], body.number(sizes, np.int64), axis=0)
        parts = [body.op("Add", part, bias) for part, bias in zip(parts, biases, strict=True)]
    mask = _mask(body, call, 4, call.shape(0)[0], call.shape(1)[1])
    return [_attended(body, parts, _of_scores(body, mask, call.given(5)), call.attributes)]


def _of_scores(body: Body, mask: str, bias: str) -> str:
    """What is added to scores; "" if nothing is."""
    return body.added(mask, bias) if mask or bias else ""


def layer_normalization(body: Body, call: Call) -> list[str]:
    """LayerNormalization as ONNX has it from opset 17 on."""
    return [body.op("LayerNormalization", *call.names, **call.attributes)]


def rms_normalization(body: Body, call: Call) -> list[str]:
    """SimplifiedLayerNormalization, which is RMSNormalization."""
    return [body.op("RMSNormalization", *call.names, **call.attributes)]


def skip_layer_normalization(body: Body, call: Call) -> list[str]:
    """LayerNormalization of x + skip + bias, and that sum as the fourth output."""
    x, skip, gamma = call.names[:3]
    total = body.added(x, skip, call.given(4))
    return [_normalized(body, total, gamma, call.given(3), call.attributes), "", "", total]


def skip_rms_normalization(body: Body, call: Call) -> list[str]:
    """SkipSimplifiedLayerNormalization: RMSNormalization of x + skip + bias, and that sum as the fourth output."""
    x, skip, gamma = call.names[:3]
    total = body.added(x, skip, call.given(3))
    epsilon = call.attributes.get("epsilon", _EPSILON)
    return [body.op("RMSNormalization", total, gamma, axis=-1, epsilon=epsilon), "", "", total]


def embed_layer_normalization(body: Body, call: Call) -> list[str]:
    """Words, positions and segments looked up, summed, normalised; lengths, by a mask [B, S], or 0; the sum."""
    words, segments, of_words, of_positions, of_segments, gamma, beta = call.names[:7]
    batch, length = call.shape(0)
    places = call.given(8) or body.number(np.arange(length)[None], np.int64)
    looked_up = [body.op("Gather", of_words, words), body.op("Gather", of_positions, places)]
    if segments:
        looked_up.append(body.op("Gather", of_segments, segments))
    total = body.added(*looked_up)
    lengths = body.number(np.zeros(batch), np.int32)
    if call.given(7):
        lengths = body.op("ReduceSum", call.names[7], body.number([1], np.int64), keepdims=0)
    return [_normalized(body, total, gamma, beta, call.attributes), lengths, total]


def _normalized(body: Body, x: str, gamma: str, beta: str, attributes: dict[str, Any]) -> str:
    operands = [x, gamma, beta] if beta else [x, gamma]
    return body.op("LayerNormalization", *operands, axis=-1, epsilon=attributes.get("epsilon", _EPSILON))


def _attended(body: Body, parts: Sequence[str], mask: str, attributes: dict[str, Any]) -> str:
    heads = attributes["num_heads"]
    told: dict[str, Any] = {"q_num_heads": heads, "kv_num_heads": heads}
    if attributes.get("scale"):
        told["scale"] = attributes["scale"]
    if attributes.get("unidirectional"):
        told["is_causal"] = 1
    return body.op("Attention", *parts, *([mask] if mask else []), **told)


def _mask(body: Body, call: Call, index: int, batch: int, length: int) -> str:
    """What is added to the scores of `length` keys, from a mask or from lengths; "" if the node has neither."""
    if not call.given(index):
        return ""
    given, shape = body.op("Cast", call.names[index], to=1), call.shape(index)
    if shape == (batch,):
        places = body.number(np.arange(length)[None])
        is_there = body.op("Less", places, body.reshaped(given, (batch, 1)))
        given, shape = body.op("Cast", is_there, to=1), (batch, length)
    if len(shape) not in (2, 3) or shape[0] != batch or shape[-1] != length:
        raise Unsupported(f"a mask of shape {list(shape)}")
    hidden = body.op("Sub", body.number(1.0), given)
    added = body.op("Mul", hidden, body.number(call.attributes.get("mask_filter_value", _HIDDEN)))
    return body.reshaped(added, (batch, 1, *([1] if len(shape) == 2 else []), *shape[1:]))
