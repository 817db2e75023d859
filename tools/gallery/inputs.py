"""Inputs as the packages prepare them: each function takes material and a number, and gives arrays by input name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.gallery.material import RATE, Material
from tools.gallery.packages import WAKEWORD
from tools.gallery.reference import Network

Array = NDArray[Any]
Samples = dict[str, Array]
Maker = Callable[[Material, int], Samples]

_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_SECONDS: Final = 9.01
"""What dnsmos hears."""
_CHUNK, _CONTEXT = 512, 64
"""Samples of sound that silero-vad hears at a time, and of those before."""
_FRAME: Final = 1280
"""Samples that the wake word engine takes at a time."""
_MELS = "package/models/melspectrogram.onnx", "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f"
_EMBED = "package/models/embedding_model.onnx", "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f"


def nudenet(material: Material, count: int) -> Samples:
    """Photographs, three of four of a person, on a black square of 320 pixels, RGB from 0 to 1."""
    pictures = (material.photograph(0.4, person=index % 4 > 0) for index in range(count))
    return {"images": _channels_first([_pixels(_on_square(each, 320, (0, 0, 0))) / 255 for each in pictures])}


def ddddocr_detector(material: Material, count: int) -> Samples:
    """Photographs with characters on them, on a grey square of 416 pixels, BGR from 0 to 255."""
    riddles = (material.riddle(344, 160, back=material.photograph().resize((344, 160))) for _ in range(count))
    return {"images": _channels_first([_pixels(_on_square(each, 416, (114,) * 3))[..., ::-1] for each in riddles])}


def ddddocr_reader(material: Material, count: int) -> Samples:
    """Four or five characters, 160 by 64 pixels, grey from 0 to 1."""
    riddles = (material.riddle(160, 64).convert("L") for _ in range(count))
    return {"input1": _float32([_pixels(each)[None] / 255 for each in riddles])}


def rapidocr_detector(material: Material, count: int) -> Samples:
    """Pages of 320 by 320 pixels, BGR from -1 to 1."""
    return {"x": _channels_first([_around_zero(material.page(320)) for _ in range(count)])}


def rapidocr_reader(material: Material, count: int) -> Samples:
    """Lines of 320 by 48 pixels, BGR from -1 to 1."""
    return {"x": _channels_first([_around_zero(material.line(320, 48)) for _ in range(count)])}


def rapidocr_classifier(material: Material, count: int) -> Samples:
    """Lines of 192 by 48 pixels, every second one upside down."""
    lines = [_around_zero(material.line(192, 48)) for _ in range(count)]
    return {"x": _channels_first([line[::-1, ::-1] if index % 2 else line for index, line in enumerate(lines)])}


def orientation(material: Material, count: int) -> Samples:
    """The middle of turned pages, BGR, normalized with ImageNet's mean and deviation."""
    pages = (material.page(320).rotate(90 * int(material.rng.integers(4))) for _ in range(count))
    middles = (_middle(page) for page in pages)
    return {"x": _channels_first([(_pixels(each)[..., ::-1] / 255 - _MEAN) / _DEVIATION for each in middles])}


def opennsfw(material: Material, count: int) -> Samples:
    """The middle of photographs, BGR, less the mean of its training data."""
    middles = (_middle(material.photograph()) for _ in range(count))
    return {"input:0": _float32([_pixels(each)[..., ::-1] - (104, 117, 123) for each in middles])}


def imagenet(material: Material, count: int) -> Samples:
    """The middle of photographs, RGB, normalized with ImageNet's mean and deviation."""
    middles = (_middle(material.photograph()) for _ in range(count))
    return {"image": _channels_first([(_pixels(each) / 255 - _MEAN) / _DEVIATION for each in middles])}


def magika(material: Material, count: int) -> Samples:
    """The first and the last 1024 bytes of files, blanks around them left out, 256 where there is none."""
    contents = (content for content in material.files() if len(content) >= 8)
    return {"bytes": np.stack([_ends(content) for content in islice(contents, count)])}


def dnsmos(material: Material, count: int) -> Samples:
    """Speech as it is."""
    return {"input_1": np.stack([_clip(material) for _ in range(count)])}


def dnsmos_spectrum(material: Material, count: int) -> Samples:
    """The logarithm of the power in each of 161 bands, 100 times a second."""
    powers = (_powers(_clip(material)[:-160], 320) for _ in range(count))
    return {"input_1": _float32([np.log10(np.maximum(each, 1e-12)) for each in powers])}


def dnsmos_p808(material: Material, count: int) -> Samples:
    """Mel spectra in decibels below the loudest, as librosa makes them, of 120 bands."""
    bands = mel_bands(120, 321)
    spectra = (_powers(_clip(material)[:-160], 321) @ bands.T for _ in range(count))
    return {"input_1": _float32([(_decibels(each) + 40) / 40 for each in spectra])}


def silero(material: Material, count: int) -> Samples:
    """Chunks of speech, each with those before it heard: the state is what the network had made of them."""
    network = Network(material.model)
    rate = {"sr": np.array(RATE)} if "sr" in network.inputs else {}
    chunks: list[Array] = []
    states: list[Array] = []
    for _ in range(count):
        sound = np.pad(material.speech(_CHUNK * int(material.rng.integers(2, 40))), (_CHUNK, 0))
        *heard, chunk = (sound[None, at - _CONTEXT : at + _CHUNK] for at in range(_CHUNK, len(sound), _CHUNK))
        state: Array = np.zeros((2, 1, 128), np.float32)
        for earlier in heard:
            _, state = network({"input": earlier, "state": state, **rate})
        chunks.append(chunk)
        states.append(state)
    return {"input": np.concatenate(chunks), "state": np.stack(states)}


