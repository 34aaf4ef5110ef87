"""The forward and the backward pass of a batch: kernel by kernel, or replayed as one CUDA graph.

A graph is recorded once for each shape of batch and then started as a whole, so that the processor no longer has to name
every kernel of every step: small batches and fast GPUs wait for nothing else (torch.cuda.CUDAGraph).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from domain.config.training import TrainingConfig
from trainer.families.family import Conditions
from trainer.journal import Journal, log
from trainer.losses import losses_of

WARM_UP_PASSES = 3
"""Before recording: libraries choose their kernels and allocate their workspaces at first, which cannot be replayed."""

Shape = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """All that the passes of a batch depend on, besides weights. noisy, target: as latents; timesteps, weights, bends:
    (batch,). masks: see trainer.losses."""

    noisy: Tensor
    timesteps: Tensor
    conditions: Conditions
    target: Tensor
    weights: Tensor
    bends: Tensor
    masks: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        own = {"noisy": self.noisy, "timesteps": self.timesteps, "target": self.target, "weights": self.weights}
        own |= {"bends": self.bends} | ({} if self.masks is None else {"masks": self.masks})
        return own | {f"conditions.{name}": each for name, each in self.conditions.items()}

    def copied(self) -> "Drawn":
        return Drawn(
            noisy=self.noisy.clone(),
            timesteps=self.timesteps.clone(),
            conditions={name: each.clone() for name, each in self.conditions.items()},
            target=self.target.clone(),
            weights=self.weights.clone(),
            bends=self.bends.clone(),
            masks=None if self.masks is None else self.masks.clone(),
        )

    @property
    def shape(self) -> Shape:
        return tuple((f"{name} {each.dtype}", tuple(each.shape)) for name, each in sorted(self.tensors().items()))


Passes = Callable[[Drawn], Tensor]
"""Adds the gradients of a batch's mean loss to those that are there, and returns the loss of each sample, (batch,)."""


def make_passes(
    predictor: nn.Module,
    accelerator: Accelerator,
    parameters: Sequence[nn.Parameter],
    *,
    penalty: Callable[[], Tensor | None],
    config: TrainingConfig,
    journal: Journal,
) -> Passes:
    """penalty: of the family, for the prediction that was made last; it adds to the loss of each sample."""

    def pass_through(drawn: Drawn) -> Tensor:
        prediction = predictor(drawn.noisy, drawn.timesteps, drawn.conditions)
        losses = losses_of(
            prediction,
            drawn.target,
            drawn.weights,
            bends=drawn.bends,
            loss_type=config.loss_type,
            masks=drawn.masks,
        )
        further = penalty()
        losses = losses if further is None else losses + further
        accelerator.backward(losses.mean())
        return losses.detach()

    if not wants_graph(config):
        return pass_through
    reason = _why_no_graph(accelerator, config)
    if reason is not None:
        log(journal, "warning", f"steps are not replayed as one CUDA graph: {reason}")
        return pass_through
    return ReplayedPasses(pass_through, parameters, journal=journal)


def wants_graph(config: TrainingConfig) -> bool:
    return config.dynamo_backend == "cudagraphs" or (
        config.dynamo_backend == "inductor" and config.dynamo_mode == "reduce-overhead"
    )


def _why_no_graph(accelerator: Accelerator, config: TrainingConfig) -> str | None:
    if accelerator.device.type != "cuda":
        return "there is no NVIDIA GPU"
    if accelerator.num_processes > 1:
        return "several processes exchange gradients in between"
    if accelerator.scaler is not None:
        return "fp16 looks at gradients in between; use bf16"
    if config.model_type == "lora" and config.lora_type == "lycoris":
        return "LyCORIS draws on the processor which layers it leaves out"
    if config.gradient_checkpointing:
        return "gradient checkpointing looks at the random state in between; switch it off if memory allows"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    drawn: Drawn
    losses: Tensor


class ReplayedPasses:
    """Gradients are tensors that stay: they have to be set to zero between steps, not taken away."""

    def __init__(self, passes: Passes, parameters: Sequence[nn.Parameter], *, journal: Journal) -> None:
        self._passes = passes
        self._parameters = parameters
        self._journal = journal
        self._recorded: dict[Shape, _Recorded] = {}
        self._gives_up = False

    def __call__(self, drawn: Drawn) -> Tensor:
        if self._gives_up:
            return self._passes(drawn)
        shape = drawn.shape
        if shape not in self._recorded:
            recorded = self._record(drawn)
            if recorded is None:
                return self._passes(drawn)
            self._recorded[shape] = recorded
        recorded = self._recorded[shape]
        given = drawn.tensors()
        for name, tensor in recorded.drawn.tensors().items():
            tensor.copy_(given[name])
        recorded.graph.replay()
        return recorded.losses.clone()

    def _record(self, drawn: Drawn) -> _Recorded | None:
        """None where something in between cannot be recorded; gradients are then as they were."""
        kept, random_state = drawn.copied(), torch.cuda.get_rng_state()
        gradients = self._gradients()
        before = [gradient.clone() for gradient in gradients]
        pool = next((each.graph.pool() for each in self._recorded.values()), None)
        graph = torch.cuda.CUDAGraph()
        try:
            self._warm_up(kept)
            with torch.cuda.graph(graph, pool=pool):
                losses = self._passes(kept)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._gives_up = True
            why = str(error).splitlines()[0][:200]
            log(self._journal, "warning", f"steps are not replayed as one CUDA graph, this model cannot be: {why}")
            return None
        finally:
            torch.cuda.set_rng_state(random_state)
            for gradient, was in zip(gradients, before, strict=True):
                gradient.copy_(was)
        return _Recorded(graph=graph, drawn=kept, losses=losses)

    def _warm_up(self, drawn: Drawn) -> None:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_PASSES):
                self._passes(drawn)
        torch.cuda.current_stream().wait_stream(stream)

    def _gradients(self) -> list[Tensor]:
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]
