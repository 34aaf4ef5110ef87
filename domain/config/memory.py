"""How much memory a run needs, in each of its phases, before anything is loaded.

    peak of a phase = (weights + what is trained + activations) x calibration + what CUDA takes for itself

Weights, gradients and the optimizer's state follow from parameter counts and formats. Activations are linear in pixels
of latents' frames, tokens and batch; what one pixel and one token cost is known for each denoiser
(domain/families/network.py). Measured peaks correct what is left: see calibration.py. What nobody knows is named in
`unknown` rather than guessed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from domain.config.memory_plan import PAGED, MemoryPlan
from domain.config.optimizer_states import IN_FORMAT_OF_RUN, TWO_MOMENTS, state_size
from domain.families.components import AUTOENCODERS, autoencoder_of, image_encoder_of, text_encoders_of, text_width_of
from domain.families.denoisers import denoiser_of
from domain.families.family import Family, Flavour
from domain.families.network import Autoencoder, Cost, Denoiser

Phase = Literal["text_encoding", "latent_caching", "training", "validation"]
Kind = Literal["unet", "transformer"]
PHASES: tuple[Phase, ...] = ("text_encoding", "latent_caching", "training", "validation")

GIB = 2**30
CUDA_BYTES = int(0.6 * GIB)
"""What the driver, cuBLAS and cuDNN take outside the allocator, on NVIDIA GPUs of these years."""
PYTHON_BYTES = 4 * GIB
"""The resident memory of a trainer that has loaded torch and diffusers, without weights."""
TILE_PIXELS = 512 * 512
USUAL_TOKENS = 512
"""Of captions, where the family reads any length."""
TRAINED_BYTES = 4
"""What is trained has 32 bits, whatever computes, but for optimizers that can do with fewer."""
LYCORIS_SHARE = 0.5
"""Parameters of a LoKr or LoHa beside those of a LoRA of the same rank: between a tenth and twice, by its settings."""
CHANNELS_OF_PLACE = 4
"""Of latents, that say where the first frame of a video is."""
INFERENCE_SHARE = 1.2
"""Activations of drawing beside those of one checkpointed step: nothing is kept, but guidance doubles the batch."""


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PhaseMemory:
    """unknown: what the sum does not contain, because nobody knows it; then it is the least that is needed."""

    phase: Phase
    parts: tuple[Part, ...]
    unknown: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def allocated_bytes(self) -> int:
        """As torch counts them: without what CUDA takes for itself."""
        return self.bytes - CUDA_BYTES


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Of one device; host_bytes: RAM that the processes of all devices of a machine need together."""

    phases: tuple[PhaseMemory, ...]
    host_bytes: int
    notes: tuple[str, ...]

    @property
    def at_least_bytes(self) -> int:
        return max(phase.bytes for phase in self.phases)

    @property
    def estimated_bytes(self) -> int | None:
        """None when something is unknown: then at_least_bytes is all that can be said."""
        return None if any(phase.unknown for phase in self.phases) else self.at_least_bytes

    def phase(self, phase: Phase) -> PhaseMemory:
        return next(each for each in self.phases if each.phase == phase)


@dataclass(frozen=True, slots=True)
class Calibration:
    """factors: measured over estimated peak. compiled: which share of activations per-block compile leaves."""

    factors: Mapping[tuple[Kind, Phase], float] = field(default_factory=dict)
    compiled: Mapping[Kind, float] = field(default_factory=dict)

    def factor(self, kind: Kind, phase: Phase) -> float:
        return self.factors.get((kind, phase), 1.0)

    def compiled_share(self, kind: Kind) -> float:
        """Where nothing was measured of a kind, as of the others; 1 where nothing was measured at all."""
        return self.compiled.get(kind, max(self.compiled.values(), default=1.0))


DEFAULT = Calibration(
    factors={("unet", "training"): 1.016, ("transformer", "training"): 1.010},
    compiled={"unet": 0.721, "transformer": 0.792},
)
"""What calibrate() makes of MEASURED, to the digits that these peaks allow; a test compares."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is estimated: a plan for one flavour of a family, at a size of pictures, on some devices.

    num_frames: of clips. drawn_frames: of validation videos. 1 for pictures.
    """

    plan: MemoryPlan
    family: Family
    flavour: Flavour | None
    denoiser: Denoiser | None
    autoencoder: Autoencoder | None
    pixels: int
    num_frames: int
    drawn_frames: int
    num_devices: int
    calibration: Calibration

    @property
    def kind(self) -> Kind:
        return kind_of(self.family)

    @property
    def tokens(self) -> int:
        return self.plan.tokens or usual_tokens(self.family, self.flavour)

    def divided(self, number: float, *, when: bool) -> int:
        return int(number / self.num_devices) if when else int(number)


