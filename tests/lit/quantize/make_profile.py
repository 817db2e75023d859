"""Write a profile: `make_profile.py OUT.npz NAME=LOW:HIGH ... channels/NAME=LOW:HIGH,LOW:HIGH,... ...`.

Each tensor, or each of its channels, has just these two values.
"""

import sys

import numpy as np

from quantune_mlir.numerics.channels import ChannelStatistics, exact_bins
from quantune_mlir.numerics.histogram import Histogram
from quantune_mlir.numerics.profile import Profile

CHANNELS = "channels/"


def of_channels(text: str) -> ChannelStatistics:
    values = np.array([bounds.split(":") for bounds in text.split(",")], np.float32)
    return ChannelStatistics(2, exact_bins(values[:, 0]) + exact_bins(values[:, 1]), values[:, 0], values[:, 1])


path, *tensors = sys.argv[1:]
given = dict(tensor.split("=") for tensor in tensors)
histograms = {
    name: Histogram.of(np.array(bounds.split(":"), np.float32))
    for name, bounds in given.items()
    if not name.startswith(CHANNELS)
}
channels = {name.removeprefix(CHANNELS): of_channels(text) for name, text in given.items() if name.startswith(CHANNELS)}
Profile("", 1, histograms, channels).save(path)
