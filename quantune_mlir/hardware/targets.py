"""Target descriptions: pipelines/targets/*.toml, one file per CPU, or a file of the user's."""

from __future__ import annotations

import re
import sys
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quantune_mlir.errors import TargetError
from quantune_mlir.files import resources
from quantune_mlir.files.access import MIB, read_file
from quantune_mlir.hardware.host_isa import GENERIC, host_isa
from quantune_mlir.hardware.isa_names import HOST, ISA_NAMES, IsaName
from quantune_mlir.hardware.memory import Memory
from quantune_mlir.hardware.throughput import Throughput

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


_STACK_BYTES: Final = 128 * 1024
"""The stack of one of IREE's worker threads. Kernels pack their input there."""
_SUFFIX: Final = ".toml"
_KEY: Final = re.compile(r"\s*(?P<key>[\w-]+)\s*=")
_TABLE: Final = re.compile(r"\s*\[(?P<table>[\w-]+)\]")
_TABLES: Final = ("c", "memory", "throughput")
_ONE_READER: Final = "--iree-dispatch-creation-fuse-multi-use=false"
"""IREE cannot compile what it makes of an op that two dispatches read, a softmax and an observer, say, at O2 and above:
it computes the op in the first, and stores a vector in the middle of a loop there."""
_NO_EVALUATION: Final = "--iree-opt-const-eval=false"
"""What depends on constants alone is computed when the program is loaded. IREE cannot do so earlier where a kernel
takes part, and what is constant to it cannot be foretold: what is read from a table of one value, say."""


@cache
def isa_defaults(isa: str) -> dict[str, Any]:
    """What all targets of an instruction set have unless they say otherwise, by key."""
    return tomllib.loads(resources.isa_text(isa))


def throughput_of(isa: str) -> Throughput:
    """What a core with these kernels does in a cycle, unless a target says otherwise."""
    return Throughput.model_validate(isa_defaults(isa)["throughput"])


def memory_of(isa: str) -> Memory:
    """The memory of a core with these kernels, unless a target says otherwise."""
    return Memory.model_validate(isa_defaults(isa)["memory"])


