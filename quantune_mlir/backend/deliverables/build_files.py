"""What is beside the C code of a bundle: Makefile, CMakeLists.txt, README.md, and a board to emulate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from quantune_mlir.backend.deliverables.bundle_memory import kib
from quantune_mlir.backend.deliverables.c_names import c_type
from quantune_mlir.backend.deliverables.model_code import ModelCode
from quantune_mlir.backend.deliverables.schedule import BundleTensor
from quantune_mlir.backend.deliverables.templates import filled
from quantune_mlir.hardware.targets import Target

_THREADS: Final = """\
option({macro}_PTHREADS "with a small pool of threads" OFF)
if({macro}_PTHREADS)
  find_package(Threads REQUIRED)
  target_sources({name} PRIVATE {name}_threads.c)
  target_compile_definitions({name} PUBLIC {macro}_PTHREADS)
  target_link_libraries({name} PUBLIC Threads::Threads)
endif()

"""
_CODES: Final = """\
The code of a number x is x / SCALE + ZERO_POINT, rounded to the nearest integer and limited to those that its type has;
a code q stands for (q - ZERO_POINT) * SCALE. `{name}.h` has scales and zero points.

"""


def build_files(code: ModelCode, target: Target, *, weights_file: str, code_bytes: int) -> dict[str, str]:
    """Texts by file name."""
    c = target.c
    board = ["startup.c board.ld"] if c.board else []
    script = ["SHELL:-T ${CMAKE_CURRENT_SOURCE_DIR}/board.ld"] if c.board else []
    has_codes = any(tensor.scale is not None for tensor in code.tensors)
    values = code.common | {
        "CC": c.compiler,
        "AR": c.archiver,
        "C_FLAGS": " ".join(c.flags),
        "EMULATOR": c.emulator,
        "HOW_SELFTEST": f", in {c.emulator.split()[0]}" if c.emulator else "",
        "BOARD": " ".join(board),
        "BOARD_FLAGS": " ".join([*(["-T", "$(HERE)board.ld"] if c.board else []), *c.link, "-Wl,--gc-sections"]),
        "BOARD_C": "startup.c" if c.board else "",
        "LINK_OPTIONS": " ".join(f'"{option}"' for option in (*c.flags, *script, *c.link, "-Wl,--gc-sections")),
        "EMULATOR_LIST": ";".join(c.emulator.split()),
        "THREADS": _THREADS.format(name=code.name, macro=code.name.upper()) if c.hosted else "",
        "ASM": " ASM" if weights_file.endswith(".S") else "",
        "WEIGHTS_FILE": weights_file,
        "WEIGHTS": kib(sum(map(len, code.schedule.weights))),
        "ARENA": kib(code.schedule.arena),
        "CODE": kib(code_bytes),
        "IO": kib(sum(tensor.bytes for tensor in code.tensors)),
        "STACK": kib(target.stack),
        "BUFFERS": "\n".join(_buffer(code, *named) for named in zip(code.names, code.tensors, strict=True)),
        "CODES": _CODES.format(name=code.name) if has_codes else "",
        "COMPILED_WITH": f", compiled with `{' '.join(c.flags)}`, as the kernels are" if c.flags else "",
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


def _buffer(code: ModelCode, name: str, tensor: BundleTensor) -> str:
    macro = code.name.upper()
    return f"static {macro}_ALIGNED {c_type(tensor.dtype)} {name}[{macro}_{name.upper()}_ELEMENTS];"


def _list(tensors: Iterable[BundleTensor]) -> str:
    return ", ".join(f"`{t.name}` ({t.dtype.name} {'x'.join(map(str, t.shape)) or 'scalar'})" for t in tensors)
