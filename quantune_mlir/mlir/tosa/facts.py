"""What can be said of a TOSA op: the columns of the table of traits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from quantune_mlir.mlir.tosa.numpy_rules import Rule

Moves = Literal["stays", "reorders", "selects", "fills"]
"""How an op that makes no new elements moves those of its first operand: all in the same order, all in another, some of
them or several times, or all of them beside a constant."""
Int8 = Literal["dot", "binary", "function", "mean", "average", "movement", "extreme", "concat", "loop"]
"""How an op is computed in int8, see graph/units.py; a "function" is part of one of a single tensor: a table. An
"extreme" may be, too. Of a "loop" the products in its body are."""
Cost = Literal["cheap", "moderate", "costly"]
"""What an element costs in fp32: one instruction, some, or tens."""


@dataclass(frozen=True)
class Weights:
    """The weights, operand 1, of an op that is linear in operand 0.

    Attributes:
        output_axes: the axes that count output channels; of a depthwise op (input channel, multiplier).
        input_axis: the axis that counts input channels.
        bias: whether operand 2 is a bias.
        scatters: whether each input adds to a window of outputs, instead of each output reading a window of inputs.
    """

    output_axes: tuple[int, ...]
    input_axis: int
    bias: bool = True
    scatters: bool = False

    @property
    def depthwise(self) -> bool:
        """Whether each output channel reads one input channel only."""
        return self.input_axis in self.output_axes

    @property
    def rows_axis(self) -> int:
        """The axis of the rows of a window, where the op has one; its columns are the next."""
        return 0 if self.depthwise else 1

    @property
    def channel_axis(self) -> int:
        """The axis of the output channels, once a depthwise op's two are made one."""
        return self.output_axes[0]


@dataclass(frozen=True)
class Traits:
    """The facts about one op.

    Attributes:
        data: how many of the first operands are computed with; those after are parameters (weights, zero points,
            shifts, sizes). None: all are data.
        evaluate: what it computes, in NumPy; None: nobody has needed it.
        int8: its int8 form; None: it has none.
        elementwise: each element of the result depends on one of each data operand, which broadcast.
        compares: it gives truth values of other elements.
        homogeneous: f(s x) = s f(x) for s > 0, where every data operand is so scaled; of a product, one of the two.
        cost: of an element-wise op.
        moves: how it moves elements, if that is all it does.
        neutral: it changes nothing where its result has the type of its first operand.
        identity: the number that, as the other operand, leaves an operand as it is.
        reduces: it makes one number of those along its axis, which stays with size one.
        aligned: each axis of the result is that axis of every data operand, so that a transpose of them passes through;
            `axis` and the lists of numbers for each axis go along.
        per_axis: how many numbers for each axis the parameters hold that are such lists.
        channels_last: its result's last axis is that of channels.
        weights: of a linear op.
        pure: it does nothing but compute its results.
    """

    data: int | None = 1
    evaluate: Rule | None = None
    int8: Int8 | None = None
    elementwise: bool = False
    compares: bool = False
    homogeneous: bool = False
    cost: Cost = "moderate"
    moves: Moves | None = None
    neutral: bool = False
    identity: float | None = None
    reduces: bool = False
    aligned: bool = False
    per_axis: int = 0
    channels_last: bool = False
    weights: Weights | None = None
    pure: bool = True

    @property
    def affine(self) -> bool:
        """Whether it is scale * x + shift, where one of its two operands is a constant."""
        return self.int8 == "binary"

    @property
    def reorders(self) -> bool:
        """Whether the result has just the elements of its operand, perhaps in another order."""
        return self.moves in ("stays", "reorders")
