"""Every family, made small and trained for real: the right loss, weights that diffusers loads, exact resume."""

import json
import logging
import shutil
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
)
from diffusers.pipelines.cosmos import pipeline_cosmos2_text2image
from PIL import Image
from safetensors.torch import load_file

from domain.config.buckets import Geometry, Placement, Shape, Size, place
from domain.config.dataset import DatasetConfig
from domain.config.training import TrainingConfig
from domain.families.hidream import LLAMA_REPOSITORY
from domain.families.registry import FAMILIES as KNOWN_FAMILIES
from domain.families.samplers import samplers_of
from tests.trainer.device import CPU, DEVICE, EXACT
from tests.trainer.recipes import RECIPES, Fixed
from tests.trainer.runs import RunDirectory, write_run
from tests.trainer.small_families import DRAWING, SMALL, WITHOUT_ITS_PACKAGE, save_small, with_guidance
from trainer.__main__ import main
from trainer.data.encoding import to_pixels
from trainer.data.epochs import Bucket, EpochOrder
from trainer.data.pictures import read_picture
from trainer.data.sources.local import LocalFolder
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, Drawing, SkippedLayers
from trainer.families.loading import explained
from trainer.families.registry import FAMILIES
from trainer.inbox import STOP_SIGNALS
from trainer.objective import draw_noise
from trainer.randomness import seed_for
from trainer.wire import ValidationImageSaved

WEIGHTS = "pytorch_lora_weights.safetensors"
SIZES = {"blue": (100, 64), "red": (64, 80)}
CAPTIONS = {"blue": "a drawing of a blue square and a rose", "red": "red"}
SEED = 42
OPTIONS: dict[str, Any] = {
    "seed": SEED,
    "max_train_steps": 3,
    "train_batch_size": 2,
    "caption_dropout_probability": 0,
    "learning_rate": 1e-2,
    "checkpoint_step_interval": 1,
    "tokenizer_max_length": 24,
    "validation_disable": False,
    **DRAWING,
    "validation_num_inference_steps": 2,
    "validation_step_interval": 1000,
}


class Small:
    """A small family's base model, two pictures, and runs on them."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.options = OPTIONS | SMALL[name].options
        self.model = save_small(name, folder / "model")
        self.folder = folder
        self.pictures = folder / "pictures"
        self.pictures.mkdir()
        for turn, (name, size) in enumerate(SIZES.items()):
            picture = Image.linear_gradient("L").rotate(90 * turn).resize(size).convert("RGB")
            picture.save(self.pictures / f"{name}.png")
            (self.pictures / f"{name}.txt").write_text(CAPTIONS[name])

    def train(self, name: str, *, resume: bool = False, **options: Any) -> RunDirectory:
        run = self.write(name, resume=resume, **options)
        assert main([str(run.path)]) == 0, run.ended()
        return run

    def write(self, name: str, *, resume: bool = False, **options: Any) -> RunDirectory:
        return write_run(
            self.folder / name,
            folder=self.pictures,
            resume=resume,
            model_family=self.name.partition("-")[0],
            pretrained_model_name_or_path=str(self.model),
            **self.options | options,
        )

    def pipeline(
        self, weights: Path | None = None, *, model: Path | None = None, device: torch.device = DEVICE, **parts: Any
    ) -> Any:
        """As diffusers loads it, and frozen, because torch's RMS norm rounds otherwise where weights may want gradients."""
        without = dict.fromkeys(SMALL[self.name].without)
        pipeline = DiffusionPipeline.from_pretrained(model or self.model, **without | parts)
        pipeline.set_progress_bar_config(disable=True)
        if weights is not None:
            SMALL[self.name].load(pipeline, weights)
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.requires_grad_(False)
        return pipeline.to(device)

    def first_batch(self) -> Fixed:
        """What the first step of a run sees."""
        config = TrainingConfig(model_family="sdxl", train_batch_size=2, seed=SEED)
        bucket = Bucket(dataset="ink", shape=Shape(Size(64, 64), 1), samples=(0, 1), repeats=0)
        order = EpochOrder([bucket], config, datasets=[DatasetConfig(id="ink", instance_data_dir="/ink")])
        shown = [sorted(SIZES)[sample] for sample in order.samples_at(0)]
        placed = [place(Geometry(resolution=64), Size(*SIZES[name])) for name in shown]
        source = LocalFolder(self.pictures, dataset="ink")
        pixels = [
            to_pixels(read_picture(source.picture(f"{name}.png"), placement))
            for name, placement in zip(shown, placed, strict=True)
            if isinstance(placement, Placement)
        ]
        noise_seeds, timestep_seeds = (
            [seed_for(purpose, SEED, 0, position) for position in range(2)] for purpose in ("noise", "timestep")
        )
        return Fixed(
            pixels=torch.stack(pixels),
            captions=[CAPTIONS[name] for name in shown],
            sizes=[SIZES[name] for name in shown],
            noise=lambda shape: draw_noise(noise_seeds, shape=shape, device=DEVICE).cpu(),
            drawn=[torch.Generator().manual_seed(seed) for seed in timestep_seeds],
            num_tokens=self.options["tokenizer_max_length"],
        )


