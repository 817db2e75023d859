"""What a command says when something goes wrong that nobody foresaw."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

START = "from quantune_mlir.cli import entry; entry._start('quantune', 'work')"


def run(folder: Path, body: str, *arguments: str, shell: str = "{}") -> subprocess.CompletedProcess[str]:
    """A command whose work is `body`."""
    (folder / "work.py").write_text(f"import os, signal, sys\ndef main(prog_name):\n    {body}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "TMPDIR": str(folder)}
    command = [sys.executable, "-c", START, *arguments]
    if shell != "{}":
        command = ["sh", "-c", shell.format('"$@"'), "sh", *command]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=60, check=False)


def test_success(tmp_path: Path) -> None:
    done = run(tmp_path, "print(sys.argv[1:])", "a", "b")
    assert (done.returncode, done.stdout, done.stderr) == (0, "['a', 'b']\n", "")


def test_status(tmp_path: Path) -> None:
    assert run(tmp_path, "sys.exit(7)").returncode == 7


def test_exit_handlers_are_called_and_nothing_is_taken_apart(tmp_path: Path) -> None:
    kept = "sys.kept = type('Kept', (), {'__del__': lambda _: print('taken apart', flush=True)})()"
    done = run(tmp_path, f"{kept}; __import__('atexit').register(print, 'handler', end=''); sys.exit(3)")
    assert (done.returncode, done.stdout) == (3, "handler")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE])
def test_a_crash_names_the_file(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "bad.mlir").write_text("")
    done = run(tmp_path, f"os.kill(os.getpid(), {int(number)})", "bad.mlir", "--option")
    assert done.returncode == 1
    assert f"quantune: error: bad.mlir: MLIR or IREE crashed on it ({number.name})" in done.stderr


def test_an_internal_error_is_one_line_and_a_file(tmp_path: Path) -> None:
    done = run(tmp_path, "raise KeyError('x\\x1b[2J')")
    match = re.fullmatch(
        r"quantune: internal error: KeyError: .*; its traceback is in (\S+); .*report.*\n", done.stderr
    )
    assert match is not None and "\x1b" not in done.stderr and done.returncode == 1
    assert "work.py" in Path(match[1]).read_text()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in run(tmp_path, "raise KeyError('x')", "--debug").stderr


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        ("MemoryError()", "there is not enough memory"),
        ("OSError(28, 'No space left on device', 'f')", "f cannot be written or read: No space left on device"),
        ("__import__('quantune_mlir.errors').errors.DataError('bad', where='f')", "error: f: bad"),
    ],
)
def test_errors(tmp_path: Path, raised: str, message: str) -> None:
    done = run(tmp_path, f"raise {raised}")
    assert message in done.stderr and "internal" not in done.stderr and done.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stdout_is_full(tmp_path: Path) -> None:
    done = run(tmp_path, "print('x' * 10)", shell="{} > /dev/full")
    assert done.stderr == "quantune: error: the output cannot be written or read: No space left on device\n"
    assert done.returncode == 1


def test_stdout_is_closed(tmp_path: Path) -> None:
    assert run(tmp_path, "print('x'); open('made', 'w').write('data')", shell="{} >&-").returncode == 0
    assert (tmp_path / "made").read_text() == "data"


def test_stdout_is_ascii(tmp_path: Path) -> None:
    done = run(tmp_path, "print('µ\\ud800')", shell="PYTHONIOENCODING=ascii {}")
    assert (done.returncode, done.stdout) == (0, "\\xb5\\ud800\n")


def test_signals_reach_the_work(tmp_path: Path) -> None:
    done = run(tmp_path, "os.kill(os.getppid(), signal.SIGTERM); __import__('time').sleep(30)")
    assert (done.returncode, done.stderr) == (143, "quantune: terminated; nothing was written\n")


def test_a_second_signal_does_not_disturb_the_first(tmp_path: Path) -> None:
    body = "exec('try: os.kill(os.getpid(), 2)\\nfinally: os.kill(os.getpid(), 2); print(1)')"
    done = run(tmp_path, body, shell="trap - INT; {}")
    assert (done.returncode, done.stdout, done.stderr) == (130, "1\n", "quantune: interrupted; nothing was written\n")


def test_mlir_that_crashes_the_parser(tmp_path: Path) -> None:
    (tmp_path / "deep.mlir").write_text('"x.y"() ({' * 20_000)
    command = [sys.executable, "-m", "quantune_mlir.cli.quantune_opt", str(tmp_path / "deep.mlir")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "deep.mlir" in done.stderr and "Traceback" not in done.stderr
