from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from quantune_mlir.backend.peers import preparation
from quantune_mlir.backend.peers.job import Job
from quantune_mlir.errors import ModelError, PeerError

MakeJob = Callable[..., Job]


@pytest.fixture
def fake_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Job], Any]], None]:
    """Puts another `prepare` in the place of ONNX Runtime's."""

    def put(prepare: Callable[[Job], Any]) -> None:
        name = "quantune_mlir.backend.peers.onnxruntime_fp32"
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(prepare=prepare))  # type: ignore[arg-type]

    return put


def test_known_names_pass() -> None:
    preparation.check_names(["onnxruntime", "onnxruntime-int8", "openvino-int8", "iree", "iree-tosa"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("onnxruntime-int4", "unknown peer 'onnxruntime-int4'\nremedy: did you mean 'onnxruntime-int8'?"),
        (
            "tvm",
            "unknown peer 'tvm'\nremedy: known peers: onnxruntime, onnxruntime-int8, openvino-int8, iree, iree-tosa",
        ),
        ("", "unknown peer ''\nremedy: known peers"),
    ],
)
def test_unknown_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(PeerError, match=re.escape(message)):
        preparation.check_names(["iree", name])


@pytest.mark.parametrize(
    ("peer", "module", "missing"),
    [
        ("onnxruntime", "onnxruntime_fp32", "onnxruntime"),
        ("onnxruntime-int8", "onnxruntime_int8", "onnxruntime"),
        ("openvino-int8", "openvino_int8", "openvino"),
        ("openvino-int8", "openvino_int8", "nncf"),
    ],
)
def test_an_absent_package_is_named(
    monkeypatch: pytest.MonkeyPatch, make_job: MakeJob, peer: str, module: str, missing: str
) -> None:
    for loaded in [name for name in sys.modules if name.startswith("quantune_mlir.backend.peers.o")]:
        monkeypatch.delitem(sys.modules, loaded)
    if peer == "openvino-int8":
        monkeypatch.setattr("importlib.util.find_spec", lambda package: None if package == missing else object())
    monkeypatch.setitem(sys.modules, missing, None)  # type: ignore[arg-type]
    with pytest.raises(PeerError) as raised:
        preparation.prepare(peer, make_job())
    assert str(raised.value) == f"{peer}: {missing} is not installed\nremedy: pip install 'quantune-mlir[peers]'"


def test_what_a_foreign_engine_raises_is_told(
    fake_module: Callable[[Callable[[Job], Any]], None], make_job: MakeJob
) -> None:
    def prepare(_: Job) -> Any:
        raise RuntimeError("no kernel for Foo\nand a long trace")

    fake_module(prepare)
    with pytest.raises(PeerError, match=r"^onnxruntime: cannot run this model: RuntimeError: no kernel for Foo$"):
        preparation.prepare("onnxruntime", make_job())


def test_a_failing_start_is_told_too(fake_module: Callable[[Callable[[Job], Any]], None], make_job: MakeJob) -> None:
    def start() -> Any:
        raise ValueError("out of threads")

    fake_module(lambda _: start)
    with pytest.raises(PeerError, match="ValueError: out of threads"):
        preparation.prepare("onnxruntime", make_job())()


def test_our_own_errors_stay_as_they_are(
    fake_module: Callable[[Callable[[Job], Any]], None], make_job: MakeJob
) -> None:
    def prepare(_: Job) -> Any:
        raise ModelError("cannot be read", remedy="give the ONNX file by --model")

    fake_module(prepare)
    with pytest.raises(ModelError, match="--model"):
        preparation.prepare("onnxruntime", make_job())