def by_hand(sampler: str, own: Any) -> Any:
    """The scheduler that a person would give the pipeline in place of its own."""
    # Noise levels are shifted as by its own; schedulers call that differently.
    shift = own.config.get("shift") or own.config.get("flow_shift") or 1.0
    if sampler == "flow_unipc":
        return UniPCMultistepScheduler.from_config(
            own.config, use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=shift
        )
    kinds = {
        "ddim": DDIMScheduler,
        "ddpm": DDPMScheduler,
        "euler": EulerDiscreteScheduler,
        "euler-a": EulerAncestralDiscreteScheduler,
        "unipc": UniPCMultistepScheduler,
        "dpm++": DPMSolverMultistepScheduler,
        "flow_match_euler": FlowMatchEulerDiscreteScheduler,
        "flow_matching": FlowMatchEulerDiscreteScheduler,
    }
    return kinds[sampler].from_config(own.config, **({"shift": shift} if sampler.startswith("flow") else {}))


def a_drawing(**options: Any) -> Drawing:
    """As DRAWING says, from seed 7."""
    usual: dict[str, Any] = {"seed": 7, "width": 64, "height": 64, "num_inference_steps": 2, "guidance_real": 1.0}
    drawing = {
        "prompt": DRAWING["validation_prompt"],
        "negative_prompt": DRAWING["validation_negative_prompt"],
        "guidance": DRAWING["validation_guidance"],
    }
    return Drawing(**usual | drawing | options)


@pytest.fixture(scope="module", params=SMALL)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    with warnings.catch_warnings():
        yield Small(request.param, tmp_path_factory.mktemp(request.param))
    logging.disable(logging.NOTSET)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def run(small: Small) -> RunDirectory:
    return small.train("run")


@pytest.mark.parametrize("small", ["flux"], indirect=True)
def test_drawn_guidance_lies_in_its_range_and_depends_on_the_seed_alone(small: Small) -> None:
    drawn = {"flux_guidance_mode": "random-range", "flux_guidance_min": 2.0, "flux_guidance_max": 3.0}
    family = loaded("flux", small.model, **drawn)
    guidance = family.conditions({}, geometry=torch.zeros(100, 6), seeds=range(100))["guidance"]
    assert 2.0 <= guidance.min() < 2.1 < 2.9 < guidance.max() <= 3.0
    assert torch.equal(family.conditions({}, geometry=torch.zeros(1, 6), seeds=[7])["guidance"], guidance[7:8])


@pytest.mark.parametrize("small", ["lumina2", "sana"], indirect=True)
def test_dropped_caption_is_what_the_pipeline_takes_for_no_prompt(small: Small) -> None:
    """Without the instruction that is read before captions."""
    num_tokens = small.options["tokenizer_max_length"]
    (dropped,) = loaded(small.name, small.model, tokenizer_max_length=num_tokens).encode_captions([""])
    told = {"negative_prompt": "", "max_sequence_length": num_tokens}
    _, _, embeds, mask = small.pipeline(device=CPU).encode_prompt("a red square", **told)
    assert torch.equal(dropped["prompt_embeds"], embeds[0])
    assert torch.equal(dropped["prompt_mask"], mask[0])


