"""The loss of one batch as diffusers' own training examples compute it, or as the pipeline does where there is none.

Written from what the examples publish, with the pipeline's parts alone: nothing of the trainer is called.
"""

import inspect
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor
from torch.nn.functional import mse_loss, pixel_unshuffle


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """A batch of pictures, (batch, 3, 64, 64) from -1 to 1, with their captions and the noise that is added. Of videos, pixels
    are (batch, 3, frames, 64, 64), and frame_rate is how many make a second.

    sizes: of the pictures before they were cut to centred squares, (width, height). noise: for latents of the given shape.
    drawn: for each picture, what the generator of its seed gives. num_tokens: how many of a caption are read.
    """

    pixels: Tensor
    captions: Sequence[str]
    sizes: Sequence[tuple[int, int]]
    noise: Callable[[Sequence[int]], Tensor]
    drawn: Sequence[torch.Generator]
    num_tokens: int
    frame_rate: int = 25

    @property
    def videos(self) -> Tensor:
        return self.pixels if self.pixels.ndim == 5 else self.pixels.unsqueeze(2)

    def timesteps(self, num_timesteps: int) -> Tensor:
        return torch.cat([torch.randint(num_timesteps, (1,), generator=each) for each in self.drawn])

    def sigmas(self, *, shift: float) -> Tensor:
        """Sigmoids of normal numbers, shifted towards noise."""
        sigmas = torch.sigmoid(torch.stack([torch.randn((), generator=each) for each in self.drawn]))
        return shift * sigmas / (1 + (shift - 1) * sigmas)

    def sigmas_within(self, is_within: Callable[[float], bool], *, shift: float) -> Tensor:
        """The first of each generator that are within."""
        found = []
        for each in self.drawn:
            while True:
                sigma = torch.sigmoid(torch.randn((), generator=each))
                sigma = shift * sigma / (1 + (shift - 1) * sigma)
                if is_within(sigma.item()):
                    found.append(sigma)
                    break
        return torch.stack(found)


Recipe = Callable[[Any, Fixed], Tensor]


def stable_diffusion(pipe: Any, fixed: Fixed) -> Tensor:
    """train_text_to_image.py with --snr_gamma 5."""
    latents = _scaled_latents(pipe, fixed)
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    noise, timesteps = fixed.noise(latents.shape[1:]), fixed.timesteps(scheduler.config.num_train_timesteps)
    prediction = pipe.unet(
        scheduler.add_noise(latents, noise, timesteps),
        timesteps,
        _clip(pipe.tokenizer, pipe.text_encoder, fixed.captions).last_hidden_state,
    ).sample
    return _weighted(scheduler, prediction, _diffusion_target(scheduler, latents, noise, timesteps), timesteps)


def sdxl(pipe: Any, fixed: Fixed) -> Tensor:
    """train_text_to_image_lora_sdxl.py."""
    _, prediction, target, _ = _sdxl(pipe, fixed)
    return mse_loss(prediction, target)


def sdxl_of_v(pipe: Any, fixed: Fixed) -> Tensor:
    """The same with --snr_gamma 5, of weights whose scheduler says that they predict v."""
    return _weighted(*_sdxl(pipe, fixed))


def _sdxl(pipe: Any, fixed: Fixed) -> tuple[Any, Tensor, Tensor, Tensor]:
    latents = _scaled_latents(pipe, fixed)
    first = _clip(pipe.tokenizer, pipe.text_encoder, fixed.captions)
    second = _clip(pipe.tokenizer_2, pipe.text_encoder_2, fixed.captions)
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    noise, timesteps = fixed.noise(latents.shape[1:]), fixed.timesteps(scheduler.config.num_train_timesteps)
    prediction = pipe.unet(
        scheduler.add_noise(latents, noise, timesteps),
        timesteps,
        torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1),
        added_cond_kwargs={"text_embeds": second.text_embeds, "time_ids": _time_ids(fixed)},
    ).sample
    return scheduler, prediction, _diffusion_target(scheduler, latents, noise, timesteps), timesteps


