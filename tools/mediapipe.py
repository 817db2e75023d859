"""The networks of MediaPipe's wheel: imported, compared with LiteRT, quantized, evaluated. The table of importing.md.

    pip download --no-deps mediapipe==0.10.14
    python -m tools.mediapipe mediapipe-0.10.14-*.whl FOLDER [--only NAME ...]

Inputs are parts of photographs, scaled to [0, 1): those to quantize with, and others to evaluate with. FOLDER keeps the
models and what is made of them. What LiteRT cannot run, for it lacks an operator, is compared with nothing.
"""

from __future__ import annotations

import argparse
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.compilation import compile_program
from quantune_mlir.backend.program import Program
from quantune_mlir.errors import QuantuneError
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.artifacts import Artifacts
from quantune_mlir.workflow.evaluation import evaluate
from quantune_mlir.workflow.options import ANALYSIS_TARGET
from quantune_mlir.workflow.quantization import quantize
from quantune_mlir.workflow.save import save
from quantune_mlir.workflow.variants import Variants
from tools.gallery.fetch import require_hash
from tools.gallery.material import Material
from tools.markdown import MISSING, number, table

Array = NDArray[Any]

SHA256: Final = "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4"
HEAD: Final = ("network", "layers", "largest difference", "MACs in int8", "int8 dB", "mixed dB")
CUT: Final = {"face_landmark_with_attention": ("p_re_lu_3", "output_mesh", "multiply_by_constant", "conv_faceflag")}
"""Where the error of a network says to cut it."""
CALIBRATION, TESTS = 24, 16


def unpacked(wheel: Path, folder: Path) -> list[Path]:
    """The wheel's models, as files in the folder, by name."""
    require_hash(wheel.read_bytes(), SHA256, wheel.name)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.endswith(".tflite"):
                (folder / Path(member).name).write_bytes(archive.read(member))
    return sorted(folder.glob("*.tflite"))


def pictures(model: Model, material: Material, count: int) -> dict[str, Array]:
    """So many parts of photographs, as the model's one input wants them."""
    (spec,) = model.inputs
    _, height, width, _ = spec.shape
    parts = (material.photograph(0.4, person=index % 4 > 0) for index in range(count))
    return {spec.name: np.stack([np.asarray(part.resize((width, height)), np.float32) / 256 for part in parts])}


def difference(path: Path, model: Model, images: Array) -> str:
    """Of the fp32 program's outputs from LiteRT's: the largest, in units of the largest output, worst output."""
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
    except RuntimeError:
        return MISSING
    program = Program(compile_program(model.module, load_target(ANALYSIS_TARGET)))
    worst = 0.0
    for image in images[:, None]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        wanted = [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]
        for mine, true in zip(program(image), wanted, strict=True):
            error = np.abs(mine.reshape(true.shape).astype(np.float64) - true).max()
            worst = max(worst, float(error / np.abs(true).max()))
    return f"{worst:.0e}".replace("e-0", "e-")


def row(path: Path, folder: Path, outputs: Sequence[str]) -> list[str]:
    """What came of one network; of its part up to `outputs`, if there are some."""
    try:
        model = Model.load(path, outputs=outputs)
    except QuantuneError as error:
        return [path.stem, *[MISSING] * 4, f"refused: {error.what.splitlines()[0]}"]
    ((name, images),) = pictures(model, Material(folder.parent / "pictures", path), CALIBRATION + TESTS).items()
    made = quantize(model, SampleSet.open({name: images[:CALIBRATION]}, model.inputs))
    totals: Any = save(made, folder, source=path, force=True)["totals"]
    variants = Variants(Artifacts.open(folder))
    tests = SampleSet.open({name: images[CALIBRATION:]}, model.inputs)
    scores = evaluate(variants, tests, ("int8", "mixed")).scores
    return [
        f"{path.stem}, up to {' '.join(outputs)}" if outputs else path.stem,
        str(len(model.layers)),
        MISSING if outputs else difference(path, model, images[CALIBRATION:]),
        f"{100 * totals['int8_mac_share']:.0f} %",
        *(number(scores[variant]["worst_sqnr_db"], 1) for variant in ("int8", "mixed")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    rows: list[list[str]] = []
    for path in unpacked(arguments.wheel, arguments.folder / "models"):
        if arguments.only and path.stem not in arguments.only:
            continue
        for outputs in [(), *([CUT[path.stem]] if path.stem in CUT else [])]:
            rows.append(row(path, arguments.folder / path.stem, outputs))
            print(" | ".join(rows[-1]), flush=True)
    print(table(HEAD, rows))


if __name__ == "__main__":
    main()