@pytest.mark.parametrize("name", ["sdxl", "auraflow", "pixart"])
def test_latents_of_an_autoencoder_that_overflows_in_fp16_are_made_in_fp32(name: str, tmp_path: Path) -> None:
    """These have the one of SDXL."""
    config = TrainingConfig.model_validate({"model_family": name})
    base = BaseModel(source=str(save_small(name, tmp_path)), config=config, device=CPU, dtype=torch.float16)
    family = FAMILIES[config.model_family].load(base)
    vae, pixels = family.pipeline.vae, torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    latents = family.encode_pictures(pixels)
    assert vae.dtype == torch.float16
    expected = vae.float().encode(pixels).latent_dist.mode() * vae.config.scaling_factor
    assert torch.equal(latents, expected)


@pytest.mark.parametrize("small", ["sana"], indirect=True)
def test_instruction_of_sana_can_be_another_one(small: Small) -> None:
    told, num_tokens = "Say more:\n- about colours\n", small.options["tokenizer_max_length"]
    usual, family = (
        loaded("sana", small.model, tokenizer_max_length=num_tokens, sana_complex_human_instruction=each)
        for each in (None, told)
    )
    pipeline = small.pipeline(device=CPU)
    options = {"complex_human_instruction": [told], "max_sequence_length": num_tokens}
    (embeds,) = family.encode_captions(["a red square"])
    assert torch.equal(embeds["prompt_embeds"], pipeline.encode_prompt("a red square", **options)[0][0])
    assert family.text_identity != usual.text_identity
    ours = family.draw(a_drawing(num_inference_steps=1))
    options |= {"num_inference_steps": 1, "height": 64, "width": 64, "use_resolution_binning": False}
    drawn = with_guidance(pipeline, num_tokens=0, generator=torch.Generator().manual_seed(7), **options)
    assert ours.tobytes() == drawn.images[0].tobytes()


@pytest.mark.parametrize("small", ["flux2", "flux2-klein"], indirect=True)
def test_layers_that_flux2_reads_can_be_others(small: Small) -> None:
    others, num_tokens = [1, 2, 5], small.options["tokenizer_max_length"]
    usual, family = (
        loaded(small.name, small.model, tokenizer_max_length=num_tokens, custom_text_encoder_intermediary_layers=each)
        for each in (None, others)
    )
    pipeline, options = (
        small.pipeline(device=CPU),
        {"text_encoder_out_layers": others, "max_sequence_length": num_tokens},
    )
    (embeds,) = family.encode_captions(["a red square"])
    assert torch.equal(embeds["prompt_embeds"], pipeline.encode_prompt("a red square", **options)[0][0])
    assert family.text_identity != usual.text_identity
    ours = family.draw(a_drawing(num_inference_steps=1, negative_prompt=""))
    options |= {"guidance_scale": 3.0, "num_inference_steps": 1, "height": 64, "width": 64}
    drawn = pipeline(prompt="a red square", generator=torch.Generator().manual_seed(7), **options)
    assert ours.tobytes() == drawn.images[0].tobytes()


@pytest.mark.parametrize("layers", [[10, 20], [10, 20, 32]])
def test_layers_that_flux2_does_not_have_are_refused_with_those_it_has(layers: list[int], tmp_path: Path) -> None:
    folder = save_small("flux2", tmp_path)
    with pytest.raises(TrainingError, match="reads 3 layers, of 0 to 31; name as many, or leave it out"):
        loaded("flux2", folder, custom_text_encoder_intermediary_layers=layers)


def test_every_trained_family_has_a_recipe() -> None:
    assert {name.partition("-")[0] for name in RECIPES} == set(FAMILIES)


def test_loss_of_a_batch_is_that_of_the_published_recipe(small: Small, run: RunDirectory) -> None:
    """Before the first update the adapter adds nothing, so the base model alone gives the same loss."""
    with torch.no_grad():
        expected = RECIPES[small.name](small.pipeline(device=CPU), small.first_batch())
    assert run.losses()[1] == pytest.approx(expected.item(), rel=EXACT)


