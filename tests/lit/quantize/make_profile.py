"""Write a profile: `make_profile.py OUT.npz NAME=LOW:HIGH ...`, each tensor having just these two values."""

import sys

import numpy as np

from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile

path, *tensors = sys.argv[1:]
ranges = {name: bounds.split(":") for name, bounds in (tensor.split("=") for tensor in tensors)}
Profile("", 1, {name: Histogram.of(np.array(bounds, np.float32)) for name, bounds in ranges.items()}).save(path)
