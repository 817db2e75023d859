"""The ONNX file as peers want it: static shapes, the graph called `main`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import onnx
from onnx import helper, shape_inference

from quantune_mlir.backend.peers.job import Job
from quantune_mlir.errors import PeerError

_NAME: Final = "model.onnx"


def static_model(job: Job) -> Path:
    """A copy of the job's ONNX file in which every input has the shape that the job gives it.

    Raises:
        PeerError: an input is of a type that samples do not have, such as float64.
    """
    source = job.source()
    shapes = {spec.name: list(spec.shape) for spec in job.inputs}
    types = {spec.name: helper.np_dtype_to_tensor_dtype(spec.dtype) for spec in job.inputs}
    made_of = [hashlib.sha256(source.read_bytes()).hexdigest(), shapes, types, onnx.__version__]

    def make(directory: Path) -> None:
        model = onnx.load(source)
        model.graph.name = "main"
        for value in model.graph.input:
            if value.name in shapes:
                element = value.type.tensor_type.elem_type
                if element != types[value.name]:
                    raise PeerError(
                        f"input {value.name!r} is of {onnx.TensorProto.DataType.Name(element).lower()} in the ONNX file"
                    )
                value.type.CopyFrom(helper.make_tensor_type_proto(element, shapes[value.name]))
        del model.graph.value_info[:]
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        onnx.save(shape_inference.infer_shapes(model), directory / _NAME)

    return job.cached("static", made_of, make) / _NAME
