"""The verifier in Python accepts and refuses what the dialect's IRDL definition does, as iree-opt reads it.

IRDL cannot look into built-in types and regions: element types, widths and bodies are told apart by ours only.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from quantune_mlir.errors import PassError
from quantune_mlir.files import resources
from quantune_mlir.mlir.bindings import ir, make_context
from quantune_mlir.mlir.dialects.quantune import verify

F32, I8, F64 = "tensor<1x2x2x4xf32>", "tensor<1x2x2x4xi8>", "tensor<1x2x2x4xf64>"
VALUES = {F32: "%x", I8: "%q", F64: "%d", "i32": "%i"}
BODY = f'{{ %y = "tosa.abs"(%x) : ({F32}) -> {F32}\n "tosa.yield"(%y) : ({F32}) -> () }}'
STRING, SCALE, ZERO_POINT, WINDOW = '"made"', "0.5 : f32", "3 : i32", "array<i64: 2, 2>"


@dataclass(frozen=True)
class Op:
    """An op of the dialect, well formed or not."""

    name: str
    operands: tuple[str, ...]
    attributes: dict[str, str]
    results: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    ours_alone: bool = False
    """Whether it breaks what IRDL cannot say."""

    def text(self, number: int) -> str:
        """In a module, the op's location called after a number."""
        results = ", ".join(f"%r{i}" for i in range(len(self.results)))
        operands = ", ".join(VALUES[kind] for kind in self.operands)
        attributes = ", ".join(f"{name} = {value}" for name, value in self.attributes.items())
        regions = f" ({', '.join(self.regions)})" if self.regions else ""
        return (
            f"func.func @main(%x: {F32}, %q: {I8}, %d: {F64}, %i: i32) {{\n"
            f'{results}{" = " if results else ""}"quantune.{self.name}"({operands}){regions} {{{attributes}}} '
            f': ({", ".join(self.operands)}) -> ({", ".join(self.results)}) loc("op{number}")\nreturn\n}}\n'
        )


def well_formed() -> list[Op]:
    meaning = {"scale": SCALE, "zero_point": ZERO_POINT}
    window = {"kernel": WINDOW, "stride": WINDOW, "pad": "array<i64: 0, 0, 0, 0>"}
    return [
        Op("observe", (F32,), {"tensor_name": STRING}),
        Op("observe_channels", (F32,), {"tensor_name": STRING}),
        Op("measure", (F32, I8), {"tensor_name": STRING, "noise": STRING, **meaning}),
        Op("project", (F32, F32, F32), {"tensor_name": STRING, "part": STRING, **meaning}),
        Op("max_pool_adjoint", (F32, F32, F32), window, (F32,)),
        Op("fused", (), {"kernel": STRING}, (F32,), (BODY,)),
    ]


def broken(op: Op) -> Iterator[Op]:
    """The op with one thing wrong, or more than it needs."""
    yield replace(op, name="nothing")
    yield replace(op, operands=(*op.operands, F32))
    yield replace(op, results=(*op.results, F32))
    yield replace(op, regions=(*op.regions, BODY))
    yield replace(op, attributes={**op.attributes, "more": "unit"})
    for place in range(len(op.operands)):
        before, after = op.operands[:place], op.operands[place + 1 :]
        yield replace(op, operands=(*before, *after))
        yield replace(op, operands=(*before, "i32", *after))
        yield replace(op, operands=(*before, F64, *after), ours_alone=True)
    for name, value in op.attributes.items():
        others = {key: other for key, other in op.attributes.items() if key != name}
        yield replace(op, attributes=others)
        yield from (replace(op, attributes={**others, name: other}) for other in ("unit", "dense<1> : tensor<1xi8>"))
        if value in (SCALE, ZERO_POINT):
            yield replace(op, attributes={**others, name: value.replace("32", "64")}, ours_alone=True)
    if op.results:
        yield replace(op, results=())
        yield replace(op, results=("i32",))
        yield replace(op, results=(F64,), ours_alone=True)
    if op.regions:
        yield replace(op, regions=())
        yield replace(op, regions=(BODY[: BODY.index("\n")] + "}",), ours_alone=True)
        yield replace(op, regions=(BODY.replace("{", "{^start(%z: i32):", 1),), ours_alone=True)
        yield replace(op, regions=(BODY.replace(f"(%y) : ({F32})", f"(%q) : ({I8})"),), ours_alone=True)


def refused_by_irdl(texts: list[str], folder: Path) -> set[int]:
    """Which of the modules iree-opt refuses, given the dialect's definition."""
    file = folder / "modules.mlir"
    file.write_text("// -----\n".join(texts))
    tool = Path(sys.executable).parent / "iree-opt"
    command = [str(tool), f"--irdl-file={resources.dialect_path()}", "--split-input-file", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return {int(number) for number in re.findall(r'error: loc\("op(\d+)"\)', found.stderr)}


def is_refused(text: str) -> bool:
    module = ir.Module.parse(text, make_context())
    try:
        verify(module)
    except PassError:
        return True
    return False


def test_both_accept_and_refuse_the_same_ops(tmp_path: Path) -> None:
    ops = [op for good in well_formed() for op in (good, *broken(good))]
    texts = [op.text(number) for number, op in enumerate(ops)]
    by_irdl = refused_by_irdl(texts, tmp_path)
    ours = {number for number, text in enumerate(texts) if is_refused(text)}
    assert [ops[number] for number in sorted(by_irdl - ours)] == []
    assert [ops[number] for number in sorted(ours - by_irdl) if not ops[number].ours_alone] == []
    good = [number for number, op in enumerate(ops) if op in well_formed()]
    assert not ours.intersection(good)
    assert ours.issuperset(number for number, op in enumerate(ops) if op.ours_alone)
