"""A model of which any plan can be run at once, without rewriting or compiling it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import iree.runtime as iree_rt
import numpy as np
from numpy.typing import NDArray

from quantune_mlir.backend.program import SINGLE_THREAD, to_device, to_host
from quantune_mlir.hardware.targets import load_target
from quantune_mlir.mlir.qparams import read_qparams
from quantune_mlir.model import Model
from quantune_mlir.numerics.formats import FP32, INT8, NumberFormat
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.samples.sample_set import SampleSet
from quantune_mlir.workflow.options import QuantizeOptions
from quantune_mlir.workflow.repairs import repaired
from quantune_mlir.workflow.rewriting import integer_options
from tools.study.pieces import compile_pieces, number_values
from tools.study.schedule import Graph, Schedule

Plan = Mapping[str, NumberFormat]
"""The format of each layer that decides."""
Outputs = NDArray[np.float32]
Array = NDArray[np.generic]


class SwitchableModel:
    """A model whose deciding layers can be int8 or fp32 at each run.

    Its outputs are those of the last deciding layers, before a softmax that closes the network.
    """

    def __init__(self, model: Model, profile: Profile, options: QuantizeOptions) -> None:
        """Compiles every form of every unit of `model`, with the ranges of `profile`."""
        prepared = repaired(model, profile, options)
        self._model = prepared
        integer = integer_options(options)
        network = prepared.network
        numbers = number_values(network.block.arguments, network.units)
        self.layers = [layer for layer in prepared.layers if layer.decides]
        self._fixed = {layer.name: FP32 for layer in prepared.layers if not layer.quantizable}
        self._graph = Graph(
            network,
            numbers,
            network.closing_values,
            integer.requantize == "float",
        )
        *_, terminator = network.block
        self._results = list(terminator.operands)
        params = read_qparams(prepared.function)
        self._runtime = _Runtime(compile_pieces(network, numbers, params, integer, load_target("host")))

    @property
    def names(self) -> list[str]:
        """The deciding layers, in graph order."""
        return [layer.name for layer in self.layers]

    def plan(self, int8: Sequence[str]) -> Plan:
        """The plan in which these layers are int8, and the others fp32."""
        return {name: INT8 if name in int8 else FP32 for name in self.names}

    def run(self, plans: Sequence[Plan], samples: SampleSet) -> Iterator[list[Outputs]]:
        """For each sample, the output of each plan: all outputs flattened into one vector.

        What plans have in common, they share.
        """
        schedule = self._graph.schedule([{**self._fixed, **plan} for plan in plans])
        for sample in samples:
            results = self._runtime.run(schedule, sample)
            yield [np.concatenate([each.astype(np.float32).reshape(-1) for each in outputs]) for outputs in results]

    def results(self, plans: Sequence[Plan], samples: SampleSet) -> Iterator[list[list[Array]]]:
        """The same of the network's results: for each sample, those of each plan."""
        graph = replace(self._graph, outputs=self._results)
        schedule = graph.schedule([{**self._fixed, **plan} for plan in plans])
        for sample in samples:
            yield self._runtime.run(schedule, sample)


class _Runtime:
    """Calls pieces; their results stay in device memory."""

    def __init__(self, vmfb: bytes) -> None:
        config = iree_rt.Config(SINGLE_THREAD)
        module = iree_rt.VmModule.copy_buffer(config.vm_instance, vmfb)
        self._context = iree_rt.SystemContext(vm_modules=[module], config=config)
        self._module = self._context.modules[module.name]
        self._device = config.device
        self._functions: dict[str, Any] = {}

    def run(self, schedule: Schedule, sample: Sequence[Array]) -> list[list[Array]]:
        """The outputs of each plan of a schedule for one sample."""
        last_use = {number: i for i, call in enumerate(schedule.calls) for number in call.operands}
        kept = {number for numbers in schedule.outputs for number in numbers}
        results: dict[int, Any] = {i: to_device(array, self._device) for i, array in enumerate(sample)}
        for i, call in enumerate(schedule.calls):
            arguments = iree_rt.VmVariantList(len(call.operands))
            for number in call.operands:
                arguments.push_ref(results[number])
            returned = iree_rt.VmVariantList(1)
            self._context.vm_context.invoke(self._function(call.piece.name), arguments, returned)
            results[schedule.inputs + i] = returned.get_as_object(0, iree_rt.HalBufferView)
            for number in call.operands:
                if last_use[number] == i and number not in kept:
                    del results[number]
        arrays = {number: np.array(to_host(results[number])) for number in kept}
        return [[arrays[number] for number in numbers] for numbers in schedule.outputs]

    def _function(self, name: str) -> Any:
        if name not in self._functions:
            self._functions[name] = self._module[name].vm_function
        return self._functions[name]
