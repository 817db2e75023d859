"""The convolutions of well-known networks, each shape once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Precision = Literal["int8", "fp32"]


@dataclass(frozen=True)
class Layer:
    """A convolution: square input, square kernel, padded so that stride 1 keeps the size.

    Attributes:
        network: where it is from.
        size: rows and columns of the input.
        channels: of the input.
        filters: channels of the output.
        kernel: rows and columns of the kernel.
        stride: of both.
        depthwise: each channel by itself.
    """

    network: str
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1
    depthwise: bool = False

    @property
    def out(self) -> int:
        """Rows and columns of the output."""
        return (self.size + 2 * (self.kernel // 2) - self.kernel) // self.stride + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of an image."""
        return self.out**2 * self.filters * self.kernel**2 * (1 if self.depthwise else self.channels)

    def bytes_moved(self, precision: Precision) -> int:
        """Input, weights and output, each once."""
        per_filter = self.kernel**2 * (1 if self.depthwise else self.channels)
        elements = self.size**2 * self.channels + self.filters * per_filter + self.out**2 * self.filters
        return elements * (1 if precision == "int8" else 4)

    @property
    def name(self) -> str:
        """Such as "56x56 64-128 3x3/2"."""
        kind = "dw " if self.depthwise else ""
        stride = f"/{self.stride}" if self.stride > 1 else ""
        return f"{self.size}x{self.size} {self.channels}-{self.filters} {kind}{self.kernel}x{self.kernel}{stride}"

    @property
    def is_large(self) -> bool:
        """Whether it is a 1x1 or 3x3 convolution with at least 64 channels in and out."""
        return not self.depthwise and self.kernel in (1, 3) and min(self.channels, self.filters) >= 64


def _layers(network: str, *shapes: tuple[int, int, int, int] | tuple[int, int, int, int, int]) -> list[Layer]:
    """Layers by size, channels, filters, kernel and, if it is not 1, stride."""
    return [Layer(network, *shape[:4], stride=shape[4] if len(shape) == 5 else 1) for shape in shapes]


def _depthwise(network: str, *shapes: tuple[int, int, int]) -> list[Layer]:
    """Depthwise layers with 3x3 kernels by size, channels and stride."""
    return [Layer(network, size, channels, channels, 3, stride, depthwise=True) for size, channels, stride in shapes]


LAYERS: Final = [
    *_layers("resnet18", (224, 3, 64, 7, 2), (56, 64, 64, 3), (56, 64, 128, 3, 2), (56, 64, 128, 1, 2)),
    *_layers("resnet18", (28, 128, 128, 3), (28, 128, 256, 3, 2), (14, 256, 256, 3)),
    *_layers("resnet18", (14, 256, 512, 3, 2), (7, 512, 512, 3)),
    *_layers("resnet50", (56, 64, 64, 1), (56, 64, 256, 1), (56, 256, 64, 1), (28, 512, 128, 1), (28, 128, 512, 1)),
    *_layers("resnet50", (14, 1024, 256, 1), (14, 256, 1024, 1), (7, 2048, 512, 1), (7, 512, 2048, 1)),
    *_layers("mobilenet_v1", (112, 32, 64, 1), (56, 64, 128, 1), (56, 128, 128, 1), (28, 128, 256, 1)),
    *_layers("mobilenet_v1", (28, 256, 256, 1), (14, 256, 512, 1), (14, 512, 512, 1), (7, 1024, 1024, 1)),
    *_depthwise("mobilenet_v1", (112, 32, 1), (112, 64, 2), (56, 128, 1), (28, 256, 1), (14, 512, 1), (7, 1024, 1)),
    *_layers("mobilenet_v2", (112, 16, 96, 1), (56, 24, 144, 1), (56, 144, 24, 1), (28, 192, 32, 1)),
    *_layers("mobilenet_v2", (14, 64, 384, 1), (14, 384, 64, 1), (14, 576, 96, 1), (7, 160, 960, 1), (7, 960, 160, 1)),
    *_depthwise("mobilenet_v2", (112, 96, 2), (56, 144, 1), (28, 192, 1), (14, 384, 1), (14, 576, 1), (7, 960, 1)),
    *_layers("squeezenet", (224, 3, 64, 3, 2), (55, 64, 16, 1), (55, 16, 64, 3), (27, 128, 32, 1), (27, 32, 128, 3)),
    *_layers("squeezenet", (13, 384, 48, 1), (13, 48, 192, 3), (13, 64, 256, 3), (13, 512, 1000, 1)),
    *_layers("vgg16", (224, 3, 64, 3), (224, 64, 64, 3), (112, 64, 128, 3), (112, 128, 128, 3), (56, 128, 256, 3)),
    *_layers("vgg16", (56, 256, 256, 3), (28, 256, 512, 3), (28, 512, 512, 3), (14, 512, 512, 3)),
]
"""The layers that kernels are measured on."""
