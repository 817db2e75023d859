"""Write a profile: `make_profile.py OUT.npz NAME=LOW:HIGH,... ... channels/NAME=LOW:HIGH,LOW:HIGH,... ...`.

In each run a tensor, or in the only one each of its channels, has just these two values.
"""

import sys
from functools import reduce

import numpy as np

from quantune_mlir.numerics.channels import ChannelStatistics, exact_bins
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile

CHANNELS = "channels/"


def pairs(text: str) -> np.ndarray:
    return np.array([bounds.split(":") for bounds in text.split(",")], np.float32)


def of_channels(text: str) -> ChannelStatistics:
    values = pairs(text)
    return ChannelStatistics(2, exact_bins(values[:, 0]) + exact_bins(values[:, 1]), values[:, 0], values[:, 1])


path, *tensors = sys.argv[1:]
given = dict(tensor.split("=") for tensor in tensors)
histograms = {
    name: reduce(Histogram.merge, map(Histogram.of, pairs(runs)))
    for name, runs in given.items()
    if not name.startswith(CHANNELS)
}
channels = {name.removeprefix(CHANNELS): of_channels(text) for name, text in given.items() if name.startswith(CHANNELS)}
Profile("", 1, histograms, channels).save(path)
