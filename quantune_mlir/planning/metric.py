"""What a sensitivity list can be sorted by."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Metric(str, Enum):
    """What the list can be sorted by."""

    ACTIVATION_SQNR = "activation_sqnr"
    SQNR_DELTA = "sqnr_delta"
    LOCAL_SQNR = "local_sqnr"
    MSE = "mse"
    NORMALIZED_MSE = "normalized_mse"
    LOCAL_NORMALIZED_MSE = "local_normalized_mse"
    WEIGHT_SQNR = "weight_sqnr"
    OUTPUT_NORMALIZED_MSE = "output_normalized_mse"
    ALONE_NORMALIZED_MSE = "alone_normalized_mse"

    def __str__(self) -> str:
        return self.value

    @property
    def field(self) -> str:
        """The attribute of LayerSensitivity that holds it."""
        return f"{self.value}_db" if "sqnr" in self.value else self.value

    @property
    def high_is_sensitive(self) -> bool:
        """Whether large values mean much noise: true of errors, and of the SQNR that a layer loses."""
        return "mse" in self.value or self is Metric.SQNR_DELTA


DEFAULT_METRIC: Final = Metric.ALONE_NORMALIZED_MSE
"""What the list is sorted by, unless another is asked for."""
