"""Exports networks of torchvision and timm with random weights.

This file alone, in PyTorch's own environment:

    python -m venv TORCH; TORCH/bin/pip install torch torchvision timm onnxscript
    TORCH/bin/python tools/pytorch/export.py FOLDER [NETWORK ...]

For each network NAME.onnx, and NAME.npz with an input and PyTorch's output. What is there already is left alone.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

TORCHVISION: Final = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d"),
    *("shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vit_b_16"),
)
TIMM: Final = (
    *("deit_tiny_patch16_224", "ghostnet_100", "mixer_s32_224", "mobileone_s0", "mobilevit_xxs", "repvgg_a0"),
    *("edgenext_xx_small", "efficientformer_l1", "tf_efficientnet_lite0", "visformer_tiny"),
)


def main() -> None:
    folder, *chosen = sys.argv[1:]
    for name in chosen or (*TORCHVISION, *TIMM):
        path = Path(folder) / f"{name}.onnx"
        if path.is_file():
            continue
        try:
            export(name, path)
        except Exception as error:  # whatever PyTorch says is what the table is to say
            path.with_suffix(".txt").write_text(f"{type(error).__name__}: {error}"[:300])
        print(name, flush=True)


def export(name: str, path: Path) -> None:
    numpy: Any = importlib.import_module("numpy")
    torch: Any = importlib.import_module("torch")
    torch.manual_seed(0)
    if name in TORCHVISION:
        known: dict[str, Any] = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        network = importlib.import_module("torchvision").models.get_model(name, weights=None, **known)
    else:
        network = importlib.import_module("timm").create_model(name, pretrained=False)
    network.eval()
    for weight in network.parameters():
        if weight.ndim > 1 and not weight.any():  # so that outputs are not all zero
            torch.nn.init.normal_(weight, std=0.02)
    size = 299 if name == "inception_v3" else 224
    image = torch.rand(1, 3, size, size)
    with torch.no_grad():
        output = network(image)
    part = path.with_suffix(".part")
    torch.onnx.export(network, (image,), part, dynamo=True, external_data=False, input_names=["image"])
    numpy.savez(path.with_suffix(".npz"), image=image.numpy(), output=output.numpy())
    part.rename(path)


if __name__ == "__main__":
    main()
