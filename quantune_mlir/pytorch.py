"""A PyTorch module as a model, with its modules' names as those of layers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quantune_mlir.importers.torch_export import export_torch
from quantune_mlir.model import Model


def from_torch(
    module: Any,
    example: Any,
    *,
    input_names: Sequence[str] | None = None,
    path: Path | str | None = None,
    **options: Any,
) -> Model:
    """Export a torch.nn.Module with `torch.onnx.export`, and import and simplify what comes of it.

    Layers are called as the modules are, e.g. "layer1.0.conv1". PyTorch and onnxscript must be installed.

    Args:
        module: the network; it is exported in evaluation mode.
        example: a tensor, or a tuple of one for each input; their shapes become the model's.
        input_names: what to call the inputs; None: as the arguments of `forward`.
        path: where to keep the ONNX file; None: it is removed.
        options: further arguments of Model.load, such as `outputs`.

    Raises:
        ModelError: PyTorch is not installed or cannot export the module, or the model cannot be imported.
    """
    with tempfile.TemporaryDirectory(prefix="quantune-torch-") as folder:
        file = Path(folder) / f"{type(module).__name__}.onnx" if path is None else Path(path)
        export_torch(module, example, file, input_names)
        return Model.load(file, **options)
