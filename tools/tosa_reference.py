"""Runs TOSA modules on Arm's TOSA reference model, the executable form of the TOSA specification.

    python tools/tosa_reference.py mixed.mlir --input x.npy --output y.npy

The model and its MLIR reader come in the distribution tosa-tools, which pins an old NumPy and so lives in an
environment of its own: `make .venv-tosa/installed` makes it, QUANTUNE_TOSA_PYTHON names the python of another one.

The way: our bindings parse the module and print it in generic form (the pretty syntax drifts between releases), then
`tosa-opt --tosa-serialize` writes a flatbuffer and `tosa_reference_model` runs it on .npy files. What was found out:

- tosa-opt knows the dialects builtin, func and tosa, and nothing else: no arith, linalg, util or flow. Discardable
  attributes of any prefix (`quantune.*` on ops, functions, arguments and results), locations, the module's name and
  function attributes do no harm and need not be stripped.
- The flatbuffer's inputs are named TosaInput_0, TosaInput_1, ... and its outputs TosaOutput_0, ... in order. A result
  that is returned twice, or that is an argument, gets no output name of its own: such modules are refused here.
- Shapes must be static. One function, whatever its name.
- tosa_reference_model leaves with code 0 although it could not write an output: the file's presence is what counts.
- Integers are exact. fp32 sums run in the model's own order, so fp32 layers agree with IREE to rounding only, and
  int8 layers *behind* an fp32 layer may differ where a value stands next to a rounding boundary.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from quantune_mlir.mlir.bindings import func, ir, make_context

REPOSITORY = Path(__file__).resolve().parent.parent


class ReferenceModelError(Exception):
    """The reference model is not installed, or refuses a module or its inputs."""


def find_tool(name: str) -> Path:
    """Path of tosa-opt or tosa_reference_model; raises ReferenceModelError if tosa-tools is not installed."""
    python = Path(os.environ.get("QUANTUNE_TOSA_PYTHON", REPOSITORY / ".venv-tosa" / "bin" / "python"))
    tool = python.parent / name
    if not tool.is_file():
        raise ReferenceModelError(
            f"no {name} beside {python}: run `make .venv-tosa/installed`, or set QUANTUNE_TOSA_PYTHON to the python "
            "of an environment that holds tosa-tools"
        )
    return tool


def run_reference(module_text: str, inputs: Sequence[npt.NDArray[np.generic]]) -> list[npt.NDArray[np.generic]]:
    """Run the one function of a pure TOSA module on `inputs` and return its results.

    Args:
        module_text: an MLIR module, in any form that our bindings parse.
        inputs: one array per argument, of exactly the argument's shape and element type.

    Raises:
        ReferenceModelError: tosa-tools is absent, or refuses the module; the message holds what it said.
        ValueError: the inputs do not fit, or a result is an argument or is returned twice.
    """
    generic_text, result_count = _check(module_text, inputs)
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        (work / "module.mlir").write_text(generic_text)
        _run(
            "tosa-opt",
            "module.mlir",
            "--tosa-serialize",
            "--tosa-flatbuffer-filename=module.tosa",
            "-o=/dev/null",
            cwd=work,
        )
        for index, array in enumerate(inputs):
            np.save(work / f"TosaInput_{index}.npy", np.ascontiguousarray(array))
        input_names = [f"TosaInput_{index}" for index in range(len(inputs))]
        output_names = [f"TosaOutput_{index}" for index in range(result_count)]
        said = _run(
            "tosa_reference_model",
            "--tosa_file=module.tosa",
            "--flatbuffer_dir=.",
            "--output_dir=.",
            f"--ifm_name={','.join(input_names)}",
            f"--ifm_file={','.join(f'{name}.npy' for name in input_names)}",
            f"--ofm_name={','.join(output_names)}",
            f"--ofm_file={','.join(f'{name}.npy' for name in output_names)}",
            cwd=work,
        )
        missing = [name for name in output_names if not (work / f"{name}.npy").is_file()]
        if missing:
            raise ReferenceModelError(f"the reference model wrote no {', '.join(missing)}:\n{said}")
        return [np.load(work / f"{name}.npy") for name in output_names]


def _check(module_text: str, inputs: Sequence[npt.NDArray[np.generic]]) -> tuple[str, int]:
    """Generic form of the module and its function's number of results, if the function fits `inputs`."""
    with make_context():
        module = ir.Module.parse(module_text)
        functions = [op for op in module.body.operations if isinstance(op, func.FuncOp)]
        if len(functions) != 1:
            raise ValueError(f"a module with one function is wanted, this one has {len(functions)}")
        block = functions[0].entry_block
        wanted = [str(argument.type) for argument in block.arguments]
        given = [_tensor_type(array) for array in inputs]
        if wanted != given:
            raise ValueError(f"the function takes {wanted}, not {given}")
        results = list(block.operations[len(block.operations) - 1].operands)
        for index, result in enumerate(results):
            if isinstance(result, ir.BlockArgument) or result in results[:index]:
                raise ValueError(f"result {index} is an argument or another result: the flatbuffer cannot name it")
        return module.operation.get_asm(print_generic_op_form=True), len(results)


def _tensor_type(array: npt.NDArray[np.generic]) -> str:
    letter = {"i": "i", "f": "f", "b": "i"}[array.dtype.kind]
    bits = 1 if array.dtype == np.bool_ else array.dtype.itemsize * 8
    return f"tensor<{''.join(f'{size}x' for size in array.shape)}{letter}{bits}>"


def _run(tool: str, *arguments: str, cwd: Path) -> str:
    """Run a tool of tosa-tools and return all that it printed."""
    command = [str(find_tool(tool)), *arguments]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise ReferenceModelError(f"{tool} left with code {done.returncode}:\n{done.stdout}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a TOSA module on Arm's TOSA reference model.")
    parser.add_argument("module", type=Path)
    parser.add_argument("--input", type=Path, action="append", default=[], help="one .npy per argument, in order")
    parser.add_argument("--output", type=Path, action="append", default=[], help="one .npy per result, in order")
    arguments = parser.parse_args()
    try:
        results = run_reference(arguments.module.read_text(), [np.load(path) for path in arguments.input])
    except (ReferenceModelError, ValueError) as error:
        sys.exit(str(error))
    if len(results) != len(arguments.output):
        sys.exit(f"the module has {len(results)} result(s), but {len(arguments.output)} --output were given")
    for path, result in zip(arguments.output, results, strict=True):
        np.save(path, result)


if __name__ == "__main__":
    main()