def kind_of(family: Family) -> Kind:
    return "unet" if "UNet" in family.denoiser else "transformer"


def usual_tokens(family: Family, flavour: Flavour | None) -> int:
    limit = (flavour and flavour.token_limit) or family.token_limit
    return limit.default if limit else USUAL_TOKENS


def estimate_memory(
    plan: MemoryPlan,
    *,
    family: Family,
    flavour: Flavour | None,
    pixels: int,
    num_frames: int = 1,
    drawn_frames: int = 1,
    num_devices: int = 1,
    calibration: Calibration = DEFAULT,
    text_while_training: bool = False,
    pictures_while_training: bool = False,
    denoiser: Denoiser | None = None,
) -> MemoryEstimate:
    """pixels: width times height of the largest pictures. flavour: None for weights of one's own. num_frames: of the longest
    clip that is trained on. drawn_frames: of validation videos.

    text_while_training, pictures_while_training: captions and pictures are encoded between steps, so that what encodes
    them is on the device then. Before the first step all networks are, unless they are offloaded meanwhile. denoiser:
    None for that of the flavour.
    """
    subject = _Subject(
        plan=plan,
        family=family,
        flavour=flavour,
        denoiser=denoiser or denoiser_of(family.key, flavour.key if flavour else family.default_flavour),
        autoencoder=autoencoder_of(family.key, flavour.key if flavour else None),
        pixels=pixels,
        num_frames=num_frames,
        drawn_frames=drawn_frames,
        num_devices=max(1, num_devices),
        calibration=calibration,
    )
    encoders, encoders_unknown = _text_encoder_bytes(subject)
    vae, image_encoder = _autoencoder_bytes(subject), _image_encoder_bytes(subject)
    weights, trained = _weight_bytes(subject), _trained_parts(subject)
    text_while_training |= plan.trains_text_encoders
    pictures_while_training |= plan.keeps_vae
    other = _other_denoiser_bytes(subject)
    seeing = ("autoencoder", "image encoder")
    everything = ("text encoders", *seeing, "denoiser", "other denoiser")
    encoding = everything[:1] * text_while_training + seeing * pictures_while_training
    resident = {
        "text encoders": encoders,
        "autoencoder": vae,
        "image encoder": image_encoder,
        "denoiser": weights,
        "other denoiser": other,
    }
    drawing = _drawing_bytes(subject)
    reads_prompts = plan.validates and encoders > drawing  # they have gone when the first step of drawing is made
    worked: dict[Phase, tuple[Sequence[str], list[Part]]] = {
        "text_encoding": (
            ("text encoders",) if plan.offloads_startup else everything,
            [Part("working memory", GIB // 4)],
        ),
        "latent_caching": (
            seeing if plan.offloads_startup else everything,
            [Part("pictures and latents", _encoding_bytes(subject))],
        ),
        "training": (("denoiser", *encoding), [*trained, *_activation_parts(subject)]),
        "validation": (
            ("denoiser", "other denoiser", *seeing, *(("text encoders",) if reads_prompts else ())),
            [*trained[:1], *(() if reads_prompts else (Part("drawing", drawing),))],
        ),
    }
    unknowns = tuple(_unknown(subject, encoders_unknown=encoders_unknown))
    phases = []
    for phase in PHASES:
        used, extra = worked[phase]
        held = [Part(name, size) for name, size in resident.items() if name in used]
        parts = [part for part in (*held, *extra) if part.bytes > 0]
        scale = calibration.factor(subject.kind, phase)
        scaled = tuple(Part(part.name, round(part.bytes * scale)) for part in parts)
        missing = tuple(dict.fromkeys(why for name, why in unknowns if name in (*used, phase)))
        phases.append(PhaseMemory(phase, (*scaled, Part("CUDA and its libraries", CUDA_BYTES)), missing))
    return MemoryEstimate(
        tuple(phases), _host_bytes(subject, resting=(encoders, vae, image_encoder, other)), _notes(subject)
    )


def checkpoint_bytes(plan: MemoryPlan, *, family: Family, flavour: Flavour | None) -> int | None:
    """Of one checkpoint on disk: trained weights, the optimizer's state and averaged weights. None: size not known."""
    denoiser = denoiser_of(family.key, flavour.key if flavour else family.default_flavour)
    if denoiser is None:
        return None
    num_trained = num_trained_parameters(plan, denoiser)
    copies = 1 + (plan.ema_on_device or plan.ema_in_ram)
    counterweights = copies * TRAINED_BYTES * plan.is_counterweighted
    return int(num_trained * (copies * _trained_bytes(plan) + counterweights + _state_bytes(plan)))


def cache_bytes_per_image(
    plan: MemoryPlan,
    *,
    family: Family,
    flavour: Flavour | None,
    pixels: int,
    num_frames: int = 1,
    keeps_latents: bool = True,
    keeps_text: bool = True,
) -> int | None:
    """Of the latents of one picture, or of a clip of so many frames, and the text embeds of one caption, as far as they are
    kept. None: size not known."""
    width = text_width_of(family.key, flavour.key if flavour else family.default_flavour)
    if width is None or family.key not in AUTOENCODERS:
        return None
    autoencoder = autoencoder_of(family.key, flavour.key if flavour else None)
    latents = 3 * pixels if autoencoder is None else pixels // autoencoder.factor**2 * autoencoder.channels
    image_encoder = image_encoder_of(family.key, flavour.key if flavour else None)
    if autoencoder is not None and flavour is not None and flavour.needs_first_frame:
        latents += pixels // autoencoder.factor**2 * (autoencoder.channels + CHANNELS_OF_PLACE)
    latents *= 1 if family.video is None else family.video.num_latent_frames(num_frames)
    tokens = plan.tokens or usual_tokens(family, flavour)
    text = tokens * width * (2 if plan.is_mixed else 4)
    seen = 0 if image_encoder is None else image_encoder.tokens * image_encoder.width * plan.weight_bytes
    return (4 * latents + seen) * keeps_latents + text * keeps_text


def num_trained_parameters(plan: MemoryPlan, denoiser: Denoiser) -> int:
    if plan.is_full:
        return denoiser.parameters
    if plan.num_trained is not None:
        return plan.num_trained
    lora = denoiser.lora_width * plan.lora_rank
    return int(lora * LYCORIS_SHARE) if plan.lora_type == "lycoris" else lora


def _trained_bytes(plan: MemoryPlan) -> int:
    """Of each trained weight, of an adapter as of a whole network."""
    return plan.weight_bytes if plan.optimizer in IN_FORMAT_OF_RUN else TRAINED_BYTES


def _state_bytes(plan: MemoryPlan) -> float:
    return (state_size(plan.optimizer) or TWO_MOMENTS).of(_trained_bytes(plan))


def _weight_bytes(subject: _Subject) -> int:
    """Of the denoiser, on the device; trained whole they are counted here as well."""
    denoiser, plan = subject.denoiser, subject.plan
    if denoiser is None:
        return 0
    each = float(_trained_bytes(plan) if plan.is_full else plan.weight_bytes)
    bits = denoiser.stored_bits if plan.quantised_bits is None else plan.quantised_bits
    of_linear = bits / 8 if bits is not None and not plan.is_full else each
    linear = denoiser.linear * of_linear
    whole = linear + (denoiser.parameters - denoiser.linear + denoiser.positions) * each
    staying = whole * _share_on_device(plan, denoiser) - linear * plan.streamed
    buffer = _block_bytes(subject, whole) if plan.streamed or plan.swapped_blocks or plan.shards_weights else 0
    return subject.divided(max(staying, 0), when=plan.shards_weights) + buffer


def _other_denoiser_bytes(subject: _Subject) -> int:
    """Of weights with two, the one that is not trained and only draws; as it is published, for nothing quantises it."""
    has_other = subject.flavour is not None and subject.flavour.denoiser_folder is not None
    return subject.denoiser.parameters * subject.plan.weight_bytes if subject.denoiser and has_other else 0


def _block_bytes(subject: _Subject, whole: float) -> int:
    """Of the largest block, which is on the device while it works, with the next one behind it."""
    assert subject.denoiser is not None
    largest = max((blocks.parameters for blocks in subject.denoiser.blocks), default=0)
    return int(2 * largest / subject.denoiser.parameters * whole)


def _share_on_device(plan: MemoryPlan, denoiser: Denoiser) -> float:
    """Of the weights, when blocks are swapped or offloaded in groups."""
    in_blocks = [blocks.parameters for blocks in denoiser.blocks for _ in range(blocks.count)]
    if not in_blocks:
        return 1.0
    if plan.offloaded_group is not None:
        held = plan.offloaded_group * max(in_blocks)
        return min(1.0, (denoiser.parameters - sum(in_blocks) + held) / denoiser.parameters)
    swapped = sum(sorted(in_blocks)[: min(plan.swapped_blocks, len(in_blocks) - 1)])
    return (denoiser.parameters - swapped) / denoiser.parameters


def _trained_parts(subject: _Subject) -> list[Part]:
    """Adapter and average first; then what only training needs."""
    denoiser, plan = subject.denoiser, subject.plan
    if denoiser is None:
        return [Part("trained weights", 0)]
    num_trained = num_trained_parameters(plan, denoiser)
    each, state = _trained_bytes(plan), _state_bytes(plan)
    if plan.offloads_optimizer or PAGED in plan.optimizer:
        state = 0
    own = (0 if plan.is_full else each) + (each if plan.ema_on_device else 0)
    own += TRAINED_BYTES * plan.is_counterweighted
    return [
        Part("trained weights", subject.divided(num_trained * own, when=plan.shards_weights)),
        Part("gradients", subject.divided(num_trained * each, when=plan.shards_gradients)),
        Part("optimizer", subject.divided(num_trained * state, when=plan.shards_states)),
        *([Part("adapters with counterweights", _joined_bytes(plan, num_trained))] if plan.is_counterweighted else []),
    ]


def _joined_bytes(plan: MemoryPlan, num_trained: int) -> int:
    """Of both in one matrix, as a pass forward makes them and keeps them for the one backward."""
    return int(2 * num_trained * (2 if plan.is_mixed else 4) * (1 - plan.checkpointed))


def activation_bytes(
    denoiser: Denoiser, cost: Cost, *, pixels: int, tokens: int, batch_size: int, factor: float = 1.0
) -> int:
    pictures = batch_size * (pixels * cost.pixel + tokens * cost.token)
    return int((pictures + cost.once) * factor)


def _activation_parts(subject: _Subject) -> Iterator[Part]:
    denoiser, plan = subject.denoiser, subject.plan
    if denoiser is None or denoiser.plain is None or denoiser.recomputed is None:
        return
    dropout = 0.0 if plan.is_full or plan.lora_dropout == 0 else denoiser.dropout_pixel
    plain = Cost(denoiser.plain.pixel + dropout, denoiser.plain.token, denoiser.plain.once)
    size = {
        "pixels": _network_pixels(subject, subject.num_frames),
        "tokens": subject.tokens,
        "batch_size": plan.batch_size,
    }
    kept = activation_bytes(denoiser, plain, **size, factor=denoiser.full if plan.is_full else 1)
    again = activation_bytes(
        denoiser, denoiser.recomputed, **size, factor=denoiser.full_recomputed if plan.is_full else 1
    )
    total = again * plan.checkpointed + kept * (1 - plan.checkpointed)
    if plan.compiles:
        total *= subject.calibration.compiled_share(subject.kind)
    if not plan.is_mixed:
        total *= 2
    yield Part("activations", int(total))


def _network_pixels(subject: _Subject, num_frames: int) -> int:
    """Each frame of latents is as many tokens as a picture. A flavour that edits looks at the picture to edit beside the
    noisy one."""
    video = subject.family.video
    num_latent_frames = 1 if video is None else video.num_latent_frames(num_frames)
    return subject.pixels * num_latent_frames * (2 if subject.flavour and subject.flavour.needs_reference else 1)


def _drawing_bytes(subject: _Subject) -> int:
    """The larger of a step of drawing and the autoencoder's decoding, one picture at a time."""
    denoiser, autoencoder = subject.denoiser, subject.autoencoder
    if not subject.plan.validates:
        return 0
    step = 0
    if denoiser is not None and denoiser.recomputed is not None:
        step = activation_bytes(
            denoiser,
            denoiser.recomputed,
            pixels=_network_pixels(subject, subject.drawn_frames),
            tokens=subject.tokens,
            batch_size=1,
            factor=INFERENCE_SHARE,
        )
    tile = min(subject.pixels, TILE_PIXELS) if subject.plan.vae_tiles else subject.pixels
    return max(step, int(autoencoder.decoding(subject.drawn_frames) * tile) if autoencoder else 0)


def _encoding_bytes(subject: _Subject) -> int:
    if subject.autoencoder is None:
        return 0
    tile = min(subject.pixels, TILE_PIXELS) if subject.plan.vae_tiles else subject.pixels
    each = subject.autoencoder.encoding(subject.num_frames) * tile * (subject.plan.vae_bytes / 2)
    return int(each * subject.plan.vae_batch_size)


def _autoencoder_bytes(subject: _Subject) -> int:
    return subject.autoencoder.parameters * subject.plan.vae_bytes if subject.autoencoder else 0


def _image_encoder_bytes(subject: _Subject) -> int:
    encoder = image_encoder_of(subject.family.key, subject.flavour.key if subject.flavour else None)
    return encoder.parameters * subject.plan.weight_bytes if encoder else 0


def _text_encoder_bytes(subject: _Subject) -> tuple[int, bool]:
    """And whether their size is unknown."""
    encoders = text_encoders_of(subject.family.key, subject.flavour.key if subject.flavour else None)
    if encoders is None:
        return 0, True
    plan = subject.plan
    sizes = []
    for number, encoder in enumerate(encoders):
        bits = plan.encoder_bits[number] if number < len(plan.encoder_bits) else None
        sizes.append(encoder.parameters * (plan.weight_bytes if bits is None else bits / 8))
    return int(sum(sizes)), False


def _host_bytes(subject: _Subject, *, resting: Sequence[int]) -> int:
    """Python, what waits in RAM for the device, and, while it is read from disk, the largest network.

    resting: networks that no step needs.
    """
    denoiser, plan = subject.denoiser, subject.plan
    waiting, loading = float(sum(resting)), max(resting)
    if denoiser is not None:
        whole = denoiser.parameters * (_trained_bytes(plan) if plan.is_full else plan.weight_bytes)
        loading = max(loading, whole)
        waiting += whole * max(1 - _share_on_device(plan, denoiser), plan.streamed)
        num_trained = num_trained_parameters(plan, denoiser)
        if plan.offloads_optimizer or PAGED in plan.optimizer:
            waiting += num_trained * _state_bytes(plan)
        if plan.ema_in_ram:
            waiting += num_trained * _trained_bytes(plan)
    return int(subject.num_devices * (PYTHON_BYTES + max(loading, waiting)))


def _unknown(subject: _Subject, *, encoders_unknown: bool) -> Iterator[tuple[str, str]]:
    """Of what (a network or a phase), and why, for people."""
    name = subject.family.name
    if encoders_unknown:
        yield "text encoders", f"the size of {name}'s text encoders is not known"
    if subject.autoencoder is None and subject.family.key not in AUTOENCODERS:
        yield "autoencoder", f"the size of {name}'s autoencoder is not known"
    if subject.denoiser is None:
        yield "denoiser", f"the size of these weights of {name} is not known"
    elif subject.denoiser.plain is None:
        for phase in ("training", "validation"):
            yield phase, f"what a step of {name} needs beside its weights is not known"


def _notes(subject: _Subject) -> tuple[str, ...]:
    """What was assumed, for people."""
    plan = subject.plan
    notes = [f"{key} was not understood and counts as not set" for key in plan.strange]
    if state_size(plan.optimizer) is None:
        notes.append(f"optimizer {plan.optimizer} is not known: counted as one that keeps two numbers for each weight")
    if plan.keeps_scores:
        notes.append("attention_mechanism native-math keeps a matrix for each picture that is not counted here")
    is_guessed = not plan.is_full and plan.num_trained is None
    if plan.has_own_targets and is_guessed:
        notes.append("peft_lora_target_modules is set: the adapter is counted as one on the family's usual layers")
    if plan.trains_text_encoders:
        what = "activations" if plan.num_trained is not None else "adapters and activations"
        notes.append(f"train_text_encoder is on: {what} of the text encoders are not counted")
    if plan.lora_type == "lycoris" and is_guessed:
        notes.append("a LyCORIS adapter is counted as half a LoRA of the same rank, within a factor of four")
    return tuple(notes)
