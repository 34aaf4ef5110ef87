"""How kohya's scripts learn: the optimizer with its arguments, the rates of what is trained, and the schedule."""

from typing import Any

from domain.config.rules import TEXT_TRAINING_FAMILIES
from service.importers.findings import Section
from service.importers.kohya_options import Options
from service.importers.optimizers import assume_decay, map_betas, map_settings, native, optimizer
from service.importers.rules import To, apply_rule, is_blank, is_off, number

RELATIVE_RATE = 1e-2
"""Adafactor of transformers takes the smaller of this and one over the root of the step where relative_step is on; torch's
takes the smaller of the learning rate and the same."""

RELATIVE = "Adafactor finds its rate by itself there, since relative_step is on"
UNLESS = "there, text encoders get an adapter as well unless network_train_unet_only is on"
ONE_RATE = "all text encoders have one rate here"


def map_optimizer(options: Options) -> None:
    ledger = options.ledger
    arguments = next((each.section("optimizer_args") for each in options.sections if "optimizer_args" in each), None)
    if arguments is None:
        arguments = Section(ledger, "optimizer_args", {})
    place = options.at("optimizer_type")
    written = "" if place is None else str(place.get("optimizer_type") or "").strip()
    for key, named in (("use_8bit_adam", "AdamW8bit"), ("use_lion_optimizer", "Lion")):
        old = options.at(key)
        if old is None:
            continue
        if written or is_off(old.get(key)):
            old.drop(key, "optimizer_type counts" if written else "switched off in the file")
        else:
            old.map(key, "optimizer", optimizer(named))
    fixed: dict[str, Any] = {}
    kind = written.lower()
    if place is not None and kind == "sgdnesterov":
        place.map("optimizer_type", "optimizer", "torch-sgd", "with nesterov in optimizer_config")
        fixed = {"momentum": 0.9, "nesterov": True}
    elif place is not None and kind == "adafactor":
        _map_adafactor(options, place, arguments)
    elif place is not None and written:
        apply_rule(place, "optimizer_type", To("optimizer", optimizer))
        if "optimizer" not in ledger.config:
            ledger.miss("optimizer")
    ledger.assume("optimizer", "torch-adamw")
    for key, target in (("weight_decay", "adam_weight_decay"), ("eps", "adam_epsilon")):
        if key in arguments:
            apply_rule(arguments, key, To(target, number))
    if "betas" in arguments:
        map_betas(arguments)
    map_settings(arguments, fixed=fixed)
    assume_decay(ledger)


def _map_adafactor(options: Options, place: Section, arguments: Section) -> None:
    """As torch's, where its steps are scaled by the size of the weights, and it does not begin with small ones."""
    given = {key: native(arguments.get(key)) for key in ("relative_step", "scale_parameter", "warmup_init")}
    if given["scale_parameter"] is False or given["warmup_init"] is True:
        place.unmap(
            "optimizer_type", "Adafactor with these optimizer_args has no equal here; torch-adafactor scales its steps"
        )
        place.ledger.miss("optimizer")
        return
    place.map(
        "optimizer_type", "optimizer", "torch-adafactor", "with steps scaled by the size of the weights, as there"
    )
    for key in given:
        arguments.drop(key, "as torch-adafactor has it")
    if given["relative_step"] is False:
        return
    for key in ("learning_rate", "unet_lr", "text_encoder_lr", "lr_scheduler", "lr_warmup_steps"):
        section = options.at(key)
        if section is not None:
            section.drop(key, RELATIVE)
    place.ledger.assume("learning_rate", RELATIVE_RATE, "the largest that Adafactor takes by itself there")
    place.ledger.assume("lr_scheduler", "constant", RELATIVE)


def map_rates(options: Options) -> None:
    """unet_lr is the rate of the denoiser, learning_rate its default, and that of text encoders."""
    denoiser = options.at("unet_lr")
    if denoiser is not None and not is_off(denoiser.get("unet_lr")):
        if "learning_rate" not in options.ledger.config:
            apply_rule(denoiser, "unet_lr", To("learning_rate", number))
    elif denoiser is not None:
        denoiser.drop("unet_lr", "learning_rate counts")
    _map_text_encoders(options)
    common = options.at("learning_rate")
    if common is not None and "learning_rate" in options.ledger.config:
        common.drop("learning_rate", "unet_lr counts for the denoiser")


def _map_text_encoders(options: Options) -> None:
    ledger, family = options.ledger, str(options.ledger.config.get("model_family"))
    encoder = options.at("text_encoder_lr")
    rate = None if encoder is None else _one_rate(encoder.get("text_encoder_lr"))
    is_frozen = any(options.is_on(key) for key in ("network_train_unet_only", "cache_text_encoder_outputs"))
    is_trained = ledger.config.get("model_type") == "lora" and not is_frozen and rate != 0
    if is_trained and (family not in TEXT_TRAINING_FAMILIES or ledger.config.get("lora_type") == "lycoris"):
        ledger.say(
            f"{UNLESS}; here they do not, for {family}" + (" with LyCORIS" if "lora_type" in ledger.config else "")
        )
        if encoder is not None:
            encoder.unmap("text_encoder_lr", "text encoders are not trained here")
    elif not is_trained:
        if encoder is not None:
            encoder.drop("text_encoder_lr", "text encoders are not trained")
    else:
        ledger.assume("train_text_encoder", True, UNLESS)
        if encoder is not None and "text_encoder_lr" in encoder:
            _map_encoder_rate(options, encoder, rate)
        elif options.at("learning_rate") is not None and options.is_on("unet_lr"):
            _keep_common_rate(options)


def _map_encoder_rate(options: Options, encoder: Section, rate: float | str | None) -> None:
    chosen = options.ledger.config.get("optimizer")
    if rate is None:
        encoder.drop("text_encoder_lr", "empty in the file")
    elif isinstance(rate, str):
        encoder.unmap("text_encoder_lr", rate)
    elif chosen == "prodigy":
        encoder.drop("text_encoder_lr", "prodigy finds one rate for everything, as there")
    else:
        encoder.map("text_encoder_lr", "text_encoder_lr", rate)


def _keep_common_rate(options: Options) -> None:
    """learning_rate is that of text encoders where only the denoiser has its own."""
    common = options.at("learning_rate")
    if common is not None and options.ledger.config.get("optimizer") not in ("prodigy", "torch-adafactor"):
        apply_rule(common, "learning_rate", To("text_encoder_lr", number, "unet_lr counts for the denoiser"))


def _one_rate(value: Any) -> float | str | None:
    """A number, or why it is none; for several text encoders theirs is a list."""
    if is_blank(value):
        return None
    listed = value if isinstance(value, list) else [value]
    try:
        rates = {number(each) for each in listed}
    except ValueError as error:
        return str(error)
    return rates.pop() if len(rates) == 1 else ONE_RATE


def map_warm_up(options: Options) -> None:
    """A warm-up below 1 is a share of all steps."""
    section = options.at("lr_warmup_steps")
    if section is None or is_blank(section.get("lr_warmup_steps")):
        return
    try:
        given = number(section.get("lr_warmup_steps"))
    except ValueError:
        return
    if not 0 < given < 1:
        return
    steps = options.ledger.config.get("max_train_steps")
    if isinstance(steps, int) and steps > 0:
        section.map("lr_warmup_steps", "lr_warmup_steps", round(given * steps), f"{given:g} of {steps} steps")
    else:
        section.unmap("lr_warmup_steps", "a share of all steps, which follow from the data; set lr_warmup_steps")
        options.ledger.miss("lr_warmup_steps")
