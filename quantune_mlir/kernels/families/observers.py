"""Observer kernels: they look at tensors and add to a state that stays in the program.

A kernel is MLIR text, a private function that looks at one tensor: numbers (i32, the first one the number of elements),
the tensors, the state. Here it is wrapped into IREE executables that do so for one tensor or several: a dispatch costs
as much as looking at thousands of elements. They are the same for all networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quantune_mlir.files import resources

MAX_BATCH: Final = 8
"""The most tensors that one dispatch looks at. IREE lets it have 60 numbers; a kernel takes up to 4 for each."""
_ROOM: Final = 1 << 31
"""More elements than any part of the state has; a kernel must not depend on how many."""


@dataclass(frozen=True)
class Observer:
    """A kernel.

    Attributes:
        name: of the executable.
        function: what looks at one tensor.
        texts: the files that hold it and what it calls.
        numbers: how many it takes.
        tensors: their element types as it reads them, all of as many elements.
        state: the element types of what it updates.
    """

    name: str
    function: str
    texts: tuple[str, ...]
    numbers: int
    tensors: tuple[str, ...]
    state: tuple[str, ...]

    def entry(self, batch: int) -> str:
        """The executable and its entry point for so many tensors: their numbers, the tensors, the state."""
        return f"{self.name}_{batch}"

    def executable(self, batch: int) -> str:
        """MLIR text of an executable."""
        return "\n".join(
            [
                f"!candidate = memref<?x{self.tensors[-1]}>",
                f"#layout = {self._layout(batch)}",
                f"hal.executable.source private @{self.entry(batch)} {{",
                self._export(batch),
                "builtin.module {",
                *[resources.kernel_text(name) for name in self.texts],
                self._function(batch),
                "}",
                "}",
            ]
        )

    def _layout(self, batch: int) -> str:
        read = '#hal.pipeline.binding<storage_buffer, "ReadOnly|Indirect">'
        updated = "#hal.pipeline.binding<storage_buffer, Indirect>"
        bindings = [*[read] * (batch * len(self.tensors)), *[updated] * len(self.state)]
        return (
            f"#hal.pipeline.layout<constants = {batch * self.numbers}, bindings = [{', '.join(bindings)}], "
            "flags = Indirect>"
        )

    def _export(self, batch: int) -> str:
        return f"""
hal.executable.export public @{self.entry(batch)} ordinal(0) layout(#layout)
    count(%device: !hal.device) -> (index, index, index) {{
  %c1 = arith.constant 1 : index
  hal.return %c1, %c1, %c1 : index, index, index
}}"""

    def _function(self, batch: int) -> str:
        layout = "layout(#layout)"
        lines = [f"func.func @{self.entry(batch)}() {{", f"%room = arith.constant {_ROOM} : index"]
        first_state = batch * len(self.tensors)
        for part, element in enumerate(self.state):
            ordinal = first_state + part
            kind = f"memref<?x{element}>"
            lines.append(f"%state_{part} = hal.interface.binding.subspan {layout} binding({ordinal}) : {kind}{{%room}}")
        for item in range(batch):
            numbers = [f"%number_{item * self.numbers + k}" for k in range(self.numbers)]
            tensors = [f"%tensor_{item * len(self.tensors) + k}" for k in range(len(self.tensors))]
            for number in numbers:
                ordinal = number.removeprefix("%number_")
                lines.append(f"{number} = hal.interface.constant.load {layout} ordinal({ordinal}) : i32")
            lines.append(f"%size_{item} = arith.index_castui {numbers[0]} : i32 to index")
            for tensor, element in zip(tensors, self.tensors, strict=True):
                ordinal = tensor.removeprefix("%tensor_")
                lines.append(
                    f"{tensor} = hal.interface.binding.subspan {layout} binding({ordinal}) "
                    f": memref<?x{element}>{{%size_{item}}}"
                )
        return "\n".join([*lines, *self._for_each(batch), "return", "}"])

    def _for_each(self, batch: int) -> list[str]:
        """A loop over the tensors: the code that looks at one is there once, and soon compiled."""
        types = ["i32"] * self.numbers + [f"memref<?x{element}>" for element in (*self.tensors, *self.state)]
        lines = [f"%place_{item} = arith.constant {item} : index" for item in range(batch + 1)]
        lines += [f"%number_of_tensors = arith.constant {batch} : index", "%next = arith.constant 1 : index"]
        lines.append("scf.for %item = %place_0 to %number_of_tensors step %next {")
        lines += [f"%is_{item} = arith.cmpi eq, %item, %place_{item} : index" for item in range(1, batch)]
        arguments: list[str] = []
        read = [("number", k, self.numbers, "i32") for k in range(self.numbers)]
        read += [("tensor", k, len(self.tensors), types[self.numbers + k]) for k in range(len(self.tensors))]
        for kind, k, count, element in read:
            chosen = f"%{kind}_{k}"
            for item in range(1, batch):
                other, before, chosen = f"%{kind}_{item * count + k}", chosen, f"%{kind}_{k}_of_{item}"
                lines.append(f"{chosen} = arith.select %is_{item}, {other}, {before} : {element}")
            arguments.append(chosen)
        states = [f"%state_{part}" for part in range(len(self.state))]
        called = ", ".join([*arguments, *states])
        return [*lines, f"func.call @{self.function}({called}) : ({', '.join(types)}) -> ()", "}"]


OBSERVE: Final = Observer("quantune_observe", "observe", ("observe.mlir",), 3, ("i32",), ("i32", "i32"))
OBSERVE_CHANNELS: Final = Observer(
    "quantune_observe_channels", "observe_channels", ("observe_channels.mlir",), 3, ("f32",), ("i64", "f32", "f32")
)
MEASURE: Final = {
    "i8": Observer(
        "quantune_measure_int8", "measure", ("candidate_int8.mlir", "measure.mlir"), 4, ("f32", "i8"), ("f64",)
    ),
    "f32": Observer(
        "quantune_measure_fp32", "measure", ("candidate_fp32.mlir", "measure.mlir"), 4, ("f32", "f32"), ("f64",)
    ),
}
"""By the candidate's elements."""
PROJECT: Final = {
    "i8": Observer(
        "quantune_project_int8", "project", ("candidate_int8.mlir", "project.mlir"), 4, ("f32", "f32", "i8"), ("f64",)
    ),
    "f32": Observer(
        "quantune_project_fp32", "project", ("candidate_fp32.mlir", "project.mlir"), 4, ("f32",) * 3, ("f64",)
    ),
}
"""By the candidate's elements."""
LANES: Final = 64
"""Lanes of an inner product, each a sum of its own: see project.mlir."""
