"""Trains the sample network of `make demo` and writes it, with its samples, to tests/data.

    python tools/make_digits_model.py

The data are the 1,797 handwritten digits that scikit-learn bundles (8×8 pixels, from the UCI repository, CC BY 4.0).
They are split once, seeded and stratified, into training and test samples; the calibration samples are some of the
training samples, so that all three uses are honest. The network has one layer of each kind that the project
quantizes: convolution, depthwise and pointwise convolution, residual addition, hard swish, maximum and average
pooling, fully connected. Training is plain NumPy and takes about a minute on one core; the same seed gives the same
files with the same versions of NumPy and its BLAS.

Written are digits.onnx (opset 17, batch norm separate, "input" [1, 1, 8, 8] float32 in [0, 1] to "logits" [1, 10]),
digits_calibration.npz ("input") and digits_test.npz ("input", "labels").
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.reference
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from tools import numpy_layers as nn

Labels = npt.NDArray[np.int64]

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
SEED = 7
TEST_SAMPLES = 400
CALIBRATION_SAMPLES = 100
EPOCHS = 60
BATCH = 32
LEARNING_RATE = 4e-3


class DigitsNetwork(nn.Chain):
    """The network, its layers by the names that they get in the ONNX file."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.stem_conv, self.stem_norm = nn.Conv(rng, 3, 1, 16), nn.BatchNorm(16)
        self.depthwise_conv, self.depthwise_norm = nn.DepthwiseConv(rng, 3, 16), nn.BatchNorm(16)
        self.pointwise_conv, self.pointwise_norm = nn.Conv(rng, 1, 16, 16), nn.BatchNorm(16)
        self.head_conv, self.head_norm = nn.Conv(rng, 3, 16, 32), nn.BatchNorm(32)
        self.classifier = nn.Dense(rng, 32, 10)
        block = nn.Chain(self.depthwise_conv, self.depthwise_norm, nn.Clip(6), self.pointwise_conv, self.pointwise_norm)
        super().__init__(
            *(self.stem_conv, self.stem_norm, nn.Clip()),
            *(nn.Residual(block), nn.Clip(), nn.MaxPool()),
            *(self.head_conv, self.head_norm, nn.HardSwish()),
            *(nn.GlobalAveragePool(), self.classifier),
        )

    def trained_layers(self) -> Iterator[nn.Layer]:
        """The layers with parameters."""
        yield from (layer for layer in vars(self).values() if isinstance(layer, nn.Layer) and layer.parameters)


def load_samples() -> tuple[nn.Array, Labels, nn.Array, Labels]:
    """Training images and labels, then test images and labels; images are [N, 8, 8, 1] in [0, 1]."""
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    train, test = train_test_split(np.arange(len(images)), test_size=TEST_SAMPLES, random_state=SEED, stratify=digits)
    labels = digits.astype(np.int64)
    return images[train], labels[train], images[test], labels[test]


def train(network: DigitsNetwork, images: nn.Array, labels: Labels, rng: np.random.Generator) -> None:
    """Adam with a cosine schedule; every batch is shifted by up to one pixel either way."""
    slots = [(layer, name) for layer in network.trained_layers() for name in layer.parameters]
    first = [np.zeros_like(layer.parameters[name]) for layer, name in slots]
    second = [np.zeros_like(layer.parameters[name]) for layer, name in slots]
    steps = EPOCHS * (len(images) // BATCH)
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        losses: list[float] = []
        for start in range(0, len(images) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            logits = network.forward(_shifted(images[batch], rng), training=True)
            loss, gradient = nn.softmax_cross_entropy(logits, labels[batch])
            network.backward(gradient)
            losses.append(loss)
            step += 1
            rate = LEARNING_RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            for (layer, name), m, v in zip(slots, first, second, strict=True):
                g = layer.gradients[name]
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                layer.parameters[name] -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")


def _shifted(images: nn.Array, rng: np.random.Generator) -> nn.Array:
    """The images moved by the same random number of pixels, -1 to 1 along each axis, zeros moving in."""
    dy, dx = rng.integers(0, 3, 2)
    return np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))[:, dy : dy + 8, dx : dx + 8]


