"""Max and average pools, windowed and global."""

from __future__ import annotations

from quantune_mlir.importers.onnx.builder import Builder
from quantune_mlir.importers.onnx.errors import Unsupported
from quantune_mlir.importers.onnx.node import Node
from quantune_mlir.importers.onnx.registry import operator
from quantune_mlir.importers.onnx.tensor import Tensor
from quantune_mlir.importers.onnx.windows import fit_image, from_image, resolve_window, to_image

_NO_PADS = [0, 0, 0, 0]


@operator("MaxPool")
def max_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    if node.uses_output(1):
        raise Unsupported("the Indices output is used")
    image = to_image(b, x)
    window = resolve_window(
        node, image.shape[1:3], node.attributes["kernel_shape"], ceil_mode=bool(node.attribute("ceil_mode", 0))
    )
    if window.dilation != (1, 1):
        raise Unsupported(f"dilation {window.dilation}")
    image, pads = fit_image(b, image, window)
    shape = (x.shape[0], *window.output, image.shape[3])
    return from_image(b, b.max_pool(image, shape, window.kernel, window.stride, pads), x.rank)


@operator("AveragePool")
def average_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    image = to_image(b, x)
    window = resolve_window(
        node, image.shape[1:3], node.attributes["kernel_shape"], ceil_mode=bool(node.attribute("ceil_mode", 0))
    )
    if window.dilation != (1, 1):
        raise Unsupported(f"dilation {window.dilation}")
    image, pads = fit_image(b, image, window)
    if node.attribute("count_include_pad", 0) and any(pads):
        # Zeros of the model's own padding count; what ceil_mode reads beyond it does not.
        after = [min(pads[1], window.end[0]), min(pads[3], window.end[1])]
        image = b.pad(image, (0, pads[0], pads[2], 0), (0, *after, 0))
        pads = [0, pads[1] - after[0], 0, pads[3] - after[1]]
    shape = (x.shape[0], *window.output, image.shape[3])
    return from_image(b, b.avg_pool(image, shape, window.kernel, window.stride, pads), x.rank)


@operator("GlobalAveragePool")
def global_average_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    return from_image(b, mean_image(b, to_image(b, x)), x.rank)


def mean_image(b: Builder, image: Tensor) -> Tensor:
    """[N, H, W, C] -> [N, 1, 1, C]: the mean over the image, as one tosa.avg_pool2d."""
    n, h, w, c = image.shape
    return b.avg_pool(image, (n, 1, 1, c), (h, w), (1, 1), _NO_PADS)


@operator("GlobalMaxPool")
def global_max_pool(b: Builder, node: Node) -> Tensor:
    x = node.input(0)
    image = to_image(b, x)
    n, h, w, c = image.shape
    return from_image(b, b.max_pool(image, (n, 1, 1, c), (h, w), (1, 1), _NO_PADS), x.rank)
