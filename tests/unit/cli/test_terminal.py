"""What people see in a terminal of 80 columns, with and without colours, through a pipe, and as the shell completes."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)(?:;\d+)*m")
ESCAPE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
BARS = """
import time
from quantune_mlir.cli.console import Display
with Display().stage("run 2: fp32 beside int8", 3) as tick:
    for _ in range(3):
        time.sleep(0.15)
        tick()
"""


def seen(code: str, **environment: str) -> str:
    """What a program writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    given = {**clean, "TERM": "xterm-256color", "COLUMNS": "80", **environment}
    with subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=given) as process:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not part:
                break
            told += part
    os.close(ours)
    assert process.returncode == 0, told
    return told.decode("utf-8")


def test_bars_fit_80_columns_and_show_time_left() -> None:
    told = seen(BARS)
    lines = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", told)) if line.strip()]
    assert lines and max(map(len, lines)) <= 80
    assert any(re.search(r"run 2: fp32 beside int8 .* [123]/3 0:00:\d\d .*\d:\d\d:\d\d", line) for line in lines), lines


def test_a_stage_within_another_is_a_second_bar() -> None:
    code = BARS.replace("with Display()", "display = Display()\nwith display.stage('compile run 2'), display")
    lines = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", seen(code))) if line.strip()]
    outer = [line for line in lines if "compile run 2" in line]
    assert outer and not any(re.search(r"/|-:--", line) for line in outer), "its steps are not known"
    assert any(re.search(r"run 2: fp32 .* [123]/3 0:00:\d\d", line) for line in lines), lines


def test_no_color_leaves_colours_out() -> None:
    assert COLOUR.search(seen(BARS))
    assert not COLOUR.search(seen(BARS, NO_COLOR="1"))


def test_through_pipes_there_are_neither_bars_nor_escapes() -> None:
    code = BARS + "from quantune_mlir.cli.quantune import main\nmain(['targets'], prog_name='quantune')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "\x1b" not in done.stdout and "cortex-m4" in done.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("quantune quan", ["quantize"]),
        ("quantune quantize --max-", ["--max-drop", "--max-flash", "--max-latency", "--max-ram", "--max-size"]),
        ("quantune quantize --weights per-", ["per-channel", "per-tensor"]),
        ("quantune profile m", ["make", "merge"]),
    ],
)
def test_the_shell_completes(line: str, expected: list[str]) -> None:
    words = line.split(" ")
    environment = {"_QUANTUNE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", "from quantune_mlir.cli.entry import quantune; quantune()"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(found.partition(",")[2] for found in done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_shell_is_given_names_the_command(shell: str) -> None:
    code = "from quantune_mlir.cli.entry import quantune; quantune()"
    environment = {**os.environ, "_QUANTUNE_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'quantune'; " + code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "_QUANTUNE_COMPLETE" in done.stdout and "quantune" in done.stdout, done.stderr
