"""Trains the sample detector of `make demo` and writes it, with its samples, to tests/data.

    python -m tools.detector.train

The data are the digits that tools/make_digits_model.py uses, in the same split, scattered over canvases of 64×64
pixels: calibration canvases hold training digits, test canvases others. The network is a small one-stage detector of
the kind that cameras run: depthwise separable convolutions, batch norm and SiLU, two scales joined by a resize and a
concatenation, and boxes in pixels (through an exponential) beside scores (through a sigmoid) in one output. Its
channels differ in scale, as those of many a network that was trained for long do, so that uniform int8 ruins it.

It needs PyTorch, which the project otherwise does without: `pip install torch scikit-learn` in an environment of its
own. With torch 2.13, it takes about ten minutes on one core; the same seed gives the same files with the same torch
on the same machine.

Written are detector.onnx (opset 17, "image" [1, 1, 64, 64] float32 in [0, 1] to "detections" [1, 14, 320]: centre x
and y, width and height in pixels, then ten scores), detector_calibration.npz ("image") and detector_test.npz
("image", and "labels" as in tools/detector/canvases.py).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch  # pyright: ignore[reportMissingImports] # only this script needs it
from torch import nn  # pyright: ignore[reportMissingImports]

from tools.detector.canvases import SIZE, Canvases
from tools.detector.detections import DIGITS, Count
from tools.make_digits_model import load_samples

DATA: Final = Path(__file__).resolve().parents[2] / "tests" / "data"
SEED: Final = 11
STEPS: Final = 2200
BATCH: Final = 48
LEARNING_RATE: Final = 4e-3
CALIBRATION, TEST, POOL = 100, 200, 20_000
STRIDES: Final = (4, 8)
_LARGE: Final = 15.0
"""Pixels: a digit with a longer side is found on the coarser grid."""


class Spread(nn.Module):
    """Channels that differ in scale by up to two orders of magnitude, as those of many a trained network do."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        exponents = torch.linspace(-1.4, 0.6, channels)[torch.randperm(channels)]
        self.register_buffer("scale", 10 ** exponents[:, None, None])

    def forward(self, x: Any) -> Any:
        return x * self.scale


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, each with batch norm and SiLU; a residual where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = conv_norm(inputs, inputs, 3, stride, inputs)
        self.pointwise = conv_norm(inputs, outputs, 1)
        self.adds = inputs == outputs and stride == 1

    def forward(self, x: Any) -> Any:
        y = self.pointwise(self.depthwise(x))
        return x + y if self.adds else y


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> Any:
    """Convolution, batch norm, SiLU."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), Spread(outputs), nn.SiLU())


class Head(nn.Module):
    """Boxes in pixels and scores, of every cell of one grid."""

    def __init__(self, inputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extent = stride, SIZE // stride
        self.stem = Separable(inputs, inputs)
        self.boxes, self.scores = nn.Conv2d(inputs, 4, 1), nn.Conv2d(inputs, DIGITS, 1)
        nn.init.constant_(self.scores.bias, -4.0)
        cells = (torch.arange(self.extent) + 0.5) * stride
        self.register_buffer("cells", torch.stack(torch.meshgrid(cells, cells, indexing="xy"))[None])

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        boxes, scores = self.boxes(x), self.scores(x)
        centres = boxes[:, :2] * self.stride + self.cells
        sizes = torch.exp(boxes[:, 2:]) * self.stride
        joined = torch.cat([centres, sizes, torch.sigmoid(scores)], 1)
        return joined.reshape(-1, 4 + DIGITS, self.extent * self.extent)


class Detector(nn.Module):
    """The network."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_norm(1, 12, 3, 2)
        self.fine = nn.Sequential(Separable(12, 24), Separable(24, 48, 2), Separable(48, 56), Separable(56, 56))
        self.coarse = nn.Sequential(Separable(56, 80, 2), Separable(80, 80))
        self.lateral = conv_norm(80, 40, 1)
        self.merged = Separable(96, 56)
        self.heads = nn.ModuleList([Head(56, STRIDES[0]), Head(80, STRIDES[1])])

    def forward(self, x: Any) -> Any:
        fine = self.fine(self.stem(x))
        coarse = self.coarse(fine)
        enlarged = nn.functional.interpolate(self.lateral(coarse), scale_factor=2.0, mode="nearest")
        merged = self.merged(torch.cat([enlarged, fine], 1))
        return torch.cat([self.heads[0](merged), self.heads[1](coarse)], 2)


