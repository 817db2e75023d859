"""Runs pipelines over a module, verifying it between passes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TextIO

from quantune_mlir.errors import PassError, QuantuneError
from quantune_mlir.graph.network import Network
from quantune_mlir.mlir.bindings import ir, passmanager
from quantune_mlir.mlir.dialects import quantune
from quantune_mlir.pipeline.base import NetworkPass, Pass
from quantune_mlir.pipeline.parser import OwnStep, Pipeline, Step
from quantune_mlir.pipeline.upstream import ANCHOR

LARGE_CONSTANT: Final = 16
"""Constants of more elements than this are elided when IR is printed for people to look at."""


def run_pipeline(
    module: ir.Module,
    pipeline: str | Pipeline | Sequence[Pass],
    *,
    verify_each: bool = True,
    print_after_all: bool = False,
    stream: TextIO | None = None,
    on_pass: Callable[[str], None] | None = None,
) -> Network | None:
    """Run `pipeline` over `module`, in place. Returns the network that it is, if the last passes left it as it was.

    Args:
        pipeline: text, a parsed pipeline, or pass instances.
        verify_each: verify the module before the first pass and after each.
        print_after_all: print the module to `stream` (default: stderr) after each pass.
        on_pass: called with the text of each step before it runs.

    Raises:
        PassError: the text is wrong, a pass refuses the module, or a pass broke it; the message names the pass.
    """
    if isinstance(pipeline, str):
        pipeline = Pipeline.parse(pipeline)
    elif not isinstance(pipeline, Pipeline):
        pipeline = Pipeline.of(pipeline)
    with module.context, ir.Location.unknown(module.context):
        if verify_each:
            verify(module, "before the first pass")
        network: Network | None = None
        for text, steps in _stages(pipeline.steps, one_by_one=print_after_all):
            if on_pass:
                on_pass(text)
            first = steps[0]
            network = _run_own(module, first, network) if isinstance(first, OwnStep) else _run_upstream(module, text)
            if verify_each:
                verify(module, f"after {text}")
            if print_after_all:
                out = stream or sys.stderr
                print(f"// -----// IR after {text} //----- //", file=out)
                print(module.operation.get_asm(large_elements_limit=LARGE_CONSTANT), file=out)
        return network


def run_named_pipeline(module: ir.Module, name: str, values: Mapping[str, object] | None = None) -> Network | None:
    """Run pipelines/`name`.pipeline over `module` with the values of its parameters; returns as `run_pipeline` does.

    Raises:
        PassError: a value is missing, a pass refuses the module, or a pass broke it; the message names the pass.
    """
    return run_pipeline(module, Pipeline.named(name, values or {}))


def verify(module: ir.Module, when: str) -> None:
    """Raise PassError if `module` or one of its quantune ops is malformed. `when` is part of the message."""
    try:
        module.operation.verify()
        quantune.verify(module)
    except (ir.MLIRError, QuantuneError) as error:
        raise PassError(f"the module does not verify {when}: {error}") from error


def _stages(steps: Sequence[Step], *, one_by_one: bool) -> Iterator[tuple[str, list[Step]]]:
    """What to run: each own step by itself, upstream neighbours together unless `one_by_one`."""

    def key(numbered: tuple[int, Step]) -> int:
        index, step = numbered
        return index if one_by_one or isinstance(step, OwnStep) else -1

    for _, group in groupby(enumerate(steps), key):
        members = [step for _, step in group]
        yield ",".join(str(step) for step in members), members


def _run_own(module: ir.Module, step: OwnStep, network: Network | None) -> Network | None:
    """Runs a pass of ours; `network` is the module's, if it is known. Returns it if it still is."""
    pass_ = step.pass_
    try:
        if not isinstance(pass_, NetworkPass):
            pass_.apply(module)
            return None
        network = network or Network.of(module)
        pass_.apply_to(network)
        return network if pass_.preserves_network else None
    except QuantuneError as error:
        error.where = f"{step.name}: {error.where}" if error.where else step.name
        raise
    except Exception as error:
        # Exception.add_note is Python 3.11's; before it, the attribute is simply not shown.
        error.__notes__ = [*getattr(error, "__notes__", []), f"while running the pass {step}"]
        raise


def _run_upstream(module: ir.Module, text: str) -> None:
    try:
        passmanager.PassManager.parse(f"{ANCHOR}({text})").run(module.operation)
    except ir.MLIRError as error:
        raise PassError(f"the pass failed: {error}", where=text) from error
