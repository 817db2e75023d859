"""A canvas three times, with the boxes that each variant finds, as one SVG that needs nothing else."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np

from tools.detector.detections import Array, Detections

_ZOOM: Final = 5
_GAP: Final = 16
_TOP: Final = 28
_BOTTOM: Final = 34
_RIGHT: Final = "#4dc3ff"
_WRONG: Final = "#ff9d3b"


def picture(image: Array, outputs: Mapping[str, Array], labels: Array) -> str:
    """The canvas `image` [64, 64] beside itself, once for each of `outputs` [14, 320]."""
    side = _ZOOM * len(image)
    width, height = len(outputs) * (side + _GAP) + _GAP, _TOP + side + _BOTTOM
    pixels = base64.b64encode(_png(image)).decode()
    panels = "\n".join(
        f'<g transform="translate({_GAP + index * (side + _GAP)} {_TOP})">\n'
        f'<image width="{side}" height="{side}" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{pixels}"/>\n{_boxes(name, output, labels, side)}\n</g>'
        for index, (name, output) in enumerate(outputs.items())
    )
    legend = (
        f'<text x="{_GAP}" y="{height - 12}">blue, solid: a digit, found and named; '
        f"orange, dashed: no such digit there; numbers: digit and score</text>"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="14">\n<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        f"{panels}\n{legend}\n</svg>\n"
    )


def _boxes(name: str, output: Array, labels: Array, side: int) -> str:
    """A heading, and the boxes above the threshold."""
    found = Detections.of(output)
    right = found.right(labels)
    there = int((labels[:, 0] >= 0).sum())
    lines = [f'<text x="{side / 2}" y="-9" text-anchor="middle">{name}: {int(right.sum())} of {there} found</text>']
    for box, digit, score, is_right in zip(found.boxes, found.digits, found.scores, right, strict=True):
        left, top, width, height = (_ZOOM * float(v) for v in (box[0], box[1], box[2] - box[0], box[3] - box[1]))
        label = top - 3 if top > 14 else top + height + 12
        colour, dashes = (_RIGHT, "") if is_right else (_WRONG, ' stroke-dasharray="5 3"')
        lines.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="none" '
            f'stroke="{colour}" stroke-width="2"{dashes}/>\n'
            f'<text x="{left:.1f}" y="{label:.1f}" font-size="12" fill="{colour}">{digit} {score:.2f}</text>'
        )
    return "\n".join(lines)


def _png(image: Array) -> bytes:
    """A grey image [H, W] in [0, 1] as a PNG."""
    height, width = image.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = np.round(255 * np.clip(image, 0, 1))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in chunks)
