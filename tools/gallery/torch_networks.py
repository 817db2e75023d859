"""Exports a network with weights at random.

This file alone, in PyTorch's own environment:

    TORCH/bin/python tools/gallery/torch_networks.py NAME SAMPLES.npz OUTPUT.onnx [--dynamo]

Weights keep the variance of what they are given, and the statistics of batch normalizations are those that the samples
give, so that signals are of the size that training would leave them at.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TORCHVISION = (
    *("mobilenet_v3_small", "mobilenet_v3_large", "efficientnet_b0", "shufflenet_v2_x1_0", "regnet_y_400mf"),
    "regnet_x_400mf",
)
OPSET = 17


class Attention(nn.Module):
    """Several heads, from projections to projection. A bias is added to what the softmax is of."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.heads = heads

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        shape = (x.shape[0], x.shape[1], self.heads, -1)
        q, k, v = (each(x).view(shape).transpose(1, 2) for each in (self.query, self.key, self.value))
        weights = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        weights = weights if bias is None else weights + bias
        return self.out((weights.softmax(-1) @ v).transpose(1, 2).reshape(x.shape))


class Bert(nn.Module):
    """Four layers of 128 with two heads over 64 tokens, and the mean of what they say as an embedding."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30522, width), nn.Embedding(64, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(
            nn.ModuleDict({
                "attention": Attention(width, 2),
                "first": nn.LayerNorm(width, eps=1e-12),
                "wide": nn.Linear(width, 4 * width),
                "narrow": nn.Linear(4 * width, width),
                "second": nn.LayerNorm(width, eps=1e-12),
            })
            for _ in range(4)
        )  # fmt: skip

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        known = attention_mask[:, None, None, :].float()
        bias = (1 - known) * torch.finfo(torch.float32).min
        x = self.norm(self.words(input_ids) + self.places(torch.arange(64)))
        for layer in self.layers:
            x = layer["first"](x + layer["attention"](x, bias))
            x = layer["second"](x + layer["narrow"](nn.functional.gelu(layer["wide"](x))))
        kept = attention_mask[:, :, None].float()
        return (x * kept).sum(1) / kept.sum(1).clamp(min=1e-9)


class Whisper(nn.Module):
    """The encoder of Whisper's tiny size: mel spectra (80, 1500) to 750 frames of 384."""

    def __init__(self, width: int = 384, frames: int = 750) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(80, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        steps = torch.arange(frames)[:, None] * torch.exp(torch.arange(width // 2) * -math.log(1e4) / (width // 2 - 1))
        self.register_buffer("places", torch.cat([steps.sin(), steps.cos()], 1))
        self.blocks = nn.ModuleList(
            nn.ModuleDict({
                "first": nn.LayerNorm(width),
                "attention": Attention(width, 6),
                "second": nn.LayerNorm(width),
                "mlp": nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)),
            })
            for _ in range(4)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)

    def forward(self, mels: Tensor) -> Tensor:
        x = nn.functional.gelu(self.conv2(nn.functional.gelu(self.conv1(mels))))
        x = x.transpose(1, 2) + self.places
        for block in self.blocks:
            x = x + block["attention"](block["first"](x))
            x = x + block["mlp"](block["second"](x))
        return self.norm(x)


class Conformer(nn.Module):
    """One block of 144 with four heads and a depthwise convolution of 31, over 200 frames of 80 mel bands."""

    def __init__(self, width: int = 144) -> None:
        super().__init__()
        self.front = nn.Linear(80, width)
        self.before, self.after = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, width))
            for _ in range(2)
        )
        self.calm, self.attention = nn.LayerNorm(width), Attention(width, 4)
        self.quiet = nn.LayerNorm(width)
        self.convolution = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1),
            nn.GLU(dim=1),
            nn.Conv1d(width, width, 31, padding=15, groups=width),
            nn.BatchNorm1d(width),
            nn.SiLU(),
            nn.Conv1d(width, width, 1),
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, mels: Tensor) -> Tensor:
        x = self.front(mels)
        x = x + self.before(x) / 2
        x = x + self.attention(self.calm(x))
        x = x + self.convolution(self.quiet(x).transpose(1, 2)).transpose(1, 2)
        return self.norm(x + self.after(x) / 2)


class Segmentation(nn.Module):
    """DeepLabV3 on MobileNetV3, scores alone."""

    def __init__(self) -> None:
        super().__init__()
        models = importlib.import_module("torchvision").models.segmentation
        self.network = models.deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None)

    def forward(self, image: Tensor) -> Tensor:
        return self.network(image)["out"]


def built(name: str) -> nn.Module:
    """The network, with the weights that its maker gives it."""
    own = {"bert": Bert, "whisper": Whisper, "conformer": Conformer, "deeplab_v3": Segmentation}
    if name in own:
        return own[name]()
    if name in TORCHVISION:
        return importlib.import_module("torchvision").models.get_model(name, weights=None)
    return importlib.import_module("timm").create_model(name, pretrained=False)


def spread(network: nn.Module) -> None:
    """Weights of linear layers that keep the variance of what they are given, norms that are not all alike."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
        elif isinstance(module, nn.LayerNorm | nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)


def settle(network: nn.Module, samples: tuple[Tensor, ...]) -> None:
    """Sets the statistics of batch normalizations, each from what those before it make of the samples."""
    network.eval()
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
        norm.train()
    if norms:
        network(*samples)
    network.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("samples", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--dynamo", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    with np.load(arguments.samples) as arrays:
        samples = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    network = built(arguments.name)
    spread(network)
    one = tuple(array[:1] for array in samples.values())
    with torch.no_grad():
        settle(network, tuple(samples.values()))
        options: dict[str, Any] = {"external_data": False} if arguments.dynamo else {"opset_version": OPSET}
        torch.onnx.export(network, one, arguments.output, dynamo=arguments.dynamo, input_names=list(samples), **options)


if __name__ == "__main__":
    main()
