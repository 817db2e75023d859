"""A network of the zoo with the samples that it is studied on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.model import Model
from quantune_mlir.samples.sample_set import SampleSet
from tools.zoo import Zoo


@dataclass(frozen=True)
class Subject:
    """A model, calibration samples, and validation samples with their labels."""

    model: Model
    calibration: SampleSet
    validation: SampleSet
    labels: NDArray[np.int64]

    @staticmethod
    def load(zoo: Zoo, network: str, samples: int, validation: int | None = None) -> Subject:
        """With so many calibration samples, and validation samples (None: all). Raises ValueError without labels."""
        model = Model.load(zoo.model(network))
        labels = zoo.labels(network, "val", validation)
        if labels is None:
            raise ValueError(f"{network} has no labelled data, so that its accuracy cannot be judged")
        calibration = SampleSet.open(zoo.samples(network, "calib", samples), model.inputs)
        judged_on = SampleSet.open(zoo.samples(network, "val", validation), model.inputs)
        return Subject(model, calibration, judged_on, labels)