@pytest.mark.parametrize(("step", "weights"), [(0, None), (3, "."), (3, "checkpoint-3")])
def test_validation_image_is_what_diffusers_makes_of_the_saved_weights(
    small: Small, run: RunDirectory, step: int, weights: str | None
) -> None:
    (image,) = [image for image in run.of(ValidationImageSaved) if image.step == step]
    pipeline = small.pipeline(run.path / weights if weights else None)
    generator = torch.Generator().manual_seed(image.seed)
    options = {"num_inference_steps": 2, "height": 64, "width": 64, "generator": generator}
    with torch.no_grad():
        drawn = SMALL[small.name].draw(pipeline, num_tokens=small.options["tokenizer_max_length"], **options)
    assert Image.open(run.path / image.path).tobytes() == drawn.images[0].tobytes()


def test_every_sampler_of_a_family_draws_what_diffusers_makes(small: Small) -> None:
    """Of the base model, in a size that is not square."""
    config = TrainingConfig.model_validate({"model_family": small.name.partition("-")[0], **small.options})
    base = BaseModel(source=str(small.model), config=config, device=DEVICE, dtype=torch.float32)
    family, pipeline = FAMILIES[config.model_family].load(base), small.pipeline()
    own = pipeline.scheduler
    for sampler in samplers_of(KNOWN_FAMILIES[config.model_family], None):
        drawing = a_drawing(
            width=128, num_inference_steps=3, guidance_real=config.validation_guidance_real, sampler=sampler
        )
        pipeline.scheduler = by_hand(sampler, own)
        told = {"num_inference_steps": 3, "width": 128, "height": 64, "generator": torch.Generator().manual_seed(7)}
        with torch.no_grad():
            ours = family.draw(drawing)
            drawn = SMALL[small.name].draw(pipeline, num_tokens=small.options["tokenizer_max_length"], **told)
        assert ours.size == (128, 64)
        assert ours.tobytes() == drawn.images[0].tobytes(), sampler


@pytest.mark.parametrize("small", ["sd3"], indirect=True)
def test_skipped_layers_guide_as_diffusers_says(small: Small) -> None:
    family = loaded("sd3", small.model, **small.options, validation_guidance_skip_layers=[1])
    skipped = SkippedLayers(blocks=(1,), start=0.2, stop=0.9, strength=4.0)
    drawing = Drawing(
        prompt="a red square",
        negative_prompt="a cat",
        seed=7,
        width=64,
        height=64,
        num_inference_steps=3,
        guidance=3.0,
        guidance_real=1.0,
        skipped_layers=skipped,
    )
    pipeline = small.pipeline()
    told: dict[str, Any] = {"num_inference_steps": 3, "width": 64, "height": 64, "num_tokens": 24}
    skipping: dict[str, Any] = {
        "skip_guidance_layers": [1],
        "skip_layer_guidance_start": 0.2,
        "skip_layer_guidance_stop": 0.9,
        "skip_layer_guidance_scale": 4.0,
    }
    draw = SMALL["sd3"].draw
    with torch.no_grad():
        ours = family.draw(drawing)
        drawn, plain = (
            draw(pipeline, generator=torch.Generator().manual_seed(7), **told, **more).images[0]
            for more in (skipping, {})
        )
    assert ours.tobytes() == drawn.tobytes() != plain.tobytes()


def test_skipped_layer_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="names block 2, but this model has 2, counted from 0"):
        loaded("sd3", save_small("sd3", tmp_path), validation_guidance_skip_layers=[1, 2])


def test_training_changes_the_picture(run: RunDirectory) -> None:
    before, after = (run.path / image.path for image in run.of(ValidationImageSaved))
    assert Image.open(before).tobytes() != Image.open(after).tobytes()


def test_run_resumed_from_its_first_checkpoint_ends_the_same(small: Small, run: RunDirectory) -> None:
    resumed = small.folder / "resumed"
    shutil.copytree(run.path / "checkpoint-1", resumed / "checkpoint-1")
    losses = small.train("resumed", resume=True).losses()
    assert losses == {step: loss for step, loss in run.losses().items() if step > 1}
    weights, expected = load_file(resumed / WEIGHTS), load_file(run.path / WEIGHTS)
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def loaded(name: str, folder: Path, **options: Any) -> Any:
    """The family itself, as a run holds it before it gets an adapter."""
    config = TrainingConfig.model_validate({"model_family": name.partition("-")[0]} | SMALL[name].options | options)
    base = BaseModel(source=str(folder), config=config, device=CPU, dtype=torch.float32)
    return FAMILIES[config.model_family].load(base)


