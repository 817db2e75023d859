"""The file of tiles that `quantune tune` found to be quicker than the model's on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from quantune_mlir.errors import TilesError
from quantune_mlir.files import yaml_file
from quantune_mlir.hardware.isa_names import IsaName
from quantune_mlir.kernels.emit.convolution_shapes import ConvolutionShape
from quantune_mlir.kernels.isa.by_name import kernel_isa
from quantune_mlir.kernels.tiling.tiles import Tile, Workgroup
from quantune_mlir.kernels.tiling.tuning import Kernel, Precision, Tiling, misfits

_REMEDY = "run `quantune tune` again, or delete the entry"

_Size = Annotated[int, Field(ge=1, strict=True)]
_Pair = tuple[_Size, _Size]
_Triple = tuple[_Size, _Size, _Size]


@dataclass(frozen=True)
class TunedKernel:
    """A kernel, and what is best for it.

    Attributes:
        kernel: the convolution.
        tiling: how it is cut.
        speedup: the model's time over that of `tiling`, for the reader.
    """

    kernel: Kernel
    tiling: Tiling
    speedup: float


class _Entry(BaseModel):
    """A TunedKernel as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    precision: Precision
    in_words: bool = False
    input: tuple[_Size, _Size, _Size, _Size]
    output: _Triple
    kernel: _Pair
    stride: _Pair
    dilation: _Pair
    pad: tuple[int, int]
    groups: _Size = 1
    tile: _Triple
    workgroup: _Triple
    speedup: float = 1.0

    @staticmethod
    def of(tuned: TunedKernel) -> _Entry:
        shape, tile, group = tuned.kernel.shape, tuned.tiling.tile, tuned.tiling.workgroup
        return _Entry(
            precision=tuned.kernel.precision,
            in_words=tuned.kernel.in_words,
            input=(shape.batch, shape.height, shape.width, shape.channels),
            output=(shape.out_height, shape.out_width, shape.out_channels),
            kernel=shape.kernel,
            stride=shape.stride,
            dilation=shape.dilation,
            pad=shape.pad,
            groups=shape.groups,
            tile=(tile.rows, tile.columns, tile.vectors),
            workgroup=(group.rows, group.columns, group.splits),
            speedup=tuned.speedup,
        )

    def tuned(self) -> TunedKernel:
        sizes = (*self.input, *self.output)
        shape = ConvolutionShape(*sizes, self.kernel, self.stride, self.dilation, self.pad, self.groups)
        tiling = Tiling(Tile(*self.tile), Workgroup(*self.workgroup))
        return TunedKernel(Kernel(self.precision, shape, self.in_words), tiling, self.speedup)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1]
    isa: IsaName
    cpu: str = ""
    kernels: tuple[_Entry, ...] = ()


@dataclass(frozen=True)
class TunedTiles:
    """Tilings by kernel; a kernel that has none is cut as the model says.

    Attributes:
        isa: the instruction set that they were measured with.
        cpu: where, for the reader.
        kernels: what was found.
        where: the file, for errors.
    """

    isa: str
    cpu: str = ""
    kernels: tuple[TunedKernel, ...] = ()
    where: str | None = field(default=None, compare=False)

    def get(self, kernel: Kernel) -> Tiling | None:
        """How to cut a kernel, if that was found."""
        return self._tilings.get(kernel)

    def require(self, isa: str) -> None:
        """Raises TilesError if the tiles are for another instruction set."""
        if isa != self.isa:
            raise TilesError(
                f"these tiles were measured with {self.isa}, the target has {isa}",
                where=self.where,
                remedy="run `quantune tune` for this target, or leave the file out",
            )

    def to_yaml(self) -> str:
        """The file's text: the same for the same tiles."""
        entries = tuple(map(_Entry.of, self.kernels))
        file = _File.model_validate({"format": 1, "isa": self.isa, "cpu": self.cpu, "kernels": entries})
        return yaml_file.dump(file.model_dump(mode="json"), inline_lists=True)

    @staticmethod
    def from_yaml(text: str, where: str | None = None) -> TunedTiles:
        """Read what `to_yaml` or a person wrote.

        Raises:
            TilesError: malformed, a kernel listed twice, or tiles that cannot be computed; with the line.
        """
        what = "a file of tuned tiles of format 1"
        file = yaml_file.parse(text, _File, error=TilesError, where=where, what=what)
        tuned = tuple(entry.tuned() for entry in file.kernels)
        for problem, index in _problems(tuned, file.isa):
            line = yaml_file.line_of(text, "kernels", index)
            raise TilesError(f"line {line}: {tuned[index].kernel}: {problem}", where=where, remedy=_REMEDY)
        return TunedTiles(file.isa, file.cpu, tuned, where)

    @staticmethod
    def load(path: Path | str) -> TunedTiles:
        """Read a file; raises TilesError as `from_yaml`, and if the file cannot be read."""
        return TunedTiles.from_yaml(yaml_file.read(path, error=TilesError), where=str(path))

    @cached_property
    def _tilings(self) -> dict[Kernel, Tiling]:
        return {tuned.kernel: tuned.tiling for tuned in self.kernels}


def _problems(kernels: Iterable[TunedKernel], isa: str) -> Iterable[tuple[str, int]]:
    """What is wrong with an entry, and which one it is."""
    seen: set[Kernel] = set()
    for index, tuned in enumerate(kernels):
        if tuned.kernel in seen:
            yield "this kernel is listed twice", index
        seen.add(tuned.kernel)
        for problem in misfits(tuned.kernel, tuned.tiling, kernel_isa(isa)):
            yield problem, index
