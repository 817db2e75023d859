"""Models of every kind: ONNX, quantized ONNX, TensorFlow Lite, MLIR."""

from __future__ import annotations

import io
import os
import random
import resource
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case import node as node_cases

from quantune_mlir.files.processes import Limits, die_with_parent
from quantune_mlir.importers.common.import_options import DEFAULT
from quantune_mlir.importers.onnx import import_onnx
from quantune_mlir.importers.tflite import converter, import_tflite
from quantune_mlir.mlir.bindings import make_context
from quantune_mlir.pipeline.driver import run_named_pipeline
from tests.random_network import RandomNetwork
from tools.fuzz.command_lines import run_command
from tools.fuzz.mutate import mutated_bytes, mutated_text
from tools.fuzz.mutate_onnx import mutated_model
from tools.fuzz.oracle import require_agreement
from tools.fuzz.surface import DATA, ROOT, Surface
from tools.zoo import Zoo

_LARGEST_SEED: Final = 600_000


def _node_seeds() -> list[bytes]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = node_cases.collect_testcases()
    models = [case.model.SerializeToString() for case in cases if case.model is not None]
    return [model for model in models if len(model) < 100_000]


def _network_seeds() -> list[bytes]:
    """Whole networks: the samples', random ones, those of the zoo that are small, if there is one."""
    found = [(DATA / name).read_bytes() for name in ("digits.onnx", "detector.onnx")]
    found += [RandomNetwork(seed).model().SerializeToString() for seed in range(30)]
    try:
        paths = sorted((Zoo.find().directory / "models").glob("*.onnx"))
    except FileNotFoundError:
        paths = []
    return found + [path.read_bytes() for path in paths if path.stat().st_size < _LARGEST_SEED]


def _import(path: Path) -> None:
    module = import_onnx(path)
    with module.context:
        run_named_pipeline(module, "simplify")


def _quantized_seeds() -> list[bytes]:
    """A network as other quantizers write it: per tensor and per channel, signed and unsigned."""
    return [_quantized(kind, channels).SerializeToString() for kind in (np.int8, np.uint8) for channels in (1, 4)]


def _quantized(kind: type, scales: int) -> onnx.ModelProto:
    rng = np.random.default_rng(scales)
    arrays: dict[str, Any] = {
        "s": np.float32(0.1),
        "z": np.array(3, kind),
        "w": rng.integers(-100, 100, (4, 3, 3, 3), np.int8),
        "ws": np.full(4, 0.02, np.float32) if scales > 1 else np.float32(0.02),
        "wz": np.zeros(4, np.int8) if scales > 1 else np.int8(0),
        "b": rng.integers(-100, 100, 4, np.int32),
        "bs": np.full(4, 0.002, np.float32),
        "bz": np.zeros(4, np.int32),
    }
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"], "q0"),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"], "d0"),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], "dw", axis=0),
        node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], "db", axis=0),
        node("Conv", ["xd", "wd", "bd"], ["c"], "conv", pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"], "relu"),
        node("QuantizeLinear", ["r", "s", "z"], ["rq"], "q1"),
        node("DequantizeLinear", ["rq", "s", "z"], ["rd"], "d1"),
        node("GlobalAveragePool", ["rd"], ["g"], "pool"),
        node("QuantizeLinear", ["g", "s", "z"], ["gq"], "q2"),
        node("DequantizeLinear", ["gq", "s", "z"], ["y"], "d2"),
    ]
    graph = helper.make_graph(
        nodes,
        "quantized",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (1, 3, 5, 5))],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 4, 1, 1))],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _import_quantized(path: Path) -> None:
    module = import_onnx(path, keep_quantized=True)
    with module.context:
        run_named_pipeline(module, "lower-qdq")


def _tflite_seeds() -> list[bytes]:
    from tests.tflite_models import small_network

    with tempfile.TemporaryDirectory() as folder:
        return [small_network(Path(folder) / "m.tflite", batch=batch).read_bytes() for batch in (-1, 1)]


def _import_tflite(path: Path) -> None:
    converter.run_child = _converter_in_fork
    module = import_tflite(path, DEFAULT, make_context())
    with module.context:
        run_named_pipeline(module, "simplify")


def _converter_in_fork(command: Sequence[str], *, folder: Path, limits: Limits) -> CompletedProcess[bytes]:
    """The converter as its command runs it, without starting Python anew."""
    from tosa_converter_for_tflite import cli

    errors = os.memfd_create("stderr")
    child = os.fork()
    if not child:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
        os.dup2(errors, 2)
        os.chdir(folder)
        sys.argv = list(command[2:])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            status = 1
        os._exit(status)
    _, status = os.waitpid(child, 0)
    said = os.pread(errors, 1 << 20, 0)
    os.close(errors)
    return CompletedProcess(list(command), os.waitstatus_to_exitcode(status), b"", said)


def _mlir_seeds() -> list[bytes]:
    module = import_onnx(DATA / "digits.onnx")
    bytecode = io.BytesIO()
    module.operation.write_bytecode(bytecode)
    lit = [path.read_bytes() for path in sorted((ROOT / "tests" / "lit").glob("*/*.mlir"))]
    lit = [text for text in lit if text.isascii() and b"-----" not in text]
    return [*lit, *[bytecode.getvalue()] * (len(lit) // 2)]


def _mutated_mlir(data: bytes, rng: random.Random) -> bytes:
    return mutated_bytes(data, rng) if data.startswith(b"ML\xef") else mutated_text(data, rng)


def _quantune_opt(path: Path) -> None:
    pipelines = ([], ["--pipeline", "simplify"], ["--canonicalize", "--cse"])
    run_command("quantune-opt", [str(path), "-o", os.devnull, *pipelines[path.stat().st_size % len(pipelines)]])


MODELS: Final = (
    Surface("onnx node", ".onnx", _node_seeds, mutated_model, _import, 40, require_agreement),
    Surface("onnx network", ".onnx", _network_seeds, mutated_model, _import, 4, require_agreement),
    Surface("quantized onnx", ".onnx", _quantized_seeds, mutated_model, _import_quantized, 4),
    Surface("tflite", ".tflite", _tflite_seeds, mutated_bytes, _import_tflite, 4),
    Surface("mlir", ".mlir", _mlir_seeds, _mutated_mlir, _quantune_opt, 4),
)
