"""A network as a folder of C code around an object file: nothing else is needed to run it."""

from __future__ import annotations

from collections.abc import Sequence

from quantune_mlir.backend.deliverables.build_files import build_files
from quantune_mlir.backend.deliverables.elf import loaded_bytes
from quantune_mlir.backend.deliverables.model_code import ModelCode
from quantune_mlir.backend.deliverables.selftest_code import TestVector, selftest_source, test_vector_header
from quantune_mlir.backend.deliverables.static_library import StaticLibrary
from quantune_mlir.backend.deliverables.weights_code import weights_files
from quantune_mlir.hardware.targets import Target


def bundle_files(
    library: StaticLibrary, target: Target, vectors: Sequence[TestVector], *, name: str, title: str
) -> dict[str, bytes]:
    """What the folder holds, by file name.

    Args:
        library: the compiled network.
        target: what it was compiled for.
        vectors: what the self-test runs, at least one.
        name: what functions and files begin with, from `check_name`.
        title: what the network is, for people.
    """
    code = ModelCode(library.schedule, name, title, f"{target.name}: {target.description}", library.query)
    weights = weights_files(name, library.schedule.weights)
    (weights_file,) = (file for file in weights if not file.endswith(".bin"))
    texts = {
        f"{name}.h": code.header(),
        f"{name}.c": code.source(),
        "test_vector.h": test_vector_header(code, vectors),
        "selftest.c": selftest_source(code),
        **build_files(code, target, weights_file=weights_file, code_bytes=loaded_bytes(library.kernels)),
    }
    encoded = {file: text.encode() for file, text in texts.items()}
    return {**encoded, **weights, "kernels.o": library.kernels}