class CToolchain(BaseModel):
    """How C code for a target is compiled and, on this machine, run. Makefiles of C bundles begin with it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compiler: str = "cc"
    """The C compiler."""
    archiver: str = "ar"
    """What makes libraries."""
    flags: tuple[str, ...] = ()
    """What makes C code fit the kernels: CPU, floating-point unit, calling convention."""
    emulator: str = ""
    """A command that runs a program of this CPU on another one; its last argument is the program."""
    link: tuple[str, ...] = ()
    """What links a program for the emulator."""
    board: Literal["mps2", "mps2-an505", "mps3"] | None = None
    """The emulated board, where a program for it needs a start and a linker script: that of this name."""
    hosted: bool = True
    """Whether there is an operating system, with threads."""


class Target(BaseModel):
    """What to compile for. `flags` go to iree-compile as they are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """What it is called: the file's name."""
    description: str
    """Which CPUs it is for, in words."""
    triple: str | None = None
    """LLVM target triple; None: the host's."""
    cpu: str | None = None
    """LLVM CPU name, or "host"; None: the least that the triple has."""
    features: str | None = None
    """LLVM CPU features beyond those of `cpu`, such as "+dotprod,+i8mm"."""
    backend: Literal["llvm-cpu", "vmvx"] = "llvm-cpu"
    """Machine code, or bytecode for IREE's interpreter."""
    isa: IsaName | Literal["host"] | None = None
    """The instruction set that our kernels are made for, see quantune_mlir/kernels/isa.

    "host": this machine's best one. None: no kernels, IREE compiles the TOSA ops itself."""
    requantize: Literal["integer", "float"] = "float"
    """The requantize mode that suits this CPU best."""
    floats: Literal["full", "basic", "none"] = "full"
    """What there are instructions for: everything, all but minima, maxima and rounding, or no float operation."""
    stack: int = Field(_STACK_BYTES, ge=1024)
    """Bytes of stack that a kernel may take."""
    ram: int | None = Field(None, ge=1)
    """Bytes of memory for arena, stack, inputs and outputs of a C bundle; None: not limited."""
    flash: int | None = Field(None, ge=1)
    """Bytes of read-only memory for code and constants of a C bundle; None: not limited."""
    registers: int = Field(ge=1)
    """Registers that kernels keep accumulators in: vectors, or integers where there are none."""
    memory: Memory
    """Caches, and what kernels may pack to the stack."""
    throughput: Throughput
    """What it does in a cycle, for the costs of layers."""
    flags: tuple[str, ...] = ()
    """Given to iree-compile as they are; they replace what all targets share."""
    c: CToolchain = CToolchain()
    """How C code is compiled and run."""

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What is not given is as all targets of the instruction set have it; the scratch, half of the stack."""
        isa = host_isa() if given.get("isa") == HOST else given.get("isa", GENERIC)
        if isa not in ISA_NAMES:
            return given
        merged = {**isa_defaults(isa), **given}
        for table in ("memory", "throughput"):
            if isinstance(merged[table], dict):
                merged[table] = {**isa_defaults(isa)[table], **merged[table]}
        stack = given.get("stack", _STACK_BYTES)
        if isinstance(stack, int) and isinstance(merged["memory"], dict):
            merged["memory"].setdefault("scratch", stack // 2)
        return merged

    @staticmethod
    def load(name: Path) -> Target:
        """How an option of a pass reads a target; see `load_target`."""
        return load_target(str(name))

    def compile_flags(self) -> list[str]:
        """All flags of iree-compile for this target; its own replace what others have."""
        flags = [f"--iree-hal-target-backends={self.backend}", "--iree-input-demote-f64-to-f32=false"]
        flags += [_ONE_READER, _NO_EVALUATION]
        if self.backend == "llvm-cpu":
            flags.append(f"--iree-llvmcpu-stack-allocation-limit={self.stack}")
        if self.triple:
            flags.append(f"--iree-llvmcpu-target-triple={self.triple}")
        if self.cpu:
            flags.append(f"--iree-llvmcpu-target-cpu={self.cpu}")
        if self.features:
            flags.append(f"--iree-llvmcpu-target-cpu-features={self.features}")
        own = {flag.split("=")[0] for flag in self.flags}
        return [*(flag for flag in flags if flag.split("=")[0] not in own), *self.flags]


def load_target(name: str) -> Target:
    """The target called `name`, or that of a file whose name ends in .toml.

    Raises:
        TargetError: there is none, or its file is malformed.
    """
    if name.endswith(_SUFFIX):
        text = read_file(Path(name), limit=MIB, error=TargetError).decode(errors="replace")
        return _parsed(text, Path(name).name.removesuffix(_SUFFIX), name)
    texts = resources.targets()
    if name not in texts:
        near = get_close_matches(name, texts, n=1)
        known = ", ".join(texts)
        raise TargetError(
            f"unknown target '{name}'",
            remedy=f"did you mean '{near[0]}'?" if near else f"known targets: {known}; or give a file, NAME.toml",
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> Target:
    return _parsed(resources.target_text(name), name, f"{name}{_SUFFIX}")


def _parsed(text: str, name: str, where: str) -> Target:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise TargetError(f"is no TOML: {error}", where=where) from error
    try:
        return Target.model_validate({**content, "name": name})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = [str(part) for part in first["loc"]]
        said = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        line = _line_of(text, path)
        key = ".".join(path[: 2 if path[0] in _TABLES else 1])
        raise TargetError(
            f"{key}: {said}",
            where=where if line is None else f"{where}:{line}",
            remedy="docs/targets.md tells of all keys",
        ) from error


def _line_of(text: str, path: list[str]) -> int | None:
    """Where a key stands, given with its table; None if it does not."""
    *tables, key = path[:2] if path[0] in _TABLES else path[:1]
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            table = [header["table"]]
        elif (found := _KEY.match(line)) and table == tables and found["key"] == key:
            return number
    return None
