"""Architectures that no package has a file of: weights at random, made by PyTorch."""

from __future__ import annotations

from typing import Any, Final

from tools.gallery import inputs, scores
from tools.gallery.entry import Entry
from tools.gallery.made import Made

_PICTURES: Final[dict[str, Any]] = {
    "samples": inputs.imagenet,
    "metric": "top-1 agreement",
    "score": scores.top1,
    "calibration": 100,
}
_EMBEDDINGS: Final[dict[str, Any]] = {"metric": "cosine", "score": scores.cosine, "attends": True}
_TRANSFORMER: Final = "picture classifier (transformer)", {**_PICTURES, "attends": True}


def _entry(network: str, task: str, options: dict[str, Any], *, dynamo: bool = False) -> Entry:
    name = network.replace("_patch16_224", "").replace("_", "-") + (" dynamo" if dynamo else "")
    return Entry(name, Made(network, options["samples"], dynamo), task, **options)


_BERT: Final = "sentence embedding (BERT, 4 layers)", {"samples": inputs.sentences, **_EMBEDDINGS}
_CONFORMER: Final = "block of a speech recogniser", {"samples": inputs.conformer, **_EMBEDDINGS}
_WHISPER: Final = (
    "encoder of speech (750 frames)",
    {"samples": inputs.whisper, **_EMBEDDINGS, "calibration": 12, "tests": 8},
)

SYNTHETIC: Final = (
    _entry("mobilenet_v3_small", "picture classifier", _PICTURES),
    _entry("mobilenet_v3_small", "picture classifier", _PICTURES, dynamo=True),
    _entry("mobilenet_v3_large", "picture classifier", _PICTURES),
    _entry("efficientnet_b0", "picture classifier", _PICTURES),
    _entry("shufflenet_v2_x1_0", "picture classifier", _PICTURES),
    _entry("regnet_x_400mf", "picture classifier", _PICTURES),
    _entry("regnet_y_400mf", "picture classifier", _PICTURES),
    _entry("vit_tiny_patch16_224", *_TRANSFORMER),
    _entry("deit_tiny_patch16_224", *_TRANSFORMER, dynamo=True),
    _entry("deeplab_v3", "segmentation", {**_PICTURES, "metric": "pixels alike", "score": scores.pixels}),
    _entry("bert", *_BERT),
    _entry("bert", *_BERT, dynamo=True),
    _entry("conformer", *_CONFORMER),
    _entry("whisper", *_WHISPER),
    _entry("whisper", *_WHISPER, dynamo=True),
)