def test_flux2_is_loaded_without_the_processor_that_it_is_published_with(tmp_path: Path) -> None:
    folder = save_small("flux2", tmp_path)
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("PreTrainedTokenizerFast", "PixtralProcessor"))
    (embeds,) = loaded("flux2", folder).encode_captions(["a red square"])
    assert embeds["prompt_embeds"].shape == (48, 3 * 8)


@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (2, 4, 8, 16)], ids=["square", "wide"])
def test_hidream_predicts_pictures_and_passes_gradients_through_its_experts(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    family = loaded("hidream", save_small("hidream", tmp_path))
    expert = family.denoiser.single_stream_blocks[0].block.ff_i.experts[0].w1.weight.requires_grad_()
    texts = family.encode_captions(["a red square", "a blue square"])
    conditions = {name: torch.stack([each[name] for each in texts]) for name in texts[0]}
    family.denoiser.train()
    prediction = family.predict(torch.ones(shape), torch.tensor([0.2, 0.7]), conditions)
    prediction.sum().backward()
    assert prediction.shape == shape
    assert expert.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ltxvideo", "LTXConditionPipeline"),
        ("lumina2", "Lumina2Text2ImgPipeline"),
        ("flux", "FluxKontextPipeline"),
    ],
)
def test_weights_of_a_family_may_name_a_pipeline_of_the_same_parts(name: str, other: str, tmp_path: Path) -> None:
    folder = save_small(name, tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"_class_name": other}))
    assert type(loaded(name, folder).pipeline).__name__ == index["_class_name"]


@pytest.mark.parametrize("small", ["hidream"], indirect=True)
@pytest.mark.parametrize(("weight", "times"), [(None, 1), (0.5, 50)])
def test_loss_of_hidream_can_count_how_unevenly_its_experts_are_asked(
    small: Small, weight: float | None, times: float
) -> None:
    """As its gates say while they are trained, of which diffusers weighs each with 0.01."""
    options: dict[str, Any] = {"hidream_use_load_balancing_loss": True, "hidream_load_balancing_loss_weight": weight}
    run = small.train(f"balanced-{weight}", max_train_steps=1, validation_disable=True, **options)
    pipeline, uneven = small.pipeline(), []
    gates = [each for each in pipeline.transformer.modules() if type(each).__name__ == "MoEGate"]
    for gate in gates:
        gate.train()
        gate.register_forward_hook(lambda _, given, chosen: uneven.append(chosen[2].item()))
    with torch.no_grad():
        errors = RECIPES["hidream"](pipeline, small.first_batch()).item()
    assert len(uneven) == len(gates) == 2
    assert run.losses()[1] == pytest.approx(errors + times * sum(uneven), rel=1e-5)


def test_hidream_without_llama_names_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = save_small("hidream", tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"text_encoder_4": [None, None]}))
    with pytest.raises(TrainingError, match=LLAMA_REPOSITORY):
        loaded("hidream", folder)


@pytest.mark.parametrize(
    ("kind", "flavour", "message"),
    [
        ("wan-high", "t2v-480p-14b-2.1", "one network for high and one for low noise.* set model_flavour to animegen"),
        ("wan", "animegen-t2v-low", "model_flavour is animegen-t2v-low, but the base model .* has one network for all"),
    ],
)
def test_wan_of_another_kind_than_its_flavour_is_refused(kind: str, flavour: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=message):
        loaded(kind, save_small(kind, tmp_path), model_flavour=flavour)


def test_cosmos_needs_its_guardrail_to_draw_and_not_to_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_small("cosmos", tmp_path)
    monkeypatch.setattr(pipeline_cosmos2_text2image, "CosmosSafetyChecker", WITHOUT_ITS_PACKAGE)
    with pytest.raises(TrainingError, match=r"needs a package that is not installed: .*pip install cosmos_guardrail"):
        loaded("cosmos", folder, **DRAWING)
    family = loaded("cosmos", folder, **DRAWING, validation_disable=True)
    with pytest.raises(ValueError, match="disabled the safety checker"):
        family.draw(a_drawing())


def test_missing_package_is_named() -> None:
    with (
        pytest.raises(TrainingError, match="owner/name needs a package that is not installed: pip install it"),
        explained("owner/name"),
    ):
        raise ImportError("pip\n  install it")
