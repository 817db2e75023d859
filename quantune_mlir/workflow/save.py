"""Writes a quantization to its output directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from quantune_mlir.backend.delivery import Delivery, write_files
from quantune_mlir.errors import expect
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.kernels.tiling.tuned_tiles import TunedTiles
from quantune_mlir.mlir.text import write_text
from quantune_mlir.workflow import artifacts
from quantune_mlir.workflow.progress import SILENT, Progress, Stopwatch
from quantune_mlir.workflow.quantization import Quantization
from quantune_mlir.workflow.reports import report_bytes, run_of
from quantune_mlir.workflow.summary import summarize


def save(
    quantization: Quantization,
    directory: Path | str,
    *,
    source: Path | str,
    force: bool = False,
    tiles: TunedTiles | None = None,
    delivery: Delivery | None = None,
    command: Sequence[str] = (),
    config: str | None = None,
    qdq: bytes | None = None,
    on_files: Callable[[Path], None] = lambda _: None,
    progress: Progress = SILENT,
) -> dict[str, object]:
    """Compile the mixed program for the target and write all artifacts; the content of summary.json.

    Where floats take routines of a C compiler, which a .vmfb cannot call, what is delivered is all that is compiled.

    Args:
        quantization: what to write.
        directory: the output directory; written as a whole or not at all.
        source: the model's file, for the summary.
        force: replace an older output directory.
        tiles: what to use instead of the model's tiles; written beside the programs.
        delivery: what else to make of the mixed program, in a folder named after it.
        command: the arguments of `quantune quantize` that made it, policy and output apart, for the summary.
        config: the options of the command that made it, as a file that makes it again.
        qdq: the plan as an ONNX model, to be written as well.
        on_files: called with the directory of all files before they take their place.
        progress: who is told how far the work is.

    Raises:
        ArgumentError: it is no Quantization.
        OutputError: the directory exists without `force`, or cannot be written.
        CompileError: IREE refuses a module.
        TilesError: the tiles are for another instruction set.
    """
    expect(quantization, Quantization, "quantize(model, samples)")
    directory = Path(directory)
    artifacts.check_output(directory, force=force)
    watch = Stopwatch(progress)
    target = load_target(quantization.options.target)
    program = b""
    if delivery is None or quantization.integers is not None or target.floats != "none":
        with watch.stage("compile_mixed", "compile mixed"):
            program = quantization.compile(tiles=tiles, compiling=watch.compiling)
    delivered: dict[str, bytes] = {}
    if delivery is not None:
        with watch.stage("deliver", f"make the {delivery.deliverable}"):
            delivered = delivery.files(quantization.integers or quantization.mixed.module, target, tiles=tiles)
    summary = summarize(
        quantization,
        source=source,
        mixed_bytes=len(program),
        seconds={**quantization.seconds, **watch.seconds},
        command=command,
    )
    with artifacts.written_as_a_whole(directory, force=force) as files:
        write_text(quantization.model.module, files[artifacts.FP32], generic=True)
        files[artifacts.PROFILE].write_bytes(quantization.profile.to_bytes())
        files[artifacts.SENSITIVITY].write_text(quantization.sensitivity.to_yaml(), encoding="utf-8")
        files[artifacts.PLAN].write_text(quantization.plan.to_yaml(), encoding="utf-8")
        write_text(quantization.mixed.module, files[artifacts.MIXED], generic=True)
        if program:
            files[artifacts.PROGRAM].write_bytes(program)
        files[artifacts.SUMMARY].write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
        if delivery is not None:
            write_files(delivered, files[delivery.deliverable])
        if config is not None:
            files[artifacts.CONFIG].write_text(config, encoding="utf-8")
        if qdq is not None:
            files[artifacts.QDQ].write_bytes(qdq)
        report = report_bytes(run_of(summary, quantization.profile, files))
        files[artifacts.REPORT].write_bytes(report)
        if tiles is not None:
            files[artifacts.TILES].write_text(tiles.to_yaml(), encoding="utf-8")
        on_files(files.directory)
    return summary
