"""What a quantization takes of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.models import conv_relu, dense_layers, images, save_model, save_samples


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the peak memory from /proc")
def test_memory_does_not_grow_with_the_number_of_samples(tmp_path: Path) -> None:
    shape = (2, 64, 96)
    model = save_model(conv_relu(input_shape=(1, *shape)), tmp_path / "wide.onnx")
    peaks = {count: _peak_memory(tmp_path, model, images(count, shape)) for count in (100, 1000)}  # of 48 KiB each
    assert peaks[1000] <= 1.05 * peaks[100]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads the peak memory from /proc")
def test_memory_holds_weights_a_few_times(tmp_path: Path) -> None:
    """While run 2 is compiled: the model, int8; fp32, adjoint and int8 as kernels want them: 4 times at most seen."""
    size = 1024
    models = {depth: save_model(dense_layers(depth, size), tmp_path / f"{depth}.onnx") for depth in (1, 9)}
    peaks = {depth: _peak_memory(tmp_path, model, images(2, (size,))) for depth, model in models.items()}
    weights = 8 * size * size * 4 / 1024
    assert (peaks[9] - peaks[1]) / weights < 4.2


def _peak_memory(work: Path, model: Path, samples: np.ndarray) -> int:
    """Largest resident set, in KiB, of quantizing over all samples.

    From /proc: what getrusage tells includes the process that this one was forked from.
    """
    count = len(samples)
    data = save_samples(work / f"{count}.npz", x=samples)
    script = (
        "import sys; from quantune_mlir.cli.quantune import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*(line for line in open('/proc/self/status') if line.startswith('VmHWM')), file=sys.stderr)"
    )
    output = work / f"{model.stem}-{count}"
    arguments = ["quantize", model, "--calibration", data, "--samples", count, "--output", output]
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{count} samples, " in done.stdout
    return int(done.stderr.split()[-2])
