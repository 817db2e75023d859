"""What is beside the C code of a bundle: Makefile, CMakeLists.txt, README.md, and a board to emulate."""

from __future__ import annotations

from collections.abc import Iterable

from quantune_mlir.backend.deliverables.bundle_memory import kib
from quantune_mlir.backend.deliverables.model_code import ModelCode
from quantune_mlir.backend.deliverables.schedule import BundleTensor
from quantune_mlir.backend.deliverables.templates import filled
from quantune_mlir.hardware.targets import Target


def build_files(code: ModelCode, target: Target, *, weights_file: str, code_bytes: int) -> dict[str, str]:
    """Texts by file name."""
    c = target.c
    board = ["startup.c board.ld"] if c.board else []
    values = code.common | {
        "CC": c.compiler,
        "AR": c.archiver,
        "C_FLAGS": " ".join(c.flags),
        "EMULATOR": c.emulator,
        "HOW_SELFTEST": f", in {c.emulator.split()[0]}" if c.emulator else "",
        "BOARD": " ".join(board),
        "BOARD_FLAGS": " ".join([*(["-T", "$(HERE)board.ld"] if c.board else []), *c.link, "-Wl,--gc-sections"]),
        "ASM": " ASM" if weights_file.endswith(".S") else "",
        "WEIGHTS_FILE": weights_file,
        "WEIGHTS": kib(sum(map(len, code.schedule.weights))),
        "ARENA": kib(code.schedule.arena),
        "CODE": kib(code_bytes),
        "INPUTS": _list(code.schedule.inputs),
        "OUTPUTS": _list(code.schedule.outputs),
        "PLACE_WEIGHTS": "WEIGHTS_SECTION=.name" if weights_file.endswith(".S") else "WEIGHTS_ATTRIBUTE=...",
        "THREADS_FILES": f"| `{code.name}_threads.h`, `.c` | a small pool of POSIX threads |\n" if c.hosted else "",
    }
    texts = {name: filled(name, values) for name in ("Makefile", "CMakeLists.txt", "README.md")}
    if c.board:
        texts |= {"startup.c": filled("startup.c", values), "board.ld": filled(f"{c.board}.ld", values)}
    if not c.hosted:
        return texts
    threads = {f"{code.name}_threads.{suffix}": filled(f"threads.{suffix}", values) for suffix in "ch"}
    return texts | threads


def _list(tensors: Iterable[BundleTensor]) -> str:
    return ", ".join(f"`{t.name}` ({t.dtype.name} {'x'.join(map(str, t.shape)) or 'scalar'})" for t in tensors)