def export(network: DigitsNetwork) -> onnx.ModelProto:
    """The trained network as ONNX, NCHW, batch 1."""
    nodes: list[onnx.NodeProto] = []
    initializers: list[onnx.TensorProto] = []

    def add(op: str, name: str, *inputs: str, weights: dict[str, nn.Array] | None = None, **attributes: Any) -> str:
        """Append a node whose only output is named like itself; `weights` become initializers name.key."""
        for key, array in (weights or {}).items():
            initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), f"{name}.{key}"))
        names = [*inputs, *(f"{name}.{key}" for key in weights or {})]
        nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return name

    def conv_norm(name: str, x: str, conv: nn.Layer, norm: nn.BatchNorm) -> str:
        w = conv.parameters["w"]
        depthwise = w.ndim == 3
        weight = w.transpose(2, 0, 1)[:, None] if depthwise else w.transpose(3, 2, 0, 1)
        margin = w.shape[0] // 2
        shape = {"kernel_shape": w.shape[:2], "pads": [margin] * 4, "group": w.shape[2] if depthwise else 1}
        y = add("Conv", f"{name}/conv", x, weights={"weight": weight}, **shape)
        statistics = {"mean": norm.mean, "variance": norm.variance}
        weights = {**norm.parameters, **statistics}
        return add("BatchNormalization", f"{name}/norm", y, weights=weights, epsilon=nn.BatchNorm.EPSILON)

    stem = add("Relu", "stem/relu", conv_norm("stem", "input", network.stem_conv, network.stem_norm))
    x = conv_norm("depthwise", stem, network.depthwise_conv, network.depthwise_norm)
    bounds = {"min": np.array(0, np.float32), "max": np.array(6, np.float32)}
    x = add("Clip", "depthwise/relu6", x, weights=bounds)
    x = conv_norm("pointwise", x, network.pointwise_conv, network.pointwise_norm)
    x = add("Relu", "residual/relu", add("Add", "residual/add", stem, x))
    x = add("MaxPool", "pool/max", x, kernel_shape=[2, 2], strides=[2, 2])
    x = add("HardSwish", "head/hardswish", conv_norm("head", x, network.head_conv, network.head_norm))
    x = add("Flatten", "pool/flatten", add("GlobalAveragePool", "pool/average", x))
    dense = network.classifier.parameters
    x = add("Gemm", "classifier/gemm", x, weights={"weight": dense["w"].T, "bias": dense["b"]}, transB=1)
    nodes[-1].output[0] = "logits"

    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="make_digits_model")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def accuracy(model: onnx.ModelProto, inputs: nn.Array, labels: Labels) -> float:
    """Top-1 accuracy of the exported model in ONNX's reference evaluator."""
    session = onnx.reference.ReferenceEvaluator(model)
    outputs = [list(session.run(None, {"input": x[None]})) for x in inputs]
    predicted = [int(np.argmax(logits)) for (logits,) in outputs]
    return float(np.mean(predicted == labels))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the sample network and write it with its samples.")
    parser.add_argument("--output", type=Path, default=DATA, help="directory to write to (default: tests/data)")
    output: Path = parser.parse_args().output
    rng = np.random.default_rng(SEED)
    train_images, train_labels, test_images, test_labels = load_samples()
    network = DigitsNetwork(rng)
    with threadpool_limits(1):  # one thread sums in one order
        train(network, train_images, train_labels, rng)
    model = export(network)
    calibration = train_images[np.sort(rng.choice(len(train_images), CALIBRATION_SAMPLES, replace=False))]
    test_inputs = test_images.transpose(0, 3, 1, 2)
    print(f"test accuracy {accuracy(model, test_inputs, test_labels):.4f} of {len(test_labels)} samples")
    output.mkdir(parents=True, exist_ok=True)
    onnx.save(model, output / "digits.onnx")
    np.savez_compressed(output / "digits_calibration.npz", input=calibration.transpose(0, 3, 1, 2))
    np.savez_compressed(output / "digits_test.npz", input=test_inputs, labels=test_labels)


if __name__ == "__main__":
    main()
