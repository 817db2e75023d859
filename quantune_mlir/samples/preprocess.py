"""How a picture becomes a model's input: `mean=..,std=..,size=..,layout=..`, as people write it down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError

Layout = Literal["nchw", "nhwc"]

_WHERE: Final = "--preprocess"
_EXAMPLE: Final = "write it as mean=0.485:0.456:0.406,std=0.229:0.224:0.225,size=256,layout=nchw"
_CHANNELS: Final = (1, 3)
_LARGEST_SIZE: Final = 8192


@dataclass(frozen=True)
class Preprocess:
    """What is done with the pixels of a picture: ((pixel / scale) - mean) / std.

    Attributes:
        mean: of each channel, or one for all, in units of the scaled pixel.
        std: likewise.
        scale: what pixels, from 0 to 255, are divided by first.
        size: what the shorter side is resized to before the middle is cut out; None: as short as the model allows.
        layout: where the channels stand; None: where the input's shape has one or three.
        order: of the channels.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    scale: float = 255.0
    size: int | None = None
    layout: Layout | None = None
    order: Literal["rgb", "bgr"] = "rgb"

    @staticmethod
    def parse(text: str) -> Preprocess:
        """Read `key=value,...`; the numbers of channels are separated by colons. Raises DataError."""
        chosen: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key, _, value = part.partition("=")
            if key not in _READERS:
                raise DataError(f"{key!r} is none of {', '.join(_READERS)}", where=_WHERE, remedy=_EXAMPLE)
            try:
                chosen[key] = _READERS[key](value)
            except ValueError as error:
                raise DataError(f"{part!r} cannot be read", where=_WHERE, remedy=_EXAMPLE) from error
        return Preprocess(**chosen)

    def layout_of(self, shape: tuple[int, ...]) -> tuple[Layout, int, int, int]:
        """Layout, channels, height and width of an input [1, ...]. Raises DataError for what is no picture's."""
        if len(shape) == 4:
            for layout, channels, height, width in (("nchw", *shape[1:]), ("nhwc", shape[3], shape[1], shape[2])):
                if channels in _CHANNELS and self.layout in (None, layout):
                    return layout, channels, height, width  # type: ignore[return-value]
        raise DataError(
            f"an input of shape {list(shape)} is no picture's" + (f" in layout {self.layout}" if self.layout else ""),
            where=_WHERE,
            remedy="give arrays: an .npz with the input's name",
        )

    def apply(self, pixels: NDArray[np.uint8], layout: Layout) -> NDArray[np.float32]:
        """The input of one picture [height, width, channels], without the batch dimension. Raises DataError."""
        channels = pixels.shape[2]
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, channels):
                raise DataError(f"{name} has {len(numbers)} numbers for {channels} channel(s)", where=_WHERE)
        ordered = pixels[..., ::-1] if self.order == "bgr" else pixels
        scaled = ordered.astype(np.float32) / np.float32(self.scale)
        value = (scaled - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(value.transpose(2, 0, 1) if layout == "nchw" else value, np.float32)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(_finite(part) for part in text.split(":"))


def _finite(text: str) -> float:
    value = float(text)
    if not np.isfinite(value):
        raise ValueError(text)
    return value


def _nonzero(text: str) -> tuple[float, ...]:
    values = _numbers(text)
    if 0 in values:
        raise ValueError(text)
    return values


def _size(text: str) -> int:
    size = int(text)
    if not 0 < size <= _LARGEST_SIZE:
        raise ValueError(text)
    return size


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(text)
        return text.lower()

    return read


_READERS: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "mean": _numbers,
        "std": _nonzero,
        "scale": lambda text: _nonzero(text)[0],
        "size": _size,
        "layout": _one_of("nchw", "nhwc"),
        "order": _one_of("rgb", "bgr"),
    }
)
