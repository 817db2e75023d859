"""A user's own score function, and how its mistakes are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from quantune_mlir.errors import ScoreError
from quantune_mlir.workflow.output_files import OutputFiles
from quantune_mlir.workflow.scoring import Scorer

OUTPUTS = [np.arange(6, dtype=np.float32).reshape(3, 2)]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "yardstick.py"
    path.write_text(text)
    return path


def test_it_gets_lists_of_outputs_and_the_labels(tmp_path: Path) -> None:
    text = """
import numpy as np

def score(outputs, references, labels):
    (mine,), (theirs,) = outputs, references
    return np.mean(mine.argmax(axis=1) == labels) + (theirs is not mine)
"""
    scorer = Scorer.load(written(tmp_path, text))
    assert scorer(OUTPUTS, [OUTPUTS[0].copy()], np.array([1, 1, 0])) == pytest.approx(2 / 3 + 1)


def test_it_may_have_classes_and_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "quantune_test_beside.py").write_text("VALUE = 7\n")
    text = """
from dataclasses import dataclass

@dataclass
class Box:
    x: float

def score(outputs, references, labels):
    from quantune_test_beside import VALUE
    return Box(VALUE).x
"""
    assert Scorer.load(written(tmp_path, text))(OUTPUTS, OUTPUTS, None) == 7


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("def score(outputs, references, labels):\n    return 1 / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("import numpy\n\nraise ValueError('no')\n", 3, "ValueError: no"),
        ("def score(:\n    pass\n", 1, "SyntaxError"),
        ("import no_such_module_at_all\n", 1, "ModuleNotFoundError"),
        ("def score(outputs, references, labels):\n    import sys\n    sys.exit(3)\n", 3, "SystemExit: 3"),
        ("def score(outputs, references, labels):\n    pass\n", 1, "returned None, which is no finite number"),
        ("def score(outputs, references, labels):\n    return float('nan')\n", 1, "returned nan"),
        ("def helper(x):\n    return x[9]\n\ndef score(o, r, l):\n    return helper(o)\n", 2, "IndexError"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: int, message: str
) -> None:
    written(tmp_path, text)
    (tmp_path / "beside").mkdir()
    monkeypatch.chdir(tmp_path / "beside")
    path = Path("../yardstick.py")
    with pytest.raises(ScoreError) as told:
        Scorer.load(path)(OUTPUTS, OUTPUTS, None)
    assert told.value.where == f"{path}, line {line}"
    assert message in told.value.what


def test_what_it_prints_is_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "print('loaded')\ndef score(outputs, references, labels):\n    print('called')\n    return 1\n"
    assert Scorer.load(written(tmp_path, text))(OUTPUTS, OUTPUTS, None) == 1
    assert capsys.readouterr() == ("", "loaded\ncalled\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [("x = 1\n", "has no function 'score'"), ("def score(a):\n    return 1\n", "TypeError"), (None, "no such file")],
)
def test_what_is_no_score_function(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "absent.py" if text is None else written(tmp_path, text)
    with pytest.raises(ScoreError) as told:
        Scorer.load(path)(OUTPUTS, OUTPUTS, None)
    assert message in str(told.value) and str(path) in str(told.value) and told.value.remedy


def test_outputs_come_back_as_they_were_and_stay_so(tmp_path: Path) -> None:
    files = OutputFiles(tmp_path / "a", 3)
    runs = [[np.full((2, 3), i, np.float32), np.arange(2) + i] for i in range(3)]
    for run in runs:
        files.add(run)
    first, second = files.arrays()
    np.testing.assert_array_equal(first, np.concatenate([run[0] for run in runs]))
    np.testing.assert_array_equal(second, np.concatenate([run[1] for run in runs]))
    assert second.dtype == runs[0][1].dtype
    first[:] = 0
    np.testing.assert_array_equal(files.arrays()[0][-1], [2, 2, 2])
