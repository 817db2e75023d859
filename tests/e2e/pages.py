"""The commands and Python blocks of a page, as it orders them, and the folder that they run in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)?(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
CONFIGURATION = "lit.cfg.py"
"""Read by lit, which gives it names that Python does not know."""

_LEFT_OUT = "Not run in tests: "


@dataclass(frozen=True)
class Block:
    """What a fence holds.

    Attributes:
        line: the number of its first line.
        language: as the fence names it.
        title: likewise: what the file is called, or why it is not run.
        text: what is inside.
    """

    line: int
    language: str
    title: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is a command or a program, and not left out."""
        return self.language in ("console", "python") and self.reason is None

    @property
    def reason(self) -> str | None:
        """Why it is not run; None if it is."""
        return self.title.removeprefix(_LEFT_OUT) if self.title.startswith(_LEFT_OUT) else None

    @property
    def file(self) -> str | None:
        """The file that it is kept as, if it is one."""
        return self.title if self.title and self.reason is None else None

    @property
    def script(self) -> str:
        """Its commands, for bash."""
        joined = self.text.replace("\\\n", " ")
        return "\n".join(line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ "))


def blocks(markdown: str) -> Iterator[Block]:
    """All fences of a page, in order."""
    for found in _FENCE.finditer(markdown):
        text = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.M)
        line = markdown.count("\n", 0, found.start("text")) + 1
        yield Block(line, found["language"] or "", found["title"] or "", text)


def furnish(folder: Path, ready: Path) -> None:
    """Put what pages take for granted into an empty folder; `ready` is what `quantune quantize model.onnx` wrote."""
    data = REPOSITORY / "tests" / "data"
    (folder / "tests").mkdir()
    (folder / "tests" / "data").symlink_to(data)
    (folder / "tools").symlink_to(REPOSITORY / "tools")
    (folder / "model.onnx").symlink_to(data / "digits.onnx")
    (folder / "samples.npz").symlink_to(data / "digits_calibration.npz")
    (folder / "labelled.npz").symlink_to(data / "digits_test.npz")
    score = "def score(outputs, references, labels):\n    return float((outputs[0].argmax(1) == labels).mean())\n"
    (folder / "score.py").write_text(score, encoding="utf-8")
    shutil.copytree(ready, folder / "out")
    _colour_pictures(folder)


def _colour_pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(20):
        pixels = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number:02}.png")
    weights = numpy_helper.from_array(rng.normal(0, 0.2, (8, 3, 3, 3)).astype(np.float32), "weights")
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["conv"], name="conv"),
        helper.make_node("Relu", ["conv"], ["relu"], name="relu"),
        helper.make_node("GlobalAveragePool", ["relu"], ["scores"], name="pool"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 8, 1, 1])
    graph = helper.make_graph(nodes, "classifier", [image], [scores], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "classifier.onnx")


def run(block: Block, page: Path, folder: Path) -> None:
    """Run a block in a folder; what fails is told with the page's own lines."""
    if block.file is not None:
        (folder / block.file).write_text(block.text, encoding="utf-8")
    if not block.runs or block.file == CONFIGURATION:
        return
    if block.language == "console":
        command, given = ["bash", "-euo", "pipefail", "-c", block.script], ""
    else:
        code = "import sys; exec(compile(sys.stdin.read(), sys.argv[1], 'exec'), {'__name__': '__main__'})"
        command, given = [sys.executable, "-c", code, str(page)], "\n" * (block.line - 1) + block.text
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=folder, env=environment, input=given, text=True, capture_output=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{page.name}:{block.line}\n{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
