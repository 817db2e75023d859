"""A folder of pictures as an array of samples, each decoded when it is read."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.errors import DataError
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.samples.preprocess import Preprocess

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_LARGEST_FILE: Final = 64 * MIB
_MOST_PIXELS: Final = 64_000_000


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder and of those in it, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


@dataclass(frozen=True)
class ImageSource:
    """An array [pictures, ...] that is decoded row by row.

    Attributes:
        files: a picture for each row.
        input_shape: of the model's input, batch included.
        preprocess: what is done with the pixels.
    """

    files: tuple[Path, ...]
    input_shape: tuple[int, ...]
    preprocess: Preprocess

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        self.preprocess.layout_of(self.input_shape)
        return len(self.files), *self.input_shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """Always float32."""
        return np.dtype(np.float32)

    def read(self, starts: Iterable[int], rows: int) -> Iterator[tuple[int, NDArray[np.generic]]]:
        """For each start: it, and the rows from there on. Raises DataError that names a picture it cannot read."""
        for start in starts:
            yield start, np.stack([self._row(path) for path in self.files[start : start + rows]])

    def _row(self, path: Path) -> NDArray[np.float32]:
        layout, channels, height, width = self.preprocess.layout_of(self.input_shape)
        picture = _opened(path)
        try:
            fitted = _fitted(picture.convert("L" if channels == 1 else "RGB"), height, width, self.preprocess.size)
        except (OSError, ValueError, SyntaxError, MemoryError) as error:
            raise _unreadable(path, error) from error
        return self.preprocess.apply(np.asarray(fitted, np.uint8).reshape(height, width, channels), layout)


def _opened(path: Path) -> Image:
    """A picture whose pixels are yet to be decoded. Raises DataError if it is none, or too large."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "reading pictures needs Pillow", where=str(path), remedy="pip install 'quantune-mlir[images]'"
        ) from error
    content = read_file(path, limit=_LARGEST_FILE, error=DataError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error
    if picture.width * picture.height > _MOST_PIXELS:
        raise DataError(
            f"has {picture.width} x {picture.height} pixels; at most {_MOST_PIXELS} are read",
            where=str(path),
            remedy="make it smaller",
        )
    return picture


def _fitted(picture: Image, height: int, width: int, size: int | None) -> Image:
    """Resized so that the shorter side is `size` and the middle, [height, width], is covered; then cut out."""
    shorter = min(picture.size)
    ratio = max(height / picture.height, width / picture.width, 0 if size is None else size / shorter)
    resized = (max(width, round(picture.width * ratio)), max(height, round(picture.height * ratio)))
    if resized[0] * resized[1] > _MOST_PIXELS:
        raise ValueError(f"it is {picture.width} x {picture.height}, too long for its width")
    left, top = (resized[0] - width) // 2, (resized[1] - height) // 2
    return picture.resize(resized).crop((left, top, left + width, top + height))


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"cannot be read as a picture: {error}", where=str(path), remedy="remove it, or save it again as a PNG"
    )
