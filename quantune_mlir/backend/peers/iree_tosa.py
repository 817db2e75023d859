"""`iree-tosa`: our own int8 program as pure TOSA, compiled by stock iree-compile."""

from __future__ import annotations

import hashlib

from quantune_mlir.backend.peers.job import Job, Starter
from quantune_mlir.backend.peers.stock_iree import stock_program


def prepare(job: Job) -> Starter:
    """See `preparation`."""
    source = job.int8_tosa()
    return stock_program("iree-tosa", job, hashlib.sha256(source).hexdigest(), lambda: source, [job.target.flags])
