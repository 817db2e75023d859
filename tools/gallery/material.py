"""What inputs are made of: photographs, rendered text, speech, files. The same on every run of one machine."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from tools.gallery.packages import PHOTOGRAPHS, PICTURES

Array = NDArray[Any]

RATE: Final = 16000
"""Samples of sound in a second."""
_VOICES: Final = ("en-us", "en-gb", "en-us+f3", "en-gb+m3", "en-us+f5")
_SENTENCES: Final = (
    "The quick brown fox jumps over the lazy dog, and nobody knows why it always has to be that dog.",
    "Hey Jarvis, what will the weather be like in the mountains tomorrow afternoon?",
    "Alexa, set a timer for ten minutes, and remind me of the bread in the oven.",
    "A good part of the measurements was repeated, since the first series had been disturbed by noise.",
)
_WORDS: Final = (
    *("invoice", "total", "amount", "due", "date", "number", "order", "shipping", "address", "quantity", "price"),
    *("2024", "1,250.00", "98.70", "Tel:", "555-0137", "No.", "42", "Street", "City", "Thank", "you", "for", "your"),
    *("purchase", "Customer", "Service", "Product", "Name", "Discount", "Tax", "7%", "Warning", "Exit", "9"),
)
_SIGNS: Final = "abcdefghkmnpqrstuvwxyz23456789ABCDEFGHKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Material:
    """Draws inputs at random, always in the same order.

    Attributes:
        cache: where packages are kept.
        model: the network's file, for inputs that another run of it makes.
        rng: draws.
    """

    cache: Path
    model: Path
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @cached_property
    def photographs(self) -> list[Image.Image]:
        """Two of scikit-learn's, the others of scikit-image: the first shows a person."""
        from sklearn.datasets import load_sample_images

        files = [PICTURES.member(self.cache, name, sha256) for name, sha256 in PHOTOGRAPHS.items()]
        own = [Image.fromarray(image) for image in load_sample_images().images]
        return [Image.open(file).convert("RGB") for file in files] + own

    def photograph(self, least: float = 0.5, *, person: bool = False) -> Image.Image:
        """A part of a photograph, of at least this share of its width and height, perhaps mirrored."""
        whole = self.photographs[0 if person else self.rng.integers(len(self.photographs))]
        width, height = (int(side * self.rng.uniform(least, 1)) for side in whole.size)
        left = int(self.rng.integers(0, whole.width - width + 1))
        top = int(self.rng.integers(0, whole.height - height + 1))
        part = whole.crop((left, top, left + width, top + height))
        part = ImageOps.mirror(part) if self.rng.random() < 0.5 else part
        return ImageEnhance.Brightness(part).enhance(self.rng.uniform(0.6, 1.4))

    def words(self, most: int) -> str:
        """One to `most` words."""
        return " ".join(self.rng.choice(_WORDS, self.rng.integers(1, most + 1)))

    def line(self, width: int, height: int) -> Image.Image:
        """A line of printed text with some noise."""
        image = Image.new("RGB", (width, height), self._colour(150, 256))
        font = ImageFont.load_default(int(height * self.rng.uniform(0.5, 0.8)))
        place = (int(self.rng.integers(1, 8)), int(self.rng.integers(0, height // 6)))
        ImageDraw.Draw(image).text(place, self.words(4), self._colour(0, 110), font)
        return self._noisy(image)

    def page(self, side: int) -> Image.Image:
        """A square of paper, or of a pale photograph, with lines of text of several sizes."""
        paper = Image.new("RGB", (side, side), (240, 238, 230))
        if self.rng.random() < 0.5:
            paper = Image.blend(self.photograph().resize((side, side)), Image.new("RGB", (side, side), "white"), 0.6)
        draw, top = ImageDraw.Draw(paper), int(self.rng.integers(4, 30))
        while top < side - 12:
            size = int(self.rng.integers(11, 34))
            place = (int(self.rng.integers(3, side // 4)), top)
            draw.text(place, self.words(6), self._colour(0, 90), ImageFont.load_default(size))
            top += int(size * self.rng.uniform(1.2, 2.2))
        return paper

    def riddle(self, width: int, height: int, *, back: Image.Image | None = None) -> Image.Image:
        """Turned characters one beside the other, as a test that a person should pass."""
        image = Image.new("RGB", (width, height), self._colour(170, 256)) if back is None else back
        count = int(self.rng.integers(4, 6))
        for index, sign in enumerate(self.rng.choice(list(_SIGNS), count)):
            size = int(min(height * 0.8, width / count * 1.1) * self.rng.uniform(0.75, 1))
            stamp = Image.new("L", (size * 3 // 2, size * 3 // 2))
            ImageDraw.Draw(stamp).text((size // 3, size // 6), str(sign), 255, ImageFont.load_default(size))
            stamp = stamp.rotate(self.rng.uniform(-20, 20))
            left = int(width * (index + 0.1) / count)
            top = int(self.rng.uniform(0, max(1, height - size * 5 // 4)))
            image.paste(self._colour(0, 130), (left, top), stamp)
        return self._noisy(image)

    def speech(self, samples: int) -> Array:
        """Part of a sentence, in [-1, 1], two times of three with noise."""
        voice = self._voices[self.rng.integers(len(self._voices))]
        start = int(self.rng.integers(len(voice)))
        sound = np.resize(np.roll(voice, -start), samples) * self.rng.uniform(0.2, 1)
        if self.rng.random() < 2 / 3:
            sound = sound + self.rng.normal(0, 10 ** self.rng.uniform(-4, -1.3), samples)
        return np.clip(sound, -1, 1).astype(np.float32)

    @cached_property
    def _voices(self) -> list[Array]:
        return list(_spoken()) if shutil.which("espeak-ng") else [_hummed(self.rng) for _ in range(12)]

    def files(self) -> Iterator[bytes]:
        """What the files of this Python installation hold, in a random order."""
        places = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
        found = sorted(path for place in places for path in Path(place).rglob("*") if path.is_file())
        for index in self.rng.permutation(len(found)):
            yield found[index].read_bytes()

    def _colour(self, low: int, high: int) -> tuple[int, ...]:
        return tuple(map(int, self.rng.integers(low, high, 3)))

    def _noisy(self, image: Image.Image) -> Image.Image:
        pixels = np.asarray(image, np.float32) + self.rng.normal(0, 6, (image.height, image.width, 3))
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def speaker() -> str:
    """What speech is made by on this machine."""
    return "espeak-ng" if shutil.which("espeak-ng") else "harmonics that rise and fall: espeak-ng is not installed"


def _spoken() -> Iterator[Array]:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "speech.wav")
        for voice in _VOICES:
            for speed, sentence in zip((130, 150, 170, 190), _SENTENCES, strict=True):
                subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", file, sentence], check=True)
                with wave.open(file) as opened:
                    pulses = np.frombuffer(opened.readframes(opened.getnframes()), np.int16) / 32768
                    times = np.arange(0, len(pulses), opened.getframerate() / RATE)
                yield np.interp(times, np.arange(len(pulses)), pulses).astype(np.float32)


def _hummed(rng: np.random.Generator) -> Array:
    time = np.arange(5 * RATE) / RATE
    pitch = 2 * np.pi * np.cumsum(rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time))) / RATE
    loudness = np.clip(np.sin(2 * np.pi * 3 * time) + rng.uniform(-0.3, 0.5), 0, 1)
    sound = sum(np.sin(n * pitch + n) / n * (1 + np.sin(2 * np.pi * time * n / 7)) for n in range(1, 30))
    return (0.2 * loudness * sound).astype(np.float32)
