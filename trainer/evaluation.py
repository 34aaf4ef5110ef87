"""The held-out loss: of the same pictures and clips, at the same timesteps, with the same noise, whenever it is measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from domain.config.training import TrainingConfig
from trainer.data.encoding import LATENTS, Encoder, EncodingFamily, geometry_of
from trainer.data.held_out import HeldOut
from trainer.data.pictures import UnreadablePicture
from trainer.data.reading import read
from trainer.devices import free_memory
from trainer.errors import TrainingError, explain, is_out_of_memory
from trainer.families.family import ModelFamily, TextEmbeds
from trainer.inbox import Inbox
from trainer.intervals import Interval
from trainer.journal import Journal, Phase, log, phase
from trainer.losses import bends, losses_of
from trainer.objective import draw_noise
from trainer.randomness import seed_for


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutPicture:
    """One picture or clip, encoded, in main memory; without a batch dimension. beginnings: see ModelFamily.encode_beginnings."""

    dataset: str
    seed: int
    latents: Tensor
    geometry: Tensor
    text_embeds: TextEmbeds
    beginnings: dict[str, Tensor]


class Evaluation:
    """Measures in the main process alone. Nothing that training draws depends on it."""

    def __init__(
        self,
        config: TrainingConfig,
        pictures: Sequence[HeldOutPicture],
        family: ModelFamily,
        *,
        device: torch.device,
        steps_per_epoch: int,
        journal: Journal,
        inbox: Inbox,
        is_wanted: bool,
    ) -> None:
        """is_wanted: in all processes alike, though only the main one has pictures."""
        self._config = config
        self._pictures = pictures
        self._family = family
        self._device = device
        self._interval = Interval(
            steps=config.eval_steps_interval, epochs=config.eval_epoch_interval, steps_per_epoch=steps_per_epoch
        )
        self._has_interval = config.eval_steps_interval is not None or config.eval_epoch_interval is not None
        self._journal = journal
        self._inbox = inbox
        self._is_wanted = is_wanted

    def is_due(self, step: int, *, is_last: bool, is_saved: bool) -> bool:
        """is_saved: there will be a checkpoint, which it is measured for when nothing else is said."""
        if not self._is_wanted:
            return False
        return is_last or (self._interval.is_due(step) if self._has_interval else is_saved)

    def run(self, predictor: nn.Module) -> dict[str, float]:
        """Mean losses by the name of their metric; none when a stop was asked for meanwhile, or memory ran out."""
        if not self._pictures:
            return {}
        with phase(self._journal, "evaluate", total=len(self._pictures)) as progress:
            try:
                return self._run(predictor, progress)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                log(self._journal, "warning", f"{explain(error, phase='evaluate')}; training goes on without it")
        free_memory()
        return {}

    def _run(self, predictor: nn.Module, progress: Phase) -> dict[str, float]:
        losses: dict[str, list[Tensor]] = {}
        predictor.eval()
        try:
            with torch.no_grad(), torch.compiler.set_stance("force_eager"):
                for picture in self._pictures:
                    if self._inbox.wants_stop():
                        return {}
                    losses.setdefault(picture.dataset, []).append(self._measure(predictor, picture))
                    progress.advance()
        finally:
            predictor.train()
        return self._named(losses)

    def _measure(self, predictor: nn.Module, picture: HeldOutPicture) -> Tensor:
        """The mean loss over all timesteps, a scalar on the device."""
        schedule = self._family.schedule
        timesteps = schedule.fixed_timesteps(self._config.eval_timesteps, device=self._device)
        told = {**picture.text_embeds, **picture.beginnings}
        losses = []
        for first in range(0, len(timesteps), self._config.train_batch_size):
            chosen = timesteps[first : first + self._config.train_batch_size]
            places = range(first, first + len(chosen))
            latents = _repeated(picture.latents, len(chosen)).to(self._device)
            noise = draw_noise(
                [seed_for("eval_noise", picture.seed, place) for place in places],
                shape=picture.latents.shape,
                device=self._device,
            )
            conditions = self._family.conditions(
                {name: _repeated(each, len(chosen)).to(self._device) for name, each in told.items()},
                geometry=_repeated(picture.geometry, len(chosen)).to(self._device),
                seeds=[seed_for("eval_condition", picture.seed, place) for place in places],
            )
            prediction = predictor(schedule.add_noise(latents, noise, chosen), chosen, conditions)
            losses.append(
                losses_of(
                    prediction,
                    schedule.target(latents, noise, chosen),
                    schedule.loss_weights(chosen),
                    bends=bends(self._config, schedule, chosen),
                    loss_type=self._config.loss_type,
                )
            )
        return torch.cat(losses).mean()

    def _named(self, losses: dict[str, list[Tensor]]) -> dict[str, float]:
        everything = [loss for each in losses.values() for loss in each]
        named = {"eval_loss": torch.stack(everything).mean()}
        if len(losses) > 1 and not self._config.eval_dataset_pooling:
            named |= {f"eval_loss/{dataset}": torch.stack(each).mean() for dataset, each in losses.items()}
        return dict(zip(named, torch.stack(list(named.values())).tolist(), strict=True))


def encode_held_out(
    held_out: Sequence[HeldOut], family: EncodingFamily, *, device: torch.device, journal: Journal
) -> Iterator[HeldOutPicture]:
    """Raises TrainingError when no picture or video of a dataset can be read."""
    encoder = Encoder(family, batch_size=1, device=device)
    captions = {sample.captions[0]: None for each in held_out for sample in each.samples}
    text_embeds = {caption: encoder.encode_caption(caption) for caption in captions}
    with phase(journal, "encode_held_out", total=sum(len(each.samples) for each in held_out)) as progress:
        for each in held_out:
            num_readable = 0
            for sample, seed in zip(each.samples, each.seeds, strict=True):
                progress.advance()
                try:
                    seen = read(sample.picture, sample.placement)
                except UnreadablePicture as error:
                    log(journal, "warning", f"not measured: {error}")
                    continue
                num_readable += 1
                encoded = dict(encoder.encode([seen])[0])
                yield HeldOutPicture(
                    dataset=each.dataset,
                    seed=seed,
                    latents=encoded.pop(LATENTS),
                    geometry=geometry_of(sample.placement),
                    text_embeds=text_embeds[sample.captions[0]],
                    beginnings=encoded,
                )
            if num_readable == 0:
                contents = "pictures" if each.samples[0].placement.frames is None else "videos"
                raise TrainingError(
                    f"none of the {len(each.samples)} {contents} of dataset {each.dataset!r} can be read; "
                    "mend them, or switch eval_loss_disable on"
                )


def _repeated(tensor: Tensor, times: int) -> Tensor:
    """With a batch dimension."""
    return torch.stack([tensor] * times)
