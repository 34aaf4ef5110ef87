"""How much memory the passes of a network need beside its weights, without a GPU and without computing anything.

On the meta device every operation yields shapes and types but no numbers. What is alive at each moment is counted, so
that a training step of 20 billion parameters takes seconds on a laptop. CUDA's mixed precision, whose lists of
operations are public, and attention that keeps no score matrix are imitated; workspaces of kernels and the allocator's
gaps are not. Compared with peaks measured on GPUs it is a few per cent low: tests/domain/test_memory.py.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.checkpoint import checkpoint

IN_HALF = frozenset(
    {"conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul"}
    | {"__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm", "addbmm", "einsum", "prelu"}
)
IN_FULL = frozenset(
    {
        "acos",
        "asin",
        "cosh",
        "exp",
        "expm1",
        "log",
        "log10",
        "log2",
        "log1p",
        "reciprocal",
        "rsqrt",
        "sinh",
        "tan",
        "pow",
    }
    | {"__pow__", "__rpow__", "softplus", "layer_norm", "group_norm", "norm", "cosine_similarity", "mse_loss", "prod"}
    | {"softmax", "log_softmax", "cumprod", "cumsum", "sum", "upsample_nearest2d"}
)
BLOCK_BYTES = 512
"""What CUDA's allocator rounds every piece up to."""


class MixedPrecision(TorchFunctionMode):
    """torch.autocast as it is on CUDA, by the names of its operations; None: everything stays as it is."""

    def __init__(self, half: torch.dtype | None) -> None:
        super().__init__()
        self._half = half

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        wanted = self._half if name in IN_HALF else torch.float32 if name in IN_FULL else None
        if wanted is None or self._half is None:
            return func(*args, **(kwargs or {}))

        def cast(each: Any) -> Any:
            is_other = isinstance(each, Tensor) and each.is_floating_point() and each.dtype != wanted
            return each.to(wanted) if is_other else each

        with torch._C.DisableTorchFunction():
            args, kwargs = tree_map(cast, args), tree_map(cast, kwargs or {})
        return func(*args, **kwargs)


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of storages that operations made and that are still referred to."""

    def __init__(self, known: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now: int = 0
        self.peak: int = 0
        self._sizes = {each.untyped_storage()._cdata: 0 for each in known}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for each in tree_iter(out):
            if isinstance(each, Tensor):
                self._count(each.untyped_storage())
        return out

    def _count(self, storage: Any) -> None:
        key = storage._cdata
        if key in self._sizes:
            return
        self._sizes[key] = -(-storage.nbytes() // BLOCK_BYTES) * BLOCK_BYTES
        self.now += self._sizes[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def _attention(half: torch.dtype | None) -> Callable[..., Tensor]:
    def attend(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if half is not None:
            query, key, value = (each.to(half) for each in (query, key, value))
        if enable_gqa:
            repeats = query.shape[1] // key.shape[1]
            key, value = (each.repeat_interleave(repeats, 1) for each in (key, value))
        out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, False, scale=scale
        )[0]
        return out

    return attend


class _FusedRmsNorm(torch.autograd.Function):
    """CUDA's: keeps its input and one number for each row, where the meta device would keep every step of the formula."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, values.new_empty((*values.shape[:-1], 1), dtype=torch.float32), weight)
        return torch.empty_like(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None]:
        values, _, weight = ctx.saved_tensors
        of_weight = torch.empty_like(weight) if weight is not None and ctx.needs_input_grad[1] else None
        return torch.empty_like(values), of_weight


def _rms_norm(values: Tensor, shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    out: Tensor = _FusedRmsNorm.apply(values, weight)  # type: ignore[no-untyped-call]
    return out


@contextmanager
def _imitating(half: torch.dtype | None) -> Iterator[None]:
    with (
        patch.object(functional, "scaled_dot_product_attention", _attention(half)),
        patch.object(functional, "rms_norm", _rms_norm),
        patch.object(torch, "autocast", lambda *_, **__: nullcontext()),
        MixedPrecision(half),
    ):
        yield


def enable_checkpointing(network: nn.Module, half: torch.dtype | None) -> None:
    """As diffusers does it; what is computed again is in mixed precision again."""

    def run(module: Any, *args: Any) -> Any:
        contexts = (lambda: (nullcontext(), MixedPrecision(half))) if half is not None else None
        call = module.__call__ if isinstance(module, nn.Module) else module
        if contexts is None:
            return checkpoint(call, *args, use_reentrant=False)
        return checkpoint(call, *args, use_reentrant=False, context_fn=contexts)

    network.enable_gradient_checkpointing(run)  # type: ignore[operator]


def peak_of_training(network: nn.Module, inputs: Mapping[str, Any], *, half: torch.dtype | None) -> int:
    """Bytes beside weights, gradients and the optimizer's state, at the worst moment of a forward and backward pass."""
    for parameter in network.parameters():
        parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
    known = [*network.parameters(), *network.buffers(), *(each for each in tree_iter(dict(inputs)) if _is_tensor(each))]
    known += [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    with torch.device("meta"), Alive(known) as alive, _imitating(half):
        out = network(**inputs, return_dict=False)[0]
        out = out[0] if isinstance(out, list) else out
        functional.mse_loss(out.float(), torch.empty(out.shape)).backward()  # type: ignore[no-untyped-call]
        del out
    peak: int = alive.peak
    return peak


def peak_of_inference(run: Callable[[], Any], known: Sequence[Tensor], *, half: torch.dtype | None = None) -> int:
    with torch.device("meta"), torch.no_grad(), Alive(known) as alive, _imitating(half):
        run()
    peak: int = alive.peak
    return peak


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)
