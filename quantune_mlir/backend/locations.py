"""Gives all that IREE makes dispatches of a place in a file.

IREE 3.13 writes the source line of each dispatch into the program. Where it finds no file among the locations, it
writes what happens to lie in memory, so that no two programs are the same.
"""

from __future__ import annotations

from quantune_mlir.mlir.bindings import func, hal, ir


def give_places(module: ir.Module) -> None:
    """Let every op outside of executables have a file among its locations, which keep the layers' names."""
    with module.context:
        nowhere = ir.Location.file("", 0, 0)

        def place(op: ir.Operation) -> ir.WalkResult:
            op.location = _placed(op.location, nowhere)
            return ir.WalkResult.ADVANCE

        for op in module.body.operations:
            if isinstance(op, func.FuncOp):
                op.operation.walk(place)
            elif isinstance(op, hal.ExecutableSourceOp):
                for export in op.body.blocks[0].operations:
                    if isinstance(export, hal.ExecutableExportOp):
                        place(export.operation)


def _placed(location: ir.Location, nowhere: ir.Location) -> ir.Location:
    if location == ir.Location.unknown():
        return nowhere
    if isinstance(location, ir.NameLoc):
        return ir.Location.name(location.name_str, nowhere)
    return ir.Location.fused([location, nowhere])
