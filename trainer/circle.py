"""Processes that share work besides steps, such as validation images: what they tell each other, in main memory."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from accelerate import Accelerator
from torch import Tensor

T = TypeVar("T")


class Circle:
    """All processes of a run, or the main one alone; every method is called by all of its members at once.

    is_member: whether this process takes part. rank: 0 for the main one.
    """

    def __init__(self, accelerator: Accelerator, *, is_whole: bool) -> None:
        is_alone = accelerator.num_processes == 1 or not is_whole
        self._group = None if is_alone else torch.distributed.new_group(backend="gloo")
        self.is_member = is_whole or accelerator.is_main_process
        self.rank = 0 if is_alone else accelerator.process_index
        self.size = 1 if is_alone else accelerator.num_processes

    def told(self, value: T) -> T:
        """What the main process says."""
        if self._group is None:
            return value
        told = [value]
        torch.distributed.broadcast_object_list(told, src=0, group=self._group)
        return told[0]

    def told_tensors(self, tensors: Sequence[Tensor] | None, *, like: Sequence[Tensor]) -> Sequence[Tensor]:
        """Those of the main process, in fp32; like: tensors of the same shapes."""
        if self._group is None:
            return tensors or ()
        told = (
            [torch.empty_like(each, device="cpu", dtype=torch.float32) for each in like] if tensors is None else tensors
        )
        for each in told:
            torch.distributed.broadcast(each.cpu(), src=0, group=self._group)
        return told

    def gathered(self, value: T) -> list[T]:
        """In the main process: of all, by rank. In the others: nothing."""
        if self._group is None:
            return [value]
        gathered: list[T | None] | None = [None] * self.size if self.rank == 0 else None
        torch.distributed.gather_object(value, gathered, dst=0, group=self._group)
        return [] if gathered is None else gathered  # type: ignore[return-value]  # all have come
