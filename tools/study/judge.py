"""What plans are judged by: SQNR at the network's output before a closing softmax, and top-1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantune_mlir.numerics.metrics import ErrorEnergy
from quantune_mlir.numerics.profile import Profile
from quantune_mlir.workflow.options import QuantizeOptions
from tools.study.subject import Subject
from tools.study.switchable import Plan, SwitchableModel


@dataclass(frozen=True)
class Judge:
    """A switchable model, with the samples that SQNR is measured on, and labelled ones for top-1."""

    model: SwitchableModel
    subject: Subject

    @staticmethod
    def of(subject: Subject, profile: Profile, options: QuantizeOptions) -> Judge:
        """A judge of plans under given options."""
        return Judge(SwitchableModel(subject.model, profile, options), subject)

    def noise(self, plans: Sequence[Plan]) -> list[float]:
        """Noise-to-signal power at the output of each plan, over the calibration samples."""
        energies = [ErrorEnergy() for _ in plans]
        for reference, *outputs in self.model.run([self.model.plan([]), *plans], self.subject.calibration):
            energies = [sums + ErrorEnergy.of(reference, x) for sums, x in zip(energies, outputs, strict=True)]
        return [energy.normalized_mse or 0.0 for energy in energies]

    def top1(self, plans: Sequence[Plan]) -> list[float]:
        """Share of validation samples that each plan classifies as labelled."""
        return [float(share) for share in self.right(plans).mean(axis=0)]

    def right(self, plans: Sequence[Plan]) -> NDArray[np.bool_]:
        """bool[samples, plans]: which validation samples a plan classifies as labelled."""
        runs = zip(self.subject.labels, self.model.run(plans, self.subject.validation), strict=True)
        return np.array([[int(np.argmax(x)) == label for x in outputs] for label, outputs in runs])
