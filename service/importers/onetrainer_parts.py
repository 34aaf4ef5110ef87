"""The parts of a model in OneTrainer's files: a section for each, or in older files fields that begin with its name."""

from typing import Any

from domain.config.rules import TEXT_TRAINING_FAMILIES
from service.importers.findings import Section
from service.importers.onetrainer_rules import DATA_TYPES, PARTS, UNUSED_PARTS
from service.importers.rules import (
    Drop,
    Rules,
    To,
    apply_rule,
    apply_rules,
    flag,
    is_blank,
    is_off,
    number,
    one_of,
    text,
)

UNETS = ("sd1x", "sd2x", "sdxl")
ENCODERS = {"text_encoder": 1, "text_encoder_2": 2, "text_encoder_3": 3, "text_encoder_4": 4}
DENOISER: Rules = {
    "gradient_checkpointing": To("gradient_checkpointing", flag),
    "model_name": To("pretrained_transformer_model_name_or_path", text),
    "guidance_scale": To("flux_guidance_value", number, off=(1,)),
    "train": Drop("the denoiser is what is trained here"),
}
AUTOENCODER: Rules = {
    "model_name": To("pretrained_vae_model_name_or_path", text),
    "weight_dtype": To(
        "vae_dtype", one_of({key.lower(): each for key, each in DATA_TYPES.items()}, what="the precision")
    ),
}
ELSEWHERE = "a part that this model does not have, or that is not trained here"


def denoiser_of(root: Section, family: str | None) -> str:
    """Files of older versions call the transformers of most models prior."""
    if family in UNETS or family is None:
        return "unet"
    return "prior" if family == "stable_cascade" or not root.section("transformer").values else "transformer"


def map_parts(root: Section, family: str | None) -> None:
    denoiser = root.section(denoiser_of(root, family))
    _map_precision(denoiser, "weight_dtype", "base_model_precision")
    apply_rules(denoiser, DENOISER)
    denoiser.drop_rest("a setting of a part that follows from the model here")
    for part, number_of in ENCODERS.items():
        own = root.section(part)
        _map_precision(own, "weight_dtype", f"text_encoder_{number_of}_precision")
        _map_encoder(root, own, part, own.get("train") if "train" in own else root.get(f"train_{part}"))
        own.drop_rest("a setting of a part that follows from the model here")
    for part in PARTS:
        for suffix in ("_weight_dtype", "_learning_rate", "_layer_skip", "_sequence_length"):
            _map_flat_part(root, f"{part}{suffix}")
        root.drop(f"train_{part}_epochs", "parts are trained to the end here")
        if part not in ENCODERS:
            root.drop(f"train_{part}", "the denoiser is what is trained here")
    autoencoder = root.section("vae")
    apply_rules(autoencoder, AUTOENCODER)
    autoencoder.drop_rest("the autoencoder is not trained here")
    for key in (*UNUSED_PARTS, "unet", "transformer", "prior"):
        root.section(key).drop_rest(ELSEWHERE)


def _map_flat_part(root: Section, key: str) -> None:
    if key not in root:
        return
    if is_off(root.get(key)) or key.endswith(("_weight_dtype", "_learning_rate")):
        root.drop(key, "follows from the options of the whole model here")
    else:
        root.unmap(key, "text encoders are used as the base model was made")


def trains_text_encoders(root: Section) -> bool:
    config = root.ledger.config
    is_plain = config.get("model_type") == "lora" and "lora_type" not in config and is_off(root.get("lora_decompose"))
    return is_plain and config.get("model_family") in TEXT_TRAINING_FAMILIES


def _map_encoder(root: Section, own: Section, part: str, train: Any) -> None:
    """Theirs are trained unless it is said otherwise, here only when it is said, and all of a model or none."""
    place, key = (own, "train") if "train" in own else (root, f"train_{part}")
    can_train = trains_text_encoders(root)
    if part == "text_encoder" and can_train and key not in place:
        root.ledger.assume("train_text_encoder", True, "text encoders are trained there unless it is said otherwise")
    elif train and can_train:
        place.map(key, "train_text_encoder", True, "all text encoders")
        chosen = root.section("optimizer").get("optimizer") or root.get("optimizer")
        if str(chosen).upper() == "PRODIGY":
            own.drop("learning_rate", "prodigy finds one rate for everything")
        elif part == "text_encoder" and not is_blank(own.get("learning_rate")):
            apply_rule(own, "learning_rate", To("text_encoder_lr", number))
    elif train:
        own.unmap("train", "text encoders are not trained here with this model and method")
        root.unmap(f"train_{part}", "text encoders are not trained here with this model and method")
    else:
        own.drop("train", "text encoders are not trained here unless train_text_encoder says so")
        root.drop(f"train_{part}", "text encoders are not trained here unless train_text_encoder says so")
    if not is_off(own.get("dropout_probability")) and part == "text_encoder":
        apply_rule(own, "dropout_probability", To("caption_dropout_probability", number))


def _map_precision(section: Section, key: str, target: str) -> None:
    written = str(section.get(key) or "").upper()
    if key not in section:
        return
    if written in ("", "NONE", *DATA_TYPES):
        section.drop(key, "the base model is loaded in the precision of the training here")
    elif written == "NFLOAT_4":
        section.map(key, target, "nf4-bnb")
    else:
        section.unmap(key, f"this precision has no equal here; see {target}")
