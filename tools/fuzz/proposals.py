"""Nodes that a growing graph may get: all operators that can be imported, with attributes of all sorts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tools.fuzz.growing import Growing, Proposal

_SMOOTH: Final = (
    *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Erf", "Exp", "Gelu", "HardSigmoid"),
    *("HardSwish", "Log", "Mish", "Reciprocal", "Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt"),
    *("Tan", "Tanh", "Elu", "Celu", "LeakyRelu", "Identity", "Dropout", "Softmax", "LogSoftmax"),
    *("LpNormalization", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "MeanVarianceNormalization"),
)
_JUMPING: Final = ("Ceil", "Floor", "Round", "Sign", "Hardmax", "IsNaN", "IsInf", "ThresholdedRelu", "Shrink", "Not")
_WHOLE: Final = ("Abs", "Neg", "Relu", "Flatten", "Transpose", "Identity")
_ARITHMETIC: Final = ("Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "PRelu")
_COMPARING: Final = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
_REDUCING: Final = ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")


def _chance(g: Growing, *choices: Any) -> Any:
    return choices[int(g.rng.integers(len(choices)))]


def _axis(g: Growing, name: str) -> int:
    rank = len(g.shape(name))
    return int(g.rng.integers(-rank, rank))


def _partner(g: Growing, name: str) -> str:
    """Of the same elements, of a shape that broadcasts with that of the other."""
    value = g.values[name].array
    same = [n for n, v in g.values.items() if v.array.shape == value.shape and v.array.dtype == value.dtype]
    if g.rng.random() < 0.5:
        return str(g.rng.choice(same))
    shape = [1 if g.rng.random() < 0.3 else size for size in value.shape][int(g.rng.integers(0, value.ndim + 1)) :]
    if value.dtype.kind == "f":
        return g.normal(*shape)
    if value.dtype.kind == "b":
        return g.given(g.rng.random(shape) < 0.5)
    return g.given(g.rng.integers(1, 9, shape).astype(value.dtype))


def _smooth(g: Growing) -> bool:
    op = str(g.rng.choice(_SMOOTH))
    options: dict[str, Any] = {}
    if op in ("Elu", "Celu", "LeakyRelu", "HardSigmoid"):
        options["alpha"] = float(g.rng.uniform(0.05, 1.5))
    if op == "Gelu":
        options["approximate"] = _chance(g, "none", "tanh")
    x = g.pick()
    if op in ("Softmax", "LogSoftmax", "LpNormalization"):
        options["axis"] = _axis(g, x)
    return g.add(op, [x], **options)


def _jump(g: Growing) -> bool:
    op = str(g.rng.choice(_JUMPING))
    return g.add(op, [g.pick("b" if op == "Not" else "f", exact=True)], rounds=False)


def _whole(g: Growing) -> bool:
    op = str(g.rng.choice(_WHOLE))
    x = g.pick("f" if op == "Relu" else "fi")
    options: dict[str, Any] = {}
    if op == "Transpose":
        options["perm"] = g.rng.permutation(len(g.shape(x))).tolist()
    if op == "Flatten":
        options["axis"] = int(g.rng.integers(-len(g.shape(x)), len(g.shape(x)) + 1))
    return g.add(op, [x], rounds=False, **options)


def _arithmetic(g: Growing) -> bool:
    op = str(g.rng.choice(_ARITHMETIC))
    x = g.pick("f" if op in ("Pow", "Mean", "Sum", "PRelu", "Div") else "fi")
    pair = [x, _partner(g, x)]
    return g.add(op, pair if op == "PRelu" or g.rng.random() < 0.5 else pair[::-1], rounds=op not in ("Min", "Max"))


def _compare(g: Growing) -> bool:
    x = g.pick("fi", exact=True)
    return g.add(str(g.rng.choice(_COMPARING)), [x, g.given(np.array(g.values[_partner(g, x)].array))])


def _logic(g: Growing) -> bool:
    x = g.pick("b")
    return g.add(str(g.rng.choice(["And", "Or", "Xor"])), [x, _partner(g, x)])


def _bits(g: Growing) -> bool:
    op = str(g.rng.choice(["BitwiseAnd", "BitwiseOr", "BitwiseXor", "Mod", "BitwiseNot"]))
    x = g.pick("i")
    return g.add(op, [x] if op == "BitwiseNot" else [x, _partner(g, x)])


def _where(g: Growing) -> bool:
    x = g.pick("fi")
    condition = g.given(g.rng.random(g.shape(x)) < 0.5)
    return g.add("Where", [condition, x, _partner(g, x)], rounds=False)


def _cast(g: Growing) -> bool:
    x = g.pick("fib", exact=True)
    return g.add("Cast", [x], rounds=False, to=int(g.rng.choice([1, 6, 7, 9])))


def _clip(g: Growing) -> bool:
    low, high = np.sort(g.rng.standard_normal(2)).astype(np.float32)
    bounds = [str(_chance(g, "", g.given(np.array(b), constant=True))) for b in (low, high)]
    return g.add("Clip", [g.pick(), *bounds], rounds=False)


def _reduce(g: Growing) -> bool:
    x = g.pick()
    rank = len(g.shape(x))
    axes = g.rng.choice(rank, int(g.rng.integers(1, rank + 1)), replace=False) - int(_chance(g, 0, rank))
    inputs = [x] if g.rng.random() < 0.2 else [x, g.numbers(*axes.tolist())]
    return g.add(f"Reduce{g.rng.choice(_REDUCING)}", inputs, keepdims=int(g.rng.integers(2)))


def _argument(g: Growing) -> bool:
    x = g.pick(exact=True)
    options: dict[str, Any] = {
        "axis": _axis(g, x),
        "keepdims": int(g.rng.integers(2)),
        "select_last_index": int(g.rng.integers(2)),
    }
    return g.add(str(g.rng.choice(["ArgMax", "ArgMin"])), [x], **options)


def _top(g: Growing) -> bool:
    x = g.pick(exact=True)
    axis = _axis(g, x)
    count = int(g.rng.integers(1, g.shape(x)[axis] + 1))
    return g.add("TopK", [x, g.numbers(count)], 2, rounds=False, axis=axis, largest=int(g.rng.integers(2)))


def _reshape(g: Growing) -> bool:
    x = g.pick("fib")
    sizes = list(g.shape(x))
    g.rng.shuffle(sizes)
    if len(sizes) > 1 and g.rng.random() < 0.5:
        sizes = [sizes[0] * sizes[1], *sizes[2:]]
    if g.rng.random() < 0.5:
        sizes[int(g.rng.integers(len(sizes)))] = -1
    return g.add("Reshape", [x, g.numbers(*sizes)], rounds=False)


def _squeeze(g: Growing) -> bool:
    x = g.pick("fib", ranks=range(1, 5))
    if g.rng.random() < 0.5:
        return g.add("Unsqueeze", [x, g.numbers(int(g.rng.integers(0, len(g.shape(x)) + 1)))], rounds=False)
    ones = [i for i, size in enumerate(g.shape(x)) if size == 1]
    return bool(ones) and g.add("Squeeze", [x, g.numbers(int(g.rng.choice(ones)))], rounds=False)


def _slice(g: Growing) -> bool:
    x = g.pick("fib")
    axis = _axis(g, x)
    start, end = (int(v) for v in g.rng.integers(-9, 9, 2))
    step = int(g.rng.choice([1, 1, 2, 3, -1, -2]))
    return g.add("Slice", [x, g.numbers(start), g.numbers(end), g.numbers(axis), g.numbers(step)], rounds=False)


def _split(g: Growing) -> bool:
    x = g.pick("fi")
    axis = _axis(g, x)
    first = int(g.rng.integers(1, max(2, g.shape(x)[axis])))
    return g.add("Split", [x, g.numbers(first, g.shape(x)[axis] - first)], 2, rounds=False, axis=axis)


def _join(g: Growing) -> bool:
    x = g.pick("fi")
    axis = _axis(g, x)
    shape = list(g.shape(x))
    shape[axis] = int(g.rng.integers(1, 4))
    kind = g.values[x].array.dtype
    parts = [x, g.given((g.rng.standard_normal(shape) * 3).astype(kind)), *([x] if g.rng.random() < 0.3 else [])]
    return g.add("Concat", [parts[i] for i in g.rng.permutation(len(parts))], rounds=False, axis=axis)


def _spread(g: Growing) -> bool:
    x = g.pick("fi", ranks=range(1, 5))
    shape = g.shape(x)
    if g.rng.random() < 0.5:
        return g.add("Tile", [x, g.numbers(*g.rng.integers(1, 4, len(shape)).tolist())], rounds=False)
    wanted = [int(g.rng.integers(1, 5)) if size == 1 else int(_chance(g, 1, size)) for size in shape]
    return g.add("Expand", [x, g.numbers(2, *wanted)], rounds=False)


def _pad(g: Growing) -> bool:
    x = g.pick("fi")
    mode = str(g.rng.choice(["constant", "edge", "reflect", "wrap"]))
    widths = g.rng.integers(-1 if mode == "constant" else 0, 3, 2 * len(g.shape(x))).tolist()
    value = [g.given(np.array(3, g.values[x].array.dtype), constant=True)] if g.rng.random() < 0.5 else []
    return g.add("Pad", [x, g.numbers(*widths), *value], rounds=False, mode=mode)


def _gather(g: Growing) -> bool:
    x = g.pick("fi")
    axis = _axis(g, x)
    size = g.shape(x)[axis]
    op = str(g.rng.choice(["Gather", "GatherElements", "GatherND"]))
    if op == "GatherND":
        indices = np.stack([g.rng.integers(-s, s, (3,)) for s in g.shape(x)[: int(g.rng.integers(1, 3))]], axis=-1)
        return g.add(op, [x, g.given(indices.astype(np.int64), constant=True)], rounds=False)
    shape = list(g.shape(x)) if op == "GatherElements" else g.rng.integers(1, 4, int(g.rng.integers(0, 3))).tolist()
    return g.add(op, [x, g.given(g.rng.integers(-size, size, shape).astype(np.int64))], rounds=False, axis=axis)


def _scatter(g: Growing) -> bool:
    x = g.pick("f", ranks=range(1, 4))
    axis = _axis(g, x)
    shape = list(g.shape(x))
    shape[axis] = 1
    indices = g.given(g.rng.integers(0, g.shape(x)[axis], shape).astype(np.int64), constant=True)
    reduction = str(g.rng.choice(["none", "add", "max"]))
    return g.add("ScatterElements", [x, indices, g.normal(*shape)], axis=axis, reduction=reduction)


def _blocks(g: Growing) -> bool:
    size = int(g.rng.integers(2, 4))
    n, h, w = (int(v) for v in g.rng.integers(1, 4, 3))
    if g.rng.random() < 0.5:
        mode = str(g.rng.choice(["DCR", "CRD"]))
        return g.add("DepthToSpace", [g.normal(n, 2 * size * size, h, w)], rounds=False, blocksize=size, mode=mode)
    return g.add("SpaceToDepth", [g.normal(n, 2, h * size, w * size)], rounds=False, blocksize=size)


def _resize(g: Growing) -> bool:
    x = g.pick(ranks=[4])
    mode = str(g.rng.choice(["nearest", "linear", "cubic"]))
    sizes = [*g.shape(x)[:2], *(int(v) for v in g.rng.integers(1, 12, 2))]
    if mode == "nearest":  # Elsewhere fp32 decides which of two pixels is the nearest.
        sizes[2:] = [size * int(g.rng.integers(1, 4)) for size in g.shape(x)[2:]]
    options: dict[str, Any] = {
        "coordinate_transformation_mode": _chance(g, "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"),
        **({"nearest_mode": _chance(g, "floor", "ceil", "round_prefer_floor")} if mode == "nearest" else {}),
    }
    return g.add("Resize", [x, "", "", g.numbers(*sizes)], rounds=mode != "nearest", mode=mode, **options)


def _convolve(g: Growing) -> bool:
    axes = int(g.rng.integers(1, 3))
    x = g.pick(ranks=[axes + 2])
    channels = g.shape(x)[1]
    group = int(g.rng.choice([d for d in range(1, channels + 1) if channels % d == 0]))
    kernel = g.rng.integers(1, 4, axes).tolist()
    options: dict[str, Any] = {
        "group": group,
        "strides": g.rng.integers(1, 3, axes).tolist(),
        "dilations": g.rng.integers(1, 3, axes).tolist(),
        **(
            {"auto_pad": _chance(g, "SAME_UPPER", "SAME_LOWER", "VALID")}
            if g.rng.random() < 0.3
            else {"pads": g.rng.integers(0, 3, 2 * axes).tolist()}
        ),
    }
    outputs = int(g.rng.integers(1, 4))
    bias = [g.normal(outputs * group, constant=True)] if g.rng.random() < 0.6 else []
    if g.rng.random() < 0.3:
        weights = g.normal(channels, outputs, *kernel, constant=True)
        return g.add("ConvTranspose", [x, weights, *bias], **options)
    return g.add("Conv", [x, g.normal(outputs * group, channels // group, *kernel, constant=True), *bias], **options)


def _pool(g: Growing) -> bool:
    axes = int(g.rng.integers(1, 3))
    op = str(g.rng.choice(["MaxPool", "AveragePool"]))
    options: dict[str, Any] = {
        "kernel_shape": g.rng.integers(1, 4, axes).tolist(),
        "strides": g.rng.integers(1, 3, axes).tolist(),
        "pads": g.rng.integers(0, 2, 2 * axes).tolist(),
        "ceil_mode": int(g.rng.integers(2)),
        **({"count_include_pad": int(g.rng.integers(2))} if op == "AveragePool" else {}),
    }
    return g.add(op, [g.pick(ranks=[axes + 2])], rounds=op != "MaxPool", **options)


def _normalize(g: Growing) -> bool:
    x = g.pick(ranks=range(3, 5))
    channels = g.shape(x)[1]
    scale, shift, mean = (g.normal(channels, constant=True) for _ in range(3))
    match int(g.rng.integers(5)):
        case 0:
            variance = g.given(g.rng.uniform(0.5, 2, channels).astype(np.float32), constant=True)
            return g.add("BatchNormalization", [x, scale, shift, mean, variance])
        case 1:
            return g.add("InstanceNormalization", [x, scale, shift])
        case 2:
            axis = _axis(g, x)
            return g.add("LayerNormalization", [x, g.normal(*g.shape(x)[axis:], constant=True)], axis=axis)
        case 3:
            group = int(g.rng.choice([d for d in range(1, channels + 1) if channels % d == 0]))
            return g.add("GroupNormalization", [x, scale, shift], num_groups=group)
        case _:
            return g.add("LRN", [x], size=int(g.rng.choice([1, 3, 5])), alpha=0.01)


def _multiply(g: Growing) -> bool:
    if g.rng.random() < 0.4:
        x = g.pick(ranks=[2])
        turned = [int(v) for v in g.rng.integers(0, 2, 2)]
        rows = g.shape(x)[0 if turned[0] else 1]
        columns = int(g.rng.integers(1, 6))
        weights = g.normal(*((columns, rows) if turned[1] else (rows, columns)))
        bias = [g.normal(*((columns,) if g.rng.random() < 0.7 else (1, 1)))] if g.rng.random() < 0.7 else []
        return g.add("Gemm", [x, weights, *bias], transA=turned[0], transB=turned[1], alpha=0.5, beta=1.5)
    x = g.pick()
    shape = g.shape(x)
    inner, columns = shape[-1], int(g.rng.integers(1, 6))
    other = (inner,) if g.rng.random() < 0.2 else (*(shape[:-2] if g.rng.random() < 0.5 else ()), inner, columns)
    return g.add("MatMul", [x, g.normal(*other)])


def _recur(g: Growing) -> bool:
    op = str(g.rng.choice(["LSTM", "GRU", "RNN"]))
    x = g.pick(ranks=[3])
    features, hidden = g.shape(x)[2], int(g.rng.integers(1, 4))
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op] * hidden
    direction = str(g.rng.choice(["forward", "reverse", "bidirectional"]))
    ways = 2 if direction == "bidirectional" else 1
    inputs = [x, g.normal(ways, gates, features, constant=True), g.normal(ways, gates, hidden, constant=True)]
    options: dict[str, Any] = {"linear_before_reset": int(g.rng.integers(2))} if op == "GRU" else {}
    return g.add(op, inputs, 2, hidden_size=hidden, direction=direction, **options)


def _accumulate(g: Growing) -> bool:
    x = g.pick()
    axis = g.given(np.array(_axis(g, x), np.int64), constant=True)
    return g.add("CumSum", [x, axis], exclusive=int(g.rng.integers(2)), reverse=int(g.rng.integers(2)))


def _triangle(g: Growing) -> bool:
    x = g.pick(ranks=range(2, 5))
    offset = g.given(np.array(g.rng.integers(-2, 3), np.int64), constant=True)
    return g.add("Trilu", [x, offset], rounds=False, upper=int(g.rng.integers(2)))


def _fixed(g: Growing) -> bool:
    match int(g.rng.integers(4)):
        case 0:
            return g.add("Shape", [g.pick("fib")])
        case 1:
            return g.add("EyeLike", [g.pick(ranks=[2])], k=int(g.rng.integers(-2, 3)))
        case 2:
            limits = [g.given(np.array(v, np.float32), constant=True) for v in (0, g.rng.integers(1, 9), 1)]
            return g.add("Range", limits, rounds=False)
        case _:
            indices = g.given(g.rng.integers(0, 4, int(g.rng.integers(1, 5))))
            values = g.given(np.array([0, 2], np.float32), constant=True)
            return g.add("OneHot", [indices, g.numbers(4), values], rounds=False, axis=-1)


def _reverse(g: Growing) -> bool:
    x = g.pick(ranks=range(2, 5))
    time, batch = g.shape(x)[:2]
    lengths = g.given(g.rng.integers(1, time + 1, batch), constant=True)
    return g.add("ReverseSequence", [x, lengths], rounds=False, time_axis=0, batch_axis=1)


PROPOSALS: Final[tuple[Proposal, ...]] = (
    *(_smooth, _smooth, _smooth, _arithmetic, _arithmetic, _convolve, _convolve, _pool, _normalize, _multiply, _reduce),
    *(_jump, _whole, _compare, _logic, _bits, _where, _cast, _clip, _argument, _top, _reshape, _squeeze, _slice),
    *(_split, _join, _spread, _pad, _gather, _scatter, _blocks, _resize, _recur, _accumulate, _triangle, _fixed),
    _reverse,
)
