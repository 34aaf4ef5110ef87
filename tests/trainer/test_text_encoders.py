"""Text encoders that are trained: what they are shown, their learning rate, and the files that diffusers loads."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from domain.config.training import TrainingConfig
from tests.trainer.device import DEVICE
from tests.trainer.runs import SMALL_MODEL, write_run
from tests.trainer.small_families import save_small
from tests.trainer.test_what_trains import in_this_process
from trainer.__main__ import main
from trainer.errors import TrainingError
from trainer.families.family import BaseModel, ModelFamily
from trainer.families.parts import Parts
from trainer.families.registry import FAMILIES
from trainer.state import load_state, save_state
from trainer.trained.lora import ADAPTER_FILE, Lora
from trainer.trained.rates import give_text_encoders_their_rate
from trainer.wire import ValidationImageSaved

CPU = torch.device("cpu")
CAPTIONS = ["a drawing of a red square", ""]


def loaded(name: str, folder: Path, **options: Any) -> tuple[ModelFamily, BaseModel]:
    config = TrainingConfig.model_validate({"model_family": name, **options})
    base = BaseModel(source=str(folder), config=config, device=CPU, dtype=torch.float32)
    return FAMILIES[config.model_family].load(base), base


@pytest.fixture(scope="module", params=["sd2x", "sdxl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    name = request.param
    return name, SMALL_MODEL if name == "sd2x" else save_small(name, tmp_path_factory.mktemp("model"))


def predicted(family: ModelFamily) -> torch.Tensor:
    encoded = family.encode_captions(CAPTIONS)
    embeds = {name: torch.stack([each[name] for each in encoded]) for name in encoded[0]}
    geometry = torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)
    noisy = torch.linspace(-1, 1, 2 * 4 * 8 * 8).view(2, 4, 8, 8)
    with torch.no_grad():
        return family.predict(
            noisy, torch.tensor([10, 900]), family.conditions(embeds, geometry=geometry, seeds=[1, 2])
        )


def test_tokens_predict_what_text_embeds_do(model: tuple[str, Path]) -> None:
    """Before anything is trained."""
    (read, _), (encoded, _) = (loaded(*model, train_text_encoder=trains) for trains in (True, False))
    assert {each.dtype for each in read.encode_captions(CAPTIONS)[0].values()} == {torch.int64}
    assert read.text_identity != encoded.text_identity
    assert torch.equal(predicted(read), predicted(encoded))


def test_trained_text_encoders_do_not_rest(model: tuple[str, Path]) -> None:
    family, base = loaded(*model, train_text_encoder=True, lora_rank=2)
    lora = Lora.beside(family, base)
    moved: list[nn.Module] = []
    for part in (family.denoiser, *family.text_encoders().values()):
        part.to = lambda *_, part=part: moved.append(part)  # type: ignore[method-assign, assignment]
    parts = Parts(family, list(lora.modules), device=torch.device("cuda"), are_apart=True)
    parts.begin()
    assert moved == [family.denoiser, *family.text_encoders().values()]
    parts.encode_captions(CAPTIONS)
    assert len(moved) == len(family.text_encoders()) + 1


@pytest.mark.parametrize(
    ("options", "rates"), [({}, [1e-3]), ({"text_encoder_lr": 2e-4}, [1e-3, 2e-4])], ids=["the-denoiser's", "its-own"]
)
def test_text_encoder_has_its_learning_rate(options: dict[str, Any], rates: list[float]) -> None:
    denoiser, text_encoder = nn.Linear(1, 1), nn.Linear(1, 1)
    config = TrainingConfig.model_validate(
        {"model_family": "sd1x", "train_text_encoder": True, "learning_rate": 1e-3, **options}
    )
    optimizer = torch.optim.AdamW([*denoiser.parameters(), *text_encoder.parameters()], lr=1e-3, weight_decay=0.5)
    give_text_encoders_their_rate(optimizer, list(text_encoder.parameters()), config)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx(rates)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.5}
    held = [each for group in optimizer.param_groups for each in group["params"]]
    assert [id(each) for each in held] == [id(each) for each in (*denoiser.parameters(), *text_encoder.parameters())]


def test_resume_with_another_number_of_learning_rates_is_refused(tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True)
    denoiser, text_encoder = nn.Linear(1, 1), nn.Linear(1, 1)
    config = TrainingConfig.model_validate(
        {"model_family": "sd1x", "train_text_encoder": True, "text_encoder_lr": 2e-4}
    )
    parameters = [*denoiser.parameters(), *text_encoder.parameters()]
    one = torch.optim.AdamW(parameters)
    save_state(tmp_path, optimizer=accelerator.prepare(one), parameters=parameters, accelerator=accelerator)
    two = torch.optim.AdamW(parameters)
    give_text_encoders_their_rate(two, list(text_encoder.parameters()), config)
    message = (
        r"rates for 1 groups of weights, and there are 2 now; resume with text_encoder_lr set, or empty, as it was"
    )
    with pytest.raises(TrainingError, match=message):
        load_state(tmp_path, optimizer=accelerator.prepare(two), parameters=parameters, accelerator=accelerator)


def test_picture_of_stable_diffusion_is_what_diffusers_makes_of_the_file(tmp_path: Path) -> None:
    """Of the averaged weights, which are in the same format."""
    run = write_run(
        tmp_path / "run",
        train_text_encoder=True,
        use_ema=True,
        ema_validation="ema_only",
        validation_disable=False,
        disable_benchmark=True,
        user_prompt_library={"cat": "cat face, ink style"},
    )
    with in_this_process():
        assert main([str(run.path)]) == 0, run.ended()
    (image,) = run.of(ValidationImageSaved)
    weights = load_file(run.path / "ema" / ADAPTER_FILE)
    of_text = {name: each for name, each in weights.items() if name.startswith("text_encoder.text_model.encoder.")}
    assert {name.partition(".")[0] for name in weights} == {"unet", "text_encoder"}
    assert any(each.any() for name, each in of_text.items() if "lora_B" in name)
    pipeline = StableDiffusionPipeline.from_pretrained(SMALL_MODEL, safety_checker=None, requires_safety_checker=False)
    pipeline.to(DEVICE).set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(run.path / "ema")
    with torch.no_grad():
        drawn = pipeline(
            "cat face, ink style",
            num_inference_steps=3,
            width=64,
            height=64,
            generator=torch.Generator().manual_seed(image.seed),
            guidance_scale=TrainingConfig(model_family="sd2x").validation_guidance,
            negative_prompt=TrainingConfig(model_family="sd2x").validation_negative_prompt,
        ).images[0]
    assert Image.open(run.path / image.path).tobytes() == drawn.tobytes()