def _diffusion_target(scheduler: Any, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    if scheduler.config.prediction_type == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(latents, noise, timesteps)
    return velocity


def _weighted(scheduler: Any, prediction: Tensor, target: Tensor, timesteps: Tensor) -> Tensor:
    """Min-SNR with gamma 5."""
    snr = scheduler.alphas_cumprod[timesteps] / (1 - scheduler.alphas_cumprod[timesteps])
    divisor = snr if scheduler.config.prediction_type == "epsilon" else snr + 1
    each = mse_loss(prediction, target, reduction="none").mean(dim=(1, 2, 3))
    loss: Tensor = (each * snr.clamp(max=5) / divisor).mean()
    return loss


def kolors(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts, which is as SDXL does."""
    latents = _scaled_latents(pipe, fixed)
    told = pipe.tokenizer(
        list(fixed.captions), padding="max_length", max_length=fixed.num_tokens, truncation=True, return_tensors="pt"
    )
    states = pipe.text_encoder(**told, output_hidden_states=True).hidden_states
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    noise, timesteps = fixed.noise(latents.shape[1:]), fixed.timesteps(scheduler.config.num_train_timesteps)
    prediction = pipe.unet(
        scheduler.add_noise(latents, noise, timesteps),
        timesteps,
        states[-2].transpose(0, 1),
        added_cond_kwargs={"text_embeds": states[-1][-1], "time_ids": _time_ids(fixed)},
    ).sample
    return mse_loss(prediction, noise)


def flux(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_flux.py, with guidance 3.5, and noise levels shifted as the pipeline does at this size."""
    guidance = torch.full((len(fixed.captions),), 3.5)
    # 16 tokens, on the line from 0.5 at 256 to 1.15 at 4096.
    shift = math.exp(0.5 + (16 - 256) / (4096 - 256) * (1.15 - 0.5))
    return _flux(pipe, fixed, sigmas=fixed.sigmas(shift=shift), guidance=guidance)


def flux_schnell(pipe: Any, fixed: Fixed) -> Tensor:
    """The same without guidance; the sampler's four noise levels, the first one seven times as often."""
    levels = [1.0] * 7 + [0.75, 0.5, 0.25]
    sigmas = torch.tensor([random.Random(each.initial_seed()).choice(levels) for each in fixed.drawn])
    return _flux(pipe, fixed, sigmas=sigmas, guidance=None)


def _flux(pipe: Any, fixed: Fixed, *, sigmas: Tensor, guidance: Tensor | None) -> Tensor:
    latents = _scaled_latents(pipe, fixed)
    noise = fixed.noise(latents.shape[1:])
    embeds = _t5(pipe.tokenizer_2, pipe.text_encoder_2, fixed)
    prediction = pipe.transformer(
        hidden_states=_packed(_noised(latents, noise, sigmas)),
        timestep=sigmas,
        guidance=guidance,
        pooled_projections=_clip(pipe.tokenizer, pipe.text_encoder, fixed.captions).pooler_output,
        encoder_hidden_states=embeds,
        txt_ids=torch.zeros(fixed.num_tokens, 3),
        img_ids=torch.tensor([[0.0, row, column] for row in range(4) for column in range(4)]),
    ).sample
    return mse_loss(prediction, _packed(noise - latents))


def sd3(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_sd3.py, without its preconditioning of outputs."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    clips = [
        _clip(tokenizer, encoder, fixed.captions)
        for tokenizer, encoder in ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
    ]
    t5 = _t5(pipe.tokenizer_3, pipe.text_encoder_3, fixed)
    layers = torch.cat([clip.hidden_states[-2] for clip in clips], dim=-1)
    filled = torch.nn.functional.pad(layers, (0, t5.shape[-1] - layers.shape[-1]))
    prediction = pipe.transformer(
        hidden_states=_noised(latents, noise, sigmas),
        timestep=1000 * sigmas,
        encoder_hidden_states=torch.cat([filled, t5], dim=1),
        pooled_projections=torch.cat([clip.text_embeds for clip in clips], dim=-1),
    ).sample
    return mse_loss(prediction, noise - latents)


def z_image(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_z_image.py, each caption alone and without padding."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    noisy = _noised(latents, noise, sigmas)
    predictions = []
    for place, embeds in enumerate(_alone(pipe, fixed)):
        time = (1000 - 1000 * sigmas[place : place + 1]) / 1000
        (prediction,) = pipe.transformer([noisy[place].unsqueeze(1)], time, [embeds], return_dict=False)[0]
        predictions.append(-prediction.squeeze(1))
    return mse_loss(torch.stack(predictions), noise - latents)


def z_image_omni(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts when it begins with no pictures: each sample is a list of one picture, which is noisy."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    noisy = _noised(latents, noise, sigmas)
    predictions = []
    for place, embeds in enumerate(_alone(pipe, fixed)):
        told = {"siglip_feats": [None], "image_noise_mask": [[1]]}
        time = (1000 - 1000 * sigmas[place : place + 1]) / 1000
        (prediction,) = pipe.transformer([[noisy[place].unsqueeze(1)]], time, [[embeds]], **told, return_dict=False)[0]
        predictions.append(-prediction.squeeze(1))
    return mse_loss(torch.stack(predictions), noise - latents)


def _alone(pipe: Any, fixed: Fixed) -> Iterator[Tensor]:
    """The last layer but one of Qwen3, of each caption without padding."""
    for caption in fixed.captions:
        told = f"<|im_start|>user\n{caption}<|im_end|>\n<|im_start|>assistant\n"
        ids = pipe.tokenizer(told, return_tensors="pt").input_ids
        yield pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-2][0]


def qwen_image(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_qwen_image.py, each caption alone and without padding."""
    latents = _frame_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    packed = _packed(_noised(latents, noise, sigmas))
    predictions = []
    for place, caption in enumerate(fixed.captions):
        ids = pipe.tokenizer(pipe.prompt_template_encode.format(caption), return_tensors="pt").input_ids
        embeds = pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-1][:, 34:]
        predictions.append(
            pipe.transformer(
                hidden_states=packed[place : place + 1],
                encoder_hidden_states=embeds,
                encoder_hidden_states_mask=torch.ones(embeds.shape[:2]),
                timestep=sigmas[place : place + 1],
                img_shapes=[[(1, 4, 4)]],
                return_dict=False,
            )[0]
        )
    return mse_loss(torch.cat(predictions), _packed(noise - latents))


def flux2(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_flux2.py, with guidance 3.5, and noise levels shifted as the pipeline does at this size in the 50
    steps that are usual, however many pictures of the run have."""
    # 16 tokens: the line through 10 and 200 steps, each of which is a line of the tokens.
    at_10, at_200 = 8.73809524e-05 * 16 + 1.89833333, 0.00016927 * 16 + 0.45666666
    shift = math.exp(at_10 + (50 - 10) * (at_200 - at_10) / 190)
    told = [
        [
            {"role": "system", "content": [{"type": "text", "text": pipe.system_message}]},
            {"role": "user", "content": [{"type": "text", "text": caption}]},
        ]
        for caption in fixed.captions
    ]
    chats = pipe.tokenizer.apply_chat_template(told, tokenize=False)
    embeds = _three_layers(pipe, fixed, chats, (10, 20, 30))
    return _flux2(pipe, fixed, embeds, sigmas=fixed.sigmas(shift=shift), guidance=torch.full((2,), 3.5))


def flux2_klein(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_flux2_klein.py: without guidance."""
    told = [[{"role": "user", "content": caption}] for caption in fixed.captions]
    chats = pipe.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    embeds = _three_layers(pipe, fixed, chats, (9, 18, 27))
    return _flux2(pipe, fixed, embeds, sigmas=fixed.sigmas(shift=3.0), guidance=None)


def _flux2(pipe: Any, fixed: Fixed, embeds: Tensor, *, sigmas: Tensor, guidance: Tensor | None) -> Tensor:
    latents = _flux2_latents(pipe, fixed)
    noise = fixed.noise(latents.shape[1:])
    prediction = pipe.transformer(
        hidden_states=_noised(latents, noise, sigmas).flatten(2).transpose(1, 2),
        timestep=sigmas,
        guidance=guidance,
        encoder_hidden_states=embeds,
        txt_ids=torch.tensor([[0, 0, 0, place] for place in range(embeds.shape[1])]),
        img_ids=torch.tensor([[0, row, column, 0] for row in range(4) for column in range(4)]),
    ).sample
    return mse_loss(prediction, (noise - latents).flatten(2).transpose(1, 2))


def chroma(pipe: Any, fixed: Fixed) -> Tensor:
    """As the publisher's own trainer (lodestone-rock/flow): of the padding, the transformer sees the first token alone, and
    the rest not at all. Where diffusers' pipeline means the same, it adds the mask to attention as numbers."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    embeds, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    seen = torch.nn.functional.pad(mask, (1, 0), value=1)[:, :-1]
    prediction = pipe.transformer(
        hidden_states=_packed(_noised(latents, noise, sigmas)),
        timestep=sigmas,
        encoder_hidden_states=embeds,
        txt_ids=torch.zeros(fixed.num_tokens, 3),
        img_ids=torch.tensor([[0.0, row, column] for row in range(4) for column in range(4)]),
        attention_mask=torch.cat([seen, torch.ones(len(seen), 16)], dim=1).bool(),
    ).sample
    return mse_loss(prediction, _packed(noise - latents))


def pixart(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts: noise, and a variance that is left out."""
    latents = _scaled_latents(pipe, fixed)
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    noise, timesteps = fixed.noise(latents.shape[1:]), fixed.timesteps(scheduler.config.num_train_timesteps)
    embeds, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    prediction = pipe.transformer(
        scheduler.add_noise(latents, noise, timesteps),
        encoder_hidden_states=embeds,
        encoder_attention_mask=mask,
        timestep=timesteps,
        added_cond_kwargs={"resolution": None, "aspect_ratio": None},
    ).sample
    return mse_loss(prediction.chunk(2, dim=1)[0], noise)


def sana(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_sana.py, whose instruction is the default of the pipeline."""
    latents = pipe.vae.encode(fixed.pixels).latent * pipe.vae.config.scaling_factor
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    instruction = inspect.signature(type(pipe).__call__).parameters["complex_human_instruction"].default
    embeds, mask, _, _ = pipe.encode_prompt(
        list(fixed.captions), max_sequence_length=fixed.num_tokens, complex_human_instruction=instruction
    )
    prediction = pipe.transformer(
        hidden_states=_noised(latents, noise, sigmas),
        encoder_hidden_states=embeds,
        encoder_attention_mask=mask,
        timestep=1000 * sigmas,
    ).sample
    return mse_loss(prediction, noise - latents)


def auraflow(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts: padding becomes zeros, and time runs from 0 to 1."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    embeds, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    prediction = pipe.transformer(
        _noised(latents, noise, sigmas), encoder_hidden_states=embeds * mask.unsqueeze(-1), timestep=sigmas
    ).sample
    return mse_loss(prediction, noise - latents)


def lumina2(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_lumina2.py: the weight of the picture is its time, and it predicts latents minus noise."""
    latents = _scaled_latents(pipe, fixed)
    noise, times = fixed.noise(latents.shape[1:]), 1 - fixed.sigmas(shift=3.0)
    instruction = (
        "You are an assistant designed to generate superior images with the superior degree of image-text alignment "
        "based on textual prompts or user prompts."
    )
    embeds, mask, _, _ = pipe.encode_prompt(
        list(fixed.captions), max_sequence_length=fixed.num_tokens, system_prompt=instruction
    )
    weights = times.view(-1, 1, 1, 1)
    prediction = pipe.transformer(
        hidden_states=weights * latents + (1 - weights) * noise,
        encoder_hidden_states=embeds,
        encoder_attention_mask=mask,
        timestep=times,
    ).sample
    return mse_loss(prediction, latents - noise)


def hidream(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_hidream.py: it predicts latents minus noise."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    clips = [
        _clip(tokenizer, encoder, fixed.captions, num_tokens=fixed.num_tokens).text_embeds
        for tokenizer, encoder in ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
    ]
    t5, _ = _masked_t5(pipe.tokenizer_3, pipe.text_encoder_3, fixed)
    told = pipe.tokenizer_4(
        list(fixed.captions), padding="max_length", max_length=fixed.num_tokens, truncation=True, return_tensors="pt"
    )
    llama = pipe.text_encoder_4(
        input_ids=told.input_ids, attention_mask=told.attention_mask, output_hidden_states=True
    ).hidden_states
    prediction = pipe.transformer(
        hidden_states=_noised(latents, noise, sigmas),
        timesteps=1000 * sigmas,
        encoder_hidden_states_t5=t5,
        encoder_hidden_states_llama3=torch.stack(llama[1:]),
        pooled_embeds=torch.cat(clips, dim=-1),
    ).sample
    return mse_loss(prediction, latents - noise)


def cosmos(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts the picture of x + s noise, with the loss of the picture weighted by (1 + s)^2 / s^2, as
    NVIDIA's cosmos-predict2 weighs it (RectifiedFlowScaling)."""
    latents = _frame_latents(pipe, fixed)
    noise, flow = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=1.0)
    embeds, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    sigmas = (flow / (1 - flow)).view(-1, 1, 1, 1)
    noisy, times = latents + sigmas * noise, sigmas / (1 + sigmas)
    prediction = pipe.transformer(
        hidden_states=((1 - times) * noisy).unsqueeze(2),
        timestep=times.flatten(),
        encoder_hidden_states=embeds * mask.unsqueeze(-1),
        padding_mask=torch.zeros(1, 1, 64, 64),
    ).sample.squeeze(2)
    pictures = (1 - times) * noisy - times * prediction
    errors: Tensor = (pictures - latents) ** 2 * ((1 + sigmas) / sigmas) ** 2
    return errors.mean()


def ernie(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts, each caption alone and without padding."""
    latents = _flux2_latents(pipe, fixed, eps=1e-5)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    noisy = _noised(latents, noise, sigmas)
    predictions = []
    for place, caption in enumerate(fixed.captions):
        ids = pipe.tokenizer(caption, return_tensors="pt").input_ids
        embeds = pipe.text_encoder(input_ids=ids, output_hidden_states=True).hidden_states[-2]
        predictions.append(
            pipe.transformer(
                hidden_states=noisy[place : place + 1],
                timestep=1000 * sigmas[place : place + 1],
                text_bth=embeds,
                text_lens=torch.tensor([embeds.shape[1]]),
            ).sample
        )
    return mse_loss(torch.cat(predictions), noise - latents)


def longcat_image(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts, with positions of the picture that follow those of the text."""
    latents = _scaled_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    around = [
        pipe.tokenizer(text).input_ids
        for text in (pipe.prompt_template_encode_prefix, pipe.prompt_template_encode_suffix)
    ]
    ids, masks = [], []
    for caption in fixed.captions:
        read = pipe.tokenizer(caption).input_ids[: fixed.num_tokens]
        padding = fixed.num_tokens - len(read)
        ids.append(around[0] + read + padding * [pipe.tokenizer.pad_token_id] + around[1])
        masks.append([1] * len(around[0] + read) + [0] * padding + [1] * len(around[1]))
    states = pipe.text_encoder(
        input_ids=torch.tensor(ids), attention_mask=torch.tensor(masks), output_hidden_states=True
    ).hidden_states[-1]
    begin = fixed.num_tokens
    prediction = pipe.transformer(
        hidden_states=_packed(_noised(latents, noise, sigmas)),
        timestep=sigmas,
        encoder_hidden_states=states[:, len(around[0]) : -len(around[1])],
        txt_ids=torch.tensor([[0.0, place, place] for place in range(fixed.num_tokens)]),
        img_ids=torch.tensor([[1.0, begin + row, begin + column] for row in range(4) for column in range(4)]),
    ).sample
    return mse_loss(prediction, _packed(noise - latents))


def krea2(pipe: Any, fixed: Fixed) -> Tensor:
    """train_dreambooth_lora_krea2.py, each caption alone and without padding."""
    latents = _frame_latents(pipe, fixed)
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    packed = _packed(_noised(latents, noise, sigmas))
    image_ids = [[0.0, row, column] for row in range(4) for column in range(4)]
    predictions = []
    for place, caption in enumerate(fixed.captions):
        told = pipe.prompt_template_encode_prefix + caption + pipe.prompt_template_encode_suffix
        states = pipe.text_encoder(
            pipe.tokenizer(told, return_tensors="pt").input_ids, output_hidden_states=True
        ).hidden_states
        embeds = torch.stack(states[1:], dim=2)[:, 34:]
        predictions.append(
            pipe.transformer(
                hidden_states=packed[place : place + 1],
                encoder_hidden_states=embeds,
                timestep=sigmas[place : place + 1],
                position_ids=torch.tensor(embeds.shape[1] * [[0.0, 0.0, 0.0]] + image_ids),
            ).sample
        )
    return mse_loss(torch.cat(predictions), _packed(noise - latents))


def wan(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts: padding becomes zeros."""
    return _wan(pipe, fixed, pipe.transformer, sigmas=fixed.sigmas(shift=3.0))


def wan_high(pipe: Any, fixed: Fixed) -> Tensor:
    """Of the noise levels from which on the pipeline asks its first transformer."""
    sigmas = fixed.sigmas_within(lambda sigma: sigma >= pipe.config.boundary_ratio, shift=3.0)
    return _wan(pipe, fixed, pipe.transformer, sigmas=sigmas)


def wan_low(pipe: Any, fixed: Fixed) -> Tensor:
    sigmas = fixed.sigmas_within(lambda sigma: sigma < pipe.config.boundary_ratio, shift=3.0)
    return _wan(pipe, fixed, pipe.transformer_2, sigmas=sigmas)


def wan_ti2v(pipe: Any, fixed: Fixed) -> Tensor:
    """Each token has a timestep, of which all are alike."""
    sigmas = fixed.sigmas(shift=3.0)
    latents = _video_latents(pipe, fixed)
    num_tokens = latents[0, 0, :, ::2, ::2].numel()
    return _wan(
        pipe, fixed, pipe.transformer, sigmas=sigmas, timesteps=(1000 * sigmas).unsqueeze(1).expand(-1, num_tokens)
    )


def wan_i2v(pipe: Any, fixed: Fixed) -> Tensor:
    """Told of the first frame as the pipeline does it."""
    return _wan(pipe, fixed, pipe.transformer, sigmas=fixed.sigmas(shift=3.0), told=_first_frame(pipe, fixed))


def wan_i2v_low(pipe: Any, fixed: Fixed) -> Tensor:
    sigmas = fixed.sigmas_within(lambda sigma: sigma < pipe.config.boundary_ratio, shift=3.0)
    return _wan(pipe, fixed, pipe.transformer_2, sigmas=sigmas, told=_first_frame(pipe, fixed))


def _first_frame(pipe: Any, fixed: Fixed) -> tuple[Tensor, Tensor | None]:
    """Four channels that are 1 where the first frame is, and a video that is grey after it, encoded; what CLIP sees of it."""
    alone = torch.cat([fixed.videos[:, :, :1], torch.zeros_like(fixed.videos[:, :, 1:])], dim=2)
    latents = _video_latents(pipe, replace(fixed, pixels=alone))
    there = torch.zeros_like(latents[:, :4])
    there[:, :, 0] = 1
    if pipe.image_encoder is None:
        return torch.cat([there, latents], dim=1), None
    pictures = [((each + 1) * 127.5).round().byte() for each in fixed.videos[:, :, 0]]
    seen = pipe.image_encoder(**pipe.image_processor(pictures, return_tensors="pt"), output_hidden_states=True)
    return torch.cat([there, latents], dim=1), seen.hidden_states[-2]


def _wan(
    pipe: Any,
    fixed: Fixed,
    transformer: Any,
    *,
    sigmas: Tensor,
    timesteps: Tensor | None = None,
    told: tuple[Tensor | None, Tensor | None] = (None, None),
) -> Tensor:
    latents = _video_latents(pipe, fixed)
    noise = fixed.noise(latents.shape[1:])
    embeds, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    noisy, (first_frame, embeds_of_image) = _noised(latents, noise, sigmas), told
    prediction = transformer(
        hidden_states=noisy if first_frame is None else torch.cat([noisy, first_frame], dim=1),
        encoder_hidden_states_image=embeds_of_image,
        timestep=1000 * sigmas if timesteps is None else timesteps,
        encoder_hidden_states=embeds * mask.unsqueeze(-1),
    ).sample
    return mse_loss(prediction, noise - latents)


def ltxvideo(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts, with noise levels shifted as it does at this size; T5 reads padding, the denoiser not."""
    mode = pipe.vae.encode(fixed.videos).latent_dist.mode()
    mean, std = (each.view(1, -1, 1, 1, 1) for each in (pipe.vae.latents_mean, pipe.vae.latents_std))
    latents = (mode - mean) / std
    noise = fixed.noise(latents.shape[1:])
    # 4 tokens for each frame, on the line from 0.95 at 256 to 2.05 at 4096.
    num_tokens = 4 * latents.shape[2]
    sigmas = fixed.sigmas(shift=math.exp(0.95 + (num_tokens - 256) / (4096 - 256) * (2.05 - 0.95)))
    embeds = _t5(pipe.tokenizer, pipe.text_encoder, fixed)
    _, mask = _masked_t5(pipe.tokenizer, pipe.text_encoder, fixed)
    prediction = pipe.transformer(
        hidden_states=_noised(latents, noise, sigmas).flatten(2).transpose(1, 2),
        encoder_hidden_states=embeds,
        timestep=1000 * sigmas,
        encoder_attention_mask=mask,
        num_frames=latents.shape[2],
        height=2,
        width=2,
        rope_interpolation_scale=(8 / fixed.frame_rate, 32, 32),
    ).sample
    return mse_loss(prediction, (noise - latents).flatten(2).transpose(1, 2))


def kandinsky5_image(pipe: Any, fixed: Fixed) -> Tensor:
    """As the pipeline predicts, each caption alone and without padding; its latents are scaled and not shifted."""
    latents = pipe.vae.encode(fixed.pixels).latent_dist.mode() * pipe.vae.config.scaling_factor
    noise, sigmas = fixed.noise(latents.shape[1:]), fixed.sigmas(shift=3.0)
    channels_last = _noised(latents, noise, sigmas).permute(0, 2, 3, 1).unsqueeze(1)
    pooled = _clip(pipe.tokenizer_2, pipe.text_encoder_2, fixed.captions).pooler_output
    predictions = []
    for place, caption in enumerate(fixed.captions):
        ids = pipe.tokenizer(pipe.prompt_template.format(caption), return_tensors="pt").input_ids
        embeds = pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-1][:, 40:]
        predictions.append(
            pipe.transformer(
                hidden_states=channels_last[place : place + 1],
                encoder_hidden_states=embeds,
                timestep=1000 * sigmas[place : place + 1],
                pooled_projections=pooled[place : place + 1],
                visual_rope_pos=[torch.arange(1), torch.arange(4), torch.arange(4)],
                text_rope_pos=torch.arange(embeds.shape[1]),
            ).sample
        )
    return mse_loss(torch.cat(predictions).squeeze(1).permute(0, 3, 1, 2), noise - latents)


# ---- text and latents


def _time_ids(fixed: Fixed) -> Tensor:
    # Pictures are scaled until the shorter edge is 64 and cut in the middle.
    time_ids = [
        [
            height,
            width,
            (64 * height // min(width, height) - 64) // 2,
            (64 * width // min(width, height) - 64) // 2,
            64,
            64,
        ]
        for width, height in fixed.sizes
    ]
    return torch.tensor(time_ids)


def _clip(tokenizer: Any, encoder: Any, captions: Sequence[str], *, num_tokens: int = 77) -> Any:
    ids = tokenizer(
        captions, padding="max_length", max_length=num_tokens, truncation=True, return_tensors="pt"
    ).input_ids
    return encoder(ids, output_hidden_states=True)


def _t5(tokenizer: Any, encoder: Any, fixed: Fixed) -> Tensor:
    """Padding is read like text."""
    ids = tokenizer(
        fixed.captions, padding="max_length", max_length=fixed.num_tokens, truncation=True, return_tensors="pt"
    ).input_ids
    embeds: Tensor = encoder(ids)[0]
    return embeds


def _masked_t5(tokenizer: Any, encoder: Any, fixed: Fixed) -> tuple[Tensor, Tensor]:
    """Padding is not read, and marked with zeros."""
    told = tokenizer(
        fixed.captions, padding="max_length", max_length=fixed.num_tokens, truncation=True, return_tensors="pt"
    )
    embeds: Tensor = encoder(told.input_ids, attention_mask=told.attention_mask)[0]
    return embeds, told.attention_mask


def _three_layers(pipe: Any, fixed: Fixed, chats: Sequence[str], layers: Sequence[int]) -> Tensor:
    """Three layers of a language model side by side, padding included."""
    told = pipe.tokenizer(
        chats,
        padding="max_length",
        max_length=fixed.num_tokens,
        truncation=True,
        return_tensors="pt",
        add_special_tokens=False,
    )
    states = pipe.text_encoder(
        input_ids=told.input_ids, attention_mask=told.attention_mask, output_hidden_states=True
    ).hidden_states
    return torch.cat([states[layer] for layer in layers], dim=-1)


def _flux2_latents(pipe: Any, fixed: Fixed, *, eps: float | None = None) -> Tensor:
    """Squares of 2 x 2, normalised as the batch norm of the autoencoder does."""
    norm = pipe.vae.bn.eval()
    norm.eps = eps or norm.eps
    normalised: Tensor = norm(pixel_unshuffle(pipe.vae.encode(fixed.pixels).latent_dist.mode(), 2))
    return normalised


def _frame_latents(pipe: Any, fixed: Fixed) -> Tensor:
    return _video_latents(pipe, fixed).squeeze(2)


def _video_latents(pipe: Any, fixed: Fixed) -> Tensor:
    """Normalised channel by channel."""
    config = pipe.vae.config
    mean, std = (torch.tensor(each).view(1, -1, 1, 1, 1) for each in (config.latents_mean, config.latents_std))
    latents: Tensor = (pipe.vae.encode(fixed.videos).latent_dist.mode() - mean) / std
    return latents


def _scaled_latents(pipe: Any, fixed: Fixed) -> Tensor:
    mode = pipe.vae.encode(fixed.pixels).latent_dist.mode()
    latents: Tensor = (mode - (pipe.vae.config.shift_factor or 0)) * pipe.vae.config.scaling_factor
    return latents


def _noised(latents: Tensor, noise: Tensor, sigmas: Tensor) -> Tensor:
    sigmas = sigmas.view(-1, *[1] * (latents.ndim - 1))
    return (1 - sigmas) * latents + sigmas * noise


def _packed(latents: Tensor) -> Tensor:
    """Squares of 2 × 2 latents as tokens."""
    packed: Tensor = pixel_unshuffle(latents, 2)
    return packed.flatten(2).transpose(1, 2)


RECIPES: dict[str, Recipe] = {
    "sd1x": stable_diffusion,
    "sd2x": stable_diffusion,
    "sdxl": sdxl,
    "sdxl-v": sdxl_of_v,
    "flux": flux,
    "flux-schnell": flux_schnell,
    "sd3": sd3,
    "z_image": z_image,
    "z_image_omni": z_image_omni,
    "qwen_image": qwen_image,
    "flux2": flux2,
    "flux2-klein": flux2_klein,
    "chroma": chroma,
    "pixart": pixart,
    "sana": sana,
    "auraflow": auraflow,
    "cosmos": cosmos,
    "ernie": ernie,
    "wan": wan,
    "wan-high": wan_high,
    "wan-low": wan_low,
    "wan-ti2v": wan_ti2v,
    "wan-i2v": wan_i2v,
    "wan-i2v-low": wan_i2v_low,
    "ltxvideo": ltxvideo,
    "hidream": hidream,
    "longcat_image": longcat_image,
    "kandinsky5_image": kandinsky5_image,
    "krea2": krea2,
    "kolors": kolors,
    "lumina2": lumina2,
}
