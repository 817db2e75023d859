"""A PyTorch module exported to ONNX. PyTorch is imported when it is needed, and no dependency."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quantune_mlir.errors import ModelError


def export_torch(module: Any, example: Any, path: Path, input_names: Sequence[str] | None = None) -> None:
    """Write a torch.nn.Module, in evaluation mode, as an ONNX file.

    Args:
        module: the network; its mode is as before afterwards.
        example: a tensor, or a tuple of one for each input.
        path: the file to write.
        input_names: what to call the inputs; None: as the arguments of `forward`.

    Raises:
        ModelError: PyTorch or its exporter is not installed, or it cannot export the module.
    """
    where = type(module).__name__
    try:
        torch, exporter, _ = (importlib.import_module(name) for name in ("torch", "torch.onnx", "onnxscript"))
    except ImportError as error:
        raise ModelError(
            f"exporting needs PyTorch and onnxscript: {error}",
            where=where,
            remedy="install them: pip install torch onnxscript",
        ) from error
    inputs = tuple(example) if isinstance(example, tuple | list) else (example,)
    training = bool(module.training)
    module.eval()
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told), torch.no_grad():
            exporter.export(
                module,
                inputs,
                str(path),
                input_names=None if input_names is None else list(input_names),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # torch raises anything
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(
            f"PyTorch cannot export it: {first}",
            where=where,
            remedy="export it with torch.onnx.export, and load the file",
        ) from error
    finally:
        module.train(training)
