"""Static shapes for a model's inputs: declared, given, or those of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quantune_mlir.errors import ModelError
from quantune_mlir.mlir.constants import check_shape

Shape = Sequence[int]


class DynamicShapesError(ModelError):
    """Inputs have dimensions that nothing tells the size of."""


@dataclass(frozen=True)
class DeclaredInput:
    """An input as the model declares it.

    Attributes:
        name: its name.
        sizes: a number for each dimension, or the name of a dynamic one, "?" if it has none; None: not even a rank.
    """

    name: str
    sizes: Sequence[int | str] | None


@dataclass(frozen=True)
class StaticShapes:
    """What dynamic dimensions become.

    Attributes:
        batch: the size of a dynamic first dimension.
        given: whole shapes by input name.
        samples: shapes of arrays of samples by input name, from which a shape that is not given is taken.
    """

    batch: int = 1
    given: Mapping[str, Shape] = field(default_factory=dict[str, Shape])
    samples: Mapping[str, Shape] = field(default_factory=dict[str, Shape])

    def check(self, names: Sequence[str], where: str) -> None:
        """Raises ModelError for a batch below 1, or a shape for an input that is none of `names`."""
        if self.batch < 1:
            raise ModelError(f"a batch of {self.batch}", where=where, remedy="give a batch of at least 1")
        for name in self.given:
            if name not in names:
                raise ModelError(
                    f"there is no input {name!r}", where=where, remedy=f"the inputs are {', '.join(names)}"
                )

    def of(self, inputs: Sequence[DeclaredInput], where: str) -> list[tuple[int, ...]]:
        """The static shape of each input. What is called as a dynamic first dimension is of the batch's size.

        Raises:
            DynamicShapesError: dimensions of unknown size, all of them at once.
            ModelError: a shape contradicts the model, is too large, or has no elements.
        """
        sizes = _named_batch(inputs, self.batch)
        found = [self._shape(declared, sizes, where) for declared in inputs]
        unknown = [declared for declared, shape in zip(inputs, found, strict=True) if shape is None]
        if unknown:
            raise _dynamic(unknown, self.batch, sizes, where)
        shapes = [shape or () for shape in found]
        for declared, shape in zip(inputs, shapes, strict=True):
            try:
                check_shape(shape)
            except ValueError as error:
                raise ModelError(
                    f"input {declared.name!r}: {error}", where=where, remedy="give a smaller shape"
                ) from error
        return shapes

    def _shape(self, declared: DeclaredInput, sizes: Mapping[str, int], where: str) -> tuple[int, ...] | None:
        """The static shape of an input, with the sizes of dimensions by name; None where nothing tells it."""
        given = self.given.get(declared.name)
        if given is not None:
            return _fitting(declared, given, where)
        found = self._from_samples(declared.sizes, self.samples.get(declared.name))
        found = None if found is None else [sizes.get(size, size) if isinstance(size, str) else size for size in found]
        if found is None or not all(isinstance(size, int) for size in found):
            return None
        if 0 in found:
            remedy = f"give its shape: {_shape_option(declared, self.batch, sizes)}"
            raise ModelError(f"input {declared.name!r} has no elements", where=where, remedy=remedy)
        return tuple(size for size in found if isinstance(size, int))

    def _from_samples(self, declared: Sequence[int | str] | None, samples: Shape | None) -> Sequence[int | str] | None:
        """Dynamic dimensions from the batch and from an array whose first axis is the samples.

        An array with one axis more than the input holds one whole input per entry.
        """
        if declared is None:
            return None if not samples else [self.batch, *samples[1:]]
        pinned = list(declared)
        if samples is not None and len(samples) == len(declared) + 1:
            pinned = [samples[1 + i] if isinstance(size, str) else size for i, size in enumerate(declared)]
        elif samples is not None and len(samples) == len(declared):
            pinned = [samples[i] if isinstance(size, str) and i else size for i, size in enumerate(declared)]
        if pinned and isinstance(pinned[0], str):
            pinned[0] = self.batch
        return pinned


def _fitting(declared: DeclaredInput, given: Shape, where: str) -> tuple[int, ...]:
    known = ["?"] * len(given) if declared.sizes is None else declared.sizes
    fits = len(known) == len(given) and all(isinstance(k, str) or k == s for k, s in zip(known, given, strict=True))
    if not fits or min(given, default=1) < 1:
        wanted = "x".join("?" if isinstance(k, str) else str(k) for k in known)
        raise ModelError(
            f"the shape {'x'.join(map(str, given))} does not fit input {declared.name!r}, which is {wanted}",
            where=where,
            remedy="give a number for each '?', and the others as they are",
        )
    return tuple(int(s) for s in given)


def _named_batch(inputs: Sequence[DeclaredInput], batch: int) -> dict[str, int]:
    """The batch by the names of dynamic first dimensions; but what an input has twice is no name of one size."""
    shapes = [declared.sizes for declared in inputs if declared.sizes]
    names = {shape[0] for shape in shapes if all(each.count(shape[0]) <= 1 for each in shapes)}
    return {name: batch for name in names if isinstance(name, str) and name != "?"}


def _dynamic(inputs: Sequence[DeclaredInput], batch: int, sizes: Mapping[str, int], where: str) -> DynamicShapesError:
    listing = "; ".join(f"input {i.name!r} {_described(i)}" for i in inputs)
    options = " ".join(_shape_option(i, batch, sizes) for i in inputs)
    return DynamicShapesError(
        f"{listing}",
        where=where,
        remedy=f"give the shapes, with numbers for what is in capitals: {options}",
    )


def _described(declared: DeclaredInput) -> str:
    if declared.sizes is None:
        return "has no shape"
    return f"has dynamic dimensions: {', '.join(size for size in declared.sizes if isinstance(size, str))}"


def _shape_option(declared: DeclaredInput, batch: int, sizes: Mapping[str, int]) -> str:
    """The --shape option of an input, with the sizes that are known, some by name, and capitals for the others."""
    if declared.sizes is None:
        return f"--shape {declared.name}=N"
    words = [
        str(size) if size and isinstance(size, int) else str(batch) if i == 0 else _capitals(size, i)
        for i, size in enumerate(sizes.get(size, size) if isinstance(size, str) else size for size in declared.sizes)
    ]
    return f"--shape {declared.name}={'x'.join(words)}"


def _capitals(size: int | str, axis: int) -> str:
    name = str(size).upper()
    return name if name.isidentifier() else f"N{axis}"
