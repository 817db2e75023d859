"""model.h and model.c of a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

from quantune_mlir._versions import installed_version
from quantune_mlir.backend.deliverables.c_names import c_names, c_type
from quantune_mlir.backend.deliverables.read_schedule import ALIGNMENT
from quantune_mlir.backend.deliverables.schedule import BufferView, BundleTensor, Command, Dispatch, Fill, Schedule
from quantune_mlir.backend.deliverables.templates import filled

T = TypeVar("T")

_NO_KERNELS: Final = """\
static const struct library *query_library(void) {
  static const struct library_header header = {LIBRARY_VERSION, "", 0, 0};
  static const kernel_function nothing[1] = {NULL};
  static const struct library none = {&header, 0, NULL, 0, nothing};
  return &none;
}
"""
_QUERY: Final = """\
#ifdef __cplusplus
extern "C"
#endif
const struct library *{query}(uint32_t most, const struct environment *environment);

static const struct library *query_library(void) {{
  return {query}(LIBRARY_VERSION, &environment);
}}
"""


@dataclass(frozen=True)
class ModelCode:
    """The C code that runs a schedule.

    Attributes:
        name: what its functions begin with.
        title: what it is, for people.
        target: for which CPU, for people.
        query: the function by which kernels are found.
    """

    schedule: Schedule
    name: str
    title: str
    target: str
    query: str

    @cached_property
    def names(self) -> list[str]:
        """C names of the inputs, then of the outputs."""
        inputs = [_speaking(tensor.name, "input") for tensor in self.schedule.inputs]
        return c_names([*inputs, *(_speaking(tensor.name, "output") for tensor in self.schedule.outputs)])

    @property
    def tensors(self) -> tuple[BundleTensor, ...]:
        """The inputs, then the outputs."""
        return self.schedule.inputs + self.schedule.outputs

    @cached_property
    def common(self) -> dict[str, object]:
        """What fills gaps in several files."""
        kinds = ["const "] * len(self.schedule.inputs) + [""] * len(self.schedule.outputs)
        parameters = [
            f"{const}{c_type(tensor.dtype)} *{name}"
            for const, tensor, name in zip(kinds, self.tensors, self.names, strict=True)
        ]
        return {
            "NAME": self.name,
            "MACRO": self.name.upper(),
            "TITLE": self.title.replace("*/", "* /"),
            "TARGET": self.target,
            "VERSION": installed_version("quantune-mlir"),
            "PARAMETERS": ", ".join([*parameters, "void *arena"]),
            "ARGUMENTS": ", ".join([*self.names, "arena"]),
        }

    def header(self) -> str:
        """model.h."""
        described = zip(self.tensors, self.names, strict=True)
        values = {
            "ALIGNMENT": ALIGNMENT,
            "ARENA": self.schedule.arena,
            "WEIGHTS": sum(map(len, self.schedule.weights)),
            "TENSORS": "\n".join(self._tensor(i, tensor, name) for i, (tensor, name) in enumerate(described)),
        }
        return filled("model.h", self.common | values)

    def _tensor(self, index: int, tensor: BundleTensor, name: str) -> str:
        kind = "Input" if index < len(self.schedule.inputs) else "Output"
        macro = f"{self.name}_{name}".upper()
        lines = [
            f"/* {kind} {tensor.name.replace('*/', '* /')}: {c_type(tensor.dtype)}, row-major. */",
            f"#define {macro}_ELEMENTS {tensor.elements}",
            f"#define {macro}_SHAPE {{{', '.join(map(str, tensor.shape)) or '1'}}}",
        ]
        if tensor.scale is not None:
            lines[0] = lines[0].replace("row-major", f"row-major; stands for ({name} - zero point) * scale")
            lines.append(f"#define {macro}_SCALE {tensor.scale!r}f")
            lines.append(f"#define {macro}_ZERO_POINT ({tensor.zero_point})")
        return "\n".join(lines) + "\n"

    def source(self) -> str:
        """model.c."""
        tables = _Tables(self._bases)
        commands = [tables.row(command) for command in self.schedule.commands]
        names = self.names
        arena = [] if self.schedule.arena == 0 else [0]
        first = 1 + len(self.schedule.weights)
        return filled(
            "model.c",
            self.common
            | {
                "WEIGHT_DECLARATIONS": "".join(
                    f"extern const uint32_t {self.name}_weights_{i}[];\n" for i in range(len(self.schedule.weights))
                ),
                "QUERY": _QUERY.format(query=self.query) if self.query else _NO_KERNELS,
                "FUNCTIONS": self.schedule.functions,
                "BASES": ", ".join(self._bases.values()),
                "CALLER_BASES": ", ".join(map(str, [*arena, *range(first, first + len(names))])),
                "VIEWS": _rows(f"{{{view}}}," for view in tables.views),
                "WORDS": _rows(_chunks([f"{word:#x}," for word in tables.words] or ["0"], 10)),
                "COMMANDS": _rows(commands),
                "COMMAND_COUNT": len(commands),
                "MOST_VIEWS": max([len(d.bindings) for d in self.schedule.dispatches], default=1),
                "SET_BASES": self._set_bases(),
            },
        )

    @cached_property
    def _bases(self) -> dict[tuple[str, int], str]:
        """Names for the buffers: the arena, weights, inputs, outputs."""
        counts = {"arena": 1, "weights": len(self.schedule.weights)}
        bases = {(place, i): f"{place.upper()}_{i}" for place, count in counts.items() for i in range(count)}
        inputs = len(self.schedule.inputs)
        for i in range(len(self.tensors)):
            place, index = ("input", i) if i < inputs else ("output", i - inputs)
            bases[place, index] = f"{place.upper()}_{index}"
        return bases

    def _set_bases(self) -> str:
        given = ["arena", *(f"{self.name}_weights_{i}" for i in range(len(self.schedule.weights))), *self.names]
        pairs = zip(self._bases.values(), given, strict=True)
        return "\n".join(f"  bases[{base}] = (char *)(uintptr_t){value};" for base, value in pairs)


@dataclass
class _Tables:
    """Views and words that commands refer to; what is there already is not stored again."""

    bases: dict[tuple[str, int], str]

    def __post_init__(self) -> None:
        self.views: list[str] = []
        self.words: list[int] = []

    def row(self, command: Command) -> str:
        """A row of the table of commands."""
        if isinstance(command, Dispatch):
            x, y, z = command.workgroups
            views, words = self._views(command.bindings), self._words(command.constants)
            counts = f"{len(command.bindings)}, {len(command.constants)}, {command.function}, {z}, {x}, {y}"
            return f"{{KERNEL, {counts}, {views}, {words}}}, /* {command.kernel} */"
        if isinstance(command, Fill):
            padded = command.pattern.ljust(-(-len(command.pattern) // 4) * 4, b"\0")
            words = [int.from_bytes(padded[i : i + 4], "little") for i in range(0, len(padded), 4)]
            view, word = self._views([command.target]), self._words(words)
            return f"{{FILL, 1, {len(command.pattern)}, 0, 0, 0, 0, {view}, {word}}},"
        return f"{{COPY, 2, 0, 0, 0, 0, 0, {self._views([command.target, command.source])}, 0}},"

    def _views(self, views: Iterable[BufferView]) -> int:
        rows = [f"{self.bases[v.place, v.index]}, {v.offset}, {v.length}" for v in views]
        return _place(self.views, rows)

    def _words(self, words: Iterable[int]) -> int:
        return _place(self.words, list(words))


def _speaking(name: str, kind: str) -> str:
    """Tensors without a name have a number."""
    return f"{kind}_{name}" if name.isdigit() else name


def _place(table: list[T], rows: list[T]) -> int:
    """Where `rows` stand in `table`; they are added if they do not."""
    for i in range(len(table) - len(rows) + 1):
        if table[i : i + len(rows)] == rows:
            return i
    table.extend(rows)
    return len(table) - len(rows)


def _rows(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _chunks(items: list[str], size: int) -> Iterator[str]:
    return (" ".join(items[i : i + size]) for i in range(0, len(items), size))
