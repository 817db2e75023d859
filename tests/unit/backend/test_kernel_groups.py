"""Kernel groups: their noise also where the clamp's layer ends in a reshape, and how much work they are."""

from __future__ import annotations

from pathlib import Path

from onnx import helper

from quantune_mlir.backend.kernel_groups import kernel_groups
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.quantization import quantize
from tests.e2e.models import images, make_model, save_model, weights


def test_every_matrix_product_before_a_relu_has_a_share_of_the_noise(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w0"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="first/relu"),
        helper.make_node("Gemm", ["b", "w1"], ["c"], name="second"),
        helper.make_node("Relu", ["c"], ["d"], name="second/relu"),
        helper.make_node("Gemm", ["d", "w2"], ["y"], name="last"),
    ]
    initializers = [weights("w0", 8, 8), weights("w1", 8, 8), weights("w2", 8, 8)]
    model = Model.load(
        save_model(make_model(nodes, initializers, output="y", input_shape=[1, 8]), tmp_path / "perceptron.onnx")
    )
    quantized = quantize(model, SampleSet.open({"x": images(10, [8])}, model.inputs), verify=False)
    shares = {layer.name: layer.output_normalized_mse for layer in quantized.sensitivity.layers}
    assert all(shares[name] for name in ("first", "second", "last")), shares
    measured = next(layer for layer in quantized.sensitivity.layers if layer.name == "last").normalized_mse
    rounding = quantized.sensitivity.rounding_normalized_mse
    assert measured and rounding is not None
    assert 0.9 * measured < rounding + sum(share or 0.0 for share in shares.values()) < 1.1 * measured


def test_weights_between_groups_of_channels_are_not_read(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], name="grouped", group=4)]
    path = save_model(
        make_model(nodes, [weights("w", 64, 16, 3, 3)], output="y", input_shape=[1, 64, 8, 8]),
        tmp_path / "grouped.onnx",
    )
    (work,) = (group.work for group in kernel_groups(Model.load(path).module) if group.work.macs)
    of_weights, of_biases, of_images = 4 * 64 * 16 * 9, 4 * 64, 4 * 64 * (64 + 36)
    assert 0 <= work.constants - of_weights < 2 * of_biases
    assert work.moved == of_images + work.constants