def cell_centres() -> tuple[Any, Any]:
    """Where all 320 cells are: centres in pixels [320, 2], and strides [320]."""
    centres, strides = [], []
    for stride in STRIDES:
        at = (torch.arange(SIZE // stride) + 0.5) * stride
        x, y = torch.meshgrid(at, at, indexing="xy")
        centres.append(torch.stack([x.reshape(-1), y.reshape(-1)], 1))
        strides.append(torch.full((x.numel(),), float(stride)))
    return torch.cat(centres), torch.cat(strides)


def loss_of(outputs: Any, labels: Any) -> Any:
    """Overlap of the boxes of cells near a digit's centre; cross entropy of scores with that overlap as the target."""
    centres, strides = cell_centres()
    present = labels[:, :, 0] >= 0
    corners = labels[:, :, 1:]
    middle, sides = (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]
    coarse = sides.amax(2) > _LARGE
    near = ((centres - middle[:, :, None]).abs() <= 1.01 * strides[:, None]).all(3)
    near &= (coarse[:, :, None] == (strides == STRIDES[1])) & present[:, :, None]
    canvas, digit, cell = near.nonzero(as_tuple=True)
    boxes = outputs[canvas, :4, cell]
    found = torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    wanted = corners[canvas, digit]
    overlap, enclosed = _overlap(found, wanted)
    target = torch.zeros_like(outputs[:, 4:])
    target[canvas, labels[canvas, digit, 0].long(), cell] = overlap.detach().clamp(min=0)
    scores = outputs[:, 4:].float().clamp(1e-6, 1 - 1e-6)
    weight = torch.where(target > 0, 1.0, 0.75 * scores.detach() ** 2)
    entropy = nn.functional.binary_cross_entropy(scores, target, weight=weight, reduction="sum")
    return (entropy + 2 * (1 - overlap + enclosed).sum()) / len(cell)


def _overlap(boxes: Any, others: Any) -> tuple[Any, Any]:
    """Intersection over union, and the share of the enclosing box that neither covers (generalized IoU)."""
    first, last = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (last - first).clamp(min=0).prod(1)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (others[:, 2:] - others[:, :2]).prod(1) - shared
    outer = torch.maximum(boxes[:, 2:], others[:, 2:]) - torch.minimum(boxes[:, :2], others[:, :2])
    hull = outer.clamp(min=0).prod(1).clamp(min=1e-6)
    return shared / union.clamp(min=1e-6), (hull - union) / hull


def train(network: Detector, pool: Canvases, test: Canvases, steps: int, rng: np.random.Generator) -> None:
    """AdamW with one cycle of the learning rate."""
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    images, labels = torch.from_numpy(pool.images), torch.from_numpy(pool.labels)
    for step in range(1, steps + 1):
        chosen = torch.from_numpy(rng.integers(len(images), size=BATCH))
        network.train()
        loss = loss_of(network(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        if step % 200 == 0:
            network.eval()
            with torch.no_grad():
                outputs = network(torch.from_numpy(test.images)).numpy()
            print(f"step {step}: loss {loss.item():.3f}, {Count.of(outputs, test.labels)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the sample detector and write it with its samples.")
    parser.add_argument("--output", type=Path, default=DATA, help="directory to write to (default: tests/data)")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training")
    given = parser.parse_args()
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # one thread sums in one order
    train_digits, train_classes, test_digits, test_classes = load_samples()
    train_digits, test_digits = train_digits[..., 0].astype(np.float32), test_digits[..., 0].astype(np.float32)
    pool = Canvases.scattered(train_digits, train_classes, POOL, rng)
    calibration = Canvases.scattered(train_digits, train_classes, CALIBRATION, rng)
    test = Canvases.scattered(test_digits, test_classes, TEST, rng)
    network = Detector().to(memory_format=torch.channels_last)
    train(network, pool, test, given.steps, rng)
    network.eval()
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / "detector.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, SIZE, SIZE),),
        str(path),
        input_names=["image"],
        output_names=["detections"],
        opset_version=17,
        dynamo=False,
    )
    onnx.checker.check_model(onnx.load(path), full_check=True)
    np.savez_compressed(given.output / "detector_calibration.npz", image=calibration.images)
    np.savez_compressed(given.output / "detector_test.npz", image=test.images, labels=test.labels)


if __name__ == "__main__":
    main()