def whisper(material: Material, count: int) -> Samples:
    """The logarithm of speech's mel spectra, 80 bands, 15 seconds."""
    return {"mels": _float32([_log_mels(material, 1500).T for _ in range(count)])}


def conformer(material: Material, count: int) -> Samples:
    """The logarithm of speech's mel spectra, 80 bands, 2 seconds."""
    return {"mels": _float32([_log_mels(material, 200) for _ in range(count)])}


def minilm(material: Material, count: int) -> Samples:
    """Token numbers at random, 32 of them or fewer: the package has no tokenizer."""
    return _tokens(material, count, 32)


def sentences(material: Material, count: int) -> Samples:
    """Token numbers at random, 64 of them or fewer."""
    return _tokens(material, count, 64)


def _tokens(material: Material, count: int, most: int) -> Samples:
    tokens = material.rng.integers(1000, 28000, (count, most))
    lengths = material.rng.integers(8, most + 1, (count, 1))
    places = np.arange(most)
    tokens[:, 0] = 101
    tokens = np.where(places == lengths - 1, 102, tokens) * (places < lengths)
    return {"input_ids": tokens.astype(np.int64), "attention_mask": (places < lengths).astype(np.int64)}


def wakeword_mels(material: Material, count: int) -> Samples:
    """Speech in frames of 80 ms."""
    return {"input": np.stack([material.speech(_FRAME) for _ in range(count)])}


def wakeword_embedding(material: Material, count: int) -> Samples:
    """76 mel spectra of speech, scaled as the engine does."""
    return {"input_1": np.stack([next(_windows(material, 1)) for _ in range(count)])}


def wakeword(name: str, embeddings: int) -> Maker:
    """The embeddings of so many windows of speech, for an input of this name."""

    def make(material: Material, count: int) -> Samples:
        """Embeddings of consecutive windows of speech."""
        embed = _of_wakeword(material, *_EMBED)
        windows = (list(_windows(material, embeddings)) for _ in range(count))
        rows = [embed({"input_1": np.stack(each)})[0].reshape(embeddings, -1) for each in windows]
        return {name: np.stack(rows)}

    return make


def _windows(material: Material, count: int) -> Iterator[Array]:
    """Overlapping windows of mel spectra, (76, 32, 1) each, 8 further on each time."""
    mels_of = _of_wakeword(material, *_MELS)
    frames = -(-(76 + 8 * (count - 1)) // 5)
    sound = material.speech(frames * _FRAME).reshape(frames, 1, _FRAME)
    mels = np.concatenate([mels_of({"input": frame})[0].reshape(-1, 32) for frame in sound]) / 10 + 2
    for start in range(count):
        yield mels[8 * start : 8 * start + 76, :, None].astype(np.float32)


def _of_wakeword(material: Material, name: str, sha256: str) -> Network:
    return Network(WAKEWORD.member(material.cache, name, sha256))


def _log_mels(material: Material, frames: int) -> Array:
    """Of speech, (frames, 80): decades below the loudest, at most 8, scaled as Whisper does."""
    powers = _powers(material.speech(frames * RATE // 100), 400)[:frames]
    decades = np.log10(np.maximum(powers @ mel_bands(80, 400).T, 1e-10))
    return (np.maximum(decades, decades.max() - 8) + 4) / 4


def _clip(material: Material) -> Array:
    return material.speech(int(_SECONDS * RATE))


def _powers(sound: Array, window: int) -> Array:
    """Power in each band, (times, bands), 100 times a second: Hann windows, zeros around the sound."""
    padded = np.pad(sound.astype(np.float64), window // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[:: RATE // 100]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return np.abs(np.fft.rfft(frames * hann, axis=1)) ** 2


def mel_bands(bands: int, window: int) -> Array:
    """Triangles of equal area on Slaney's mel scale (linear up to 1 kHz, logarithmic above), (bands, frequencies)."""
    step = np.log(6.4) / 27
    top = 15 + np.log(RATE / 2 / 1000) / step
    mels = np.linspace(0, top, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))[:, None]
    frequencies = np.fft.rfftfreq(window, 1 / RATE)
    rise = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)) * 2 / (edges[2:] - edges[:-2])


def _decibels(power: Array) -> Array:
    """Below the largest, at most 80."""
    loudness = 10 * np.log10(np.maximum(power, 1e-10))
    return np.maximum(loudness - loudness.max(), -80)


def _ends(content: bytes) -> Array:
    first, last = content[:4096].lstrip()[:1024], content[-4096:].rstrip()[-1024:]
    numbers = np.full(2048, 256, np.int32)
    numbers[: len(first)] = list(first)
    numbers[2048 - len(last) :] = list(last)
    return numbers


def _on_square(image: Image.Image, side: int, colour: tuple[int, ...]) -> Image.Image:
    """The image at the upper left of a square, as large as it can be."""
    scale = side / max(image.size)
    square = Image.new("RGB", (side, side), colour)
    square.paste(image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BILINEAR))
    return square


def _middle(image: Image.Image) -> Image.Image:
    return image.resize((256, 256), Image.Resampling.BILINEAR).crop((16, 16, 240, 240))


def _around_zero(image: Image.Image) -> Array:
    return (_pixels(image)[..., ::-1] / 255 - 0.5) / 0.5


def _pixels(image: Image.Image) -> Array:
    return np.asarray(image, np.float32)


def _float32(samples: list[Array]) -> Array:
    return np.ascontiguousarray(np.stack(samples), np.float32)


def _channels_first(images: list[Array]) -> Array:
    return _float32([image.transpose(2, 0, 1) for image in images])
