"""Nerogar's OneTrainer: its JSON of a training, with concepts and samples in it or in files of their own.

Its files say their version; older ones call some things otherwise. Both spellings are read, whatever the version says. A full
file holds every field of the form, also of models and methods that are not used.
"""

from collections.abc import Mapping
from typing import Any

from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from service.importers.findings import Imported, Ledger, Section
from service.importers.onetrainer_concepts import map_concepts, map_samples
from service.importers.onetrainer_parts import denoiser_of, map_parts
from service.importers.onetrainer_rules import (
    FAMILIES,
    OPTIMIZER_RULES,
    RULES,
    SCHEDULES,
    onetrainer_optimizer,
)
from service.importers.optimizers import SETTINGS, assume_decay, map_settings
from service.importers.parsing import Unreadable, parse_json
from service.importers.rules import To, apply_rule, apply_rules, edge, is_blank, is_off, number, whole
from service.importers.source import Source, legal_name
from service.importers.vocabulary import lycoris, map_base_model, map_timestep_range

OTHERS = frozenset(
    {
        *("weight_decay_by_lr", "split_groups", "split_groups_mean", "factored", "factored_fp32", "use_stableadamw"),
        *(
            "d_limiter",
            "use_schedulefree",
            "rms_rescaling",
            "orthogonal_gradient",
            "state_precision",
            "centered_wd_mode",
        ),
        *("scale_parameter", "relative_step", "warmup_init", "eps2", "no_prox", "adam_w_mode", "dampening", "r"),
    }
)
"""Settings of some optimizers that stand in the files of all."""

SIGNS = frozenset(
    {
        *("training_method", "model_type", "base_model_name", "concept_file_name", "workspace_dir", "train_dtype"),
        *(
            "output_model_destination",
            "learning_rate_scheduler",
            "aspect_ratio_bucketing",
            "sample_definition_file_name",
        ),
        *(
            "latent_caching",
            "image_caching",
            "backup_after",
            "output_dtype",
            "timestep_distribution",
            "unet",
            "transformer",
        ),
    }
)


def recognises(tree: Any) -> bool:
    return isinstance(tree, dict) and (
        len(SIGNS & tree.keys()) >= 3 or {"training_method", "model_type"} <= tree.keys()
    )


def read(source: Source) -> list[Imported]:
    ledger = Ledger()
    root = ledger.open(source.tree)
    method = str(root.get("training_method") or "FINE_TUNE").upper()
    family = _map_model(root)
    _map_method(root, method)
    _map_rates(root, denoiser_of(root, family))
    _map_times(root)
    _map_loss(root)
    _map_noise(root, family)
    map_parts(root, family)
    _map_optimizer(root)
    _map_data(source, root)
    size = root.get("resolution")
    if not is_blank(size):
        _map_resolution(root)
    apply_rules(root, RULES)
    _assume_defaults(ledger, method)
    name = legal_name(root.get("save_filename_prefix"), source.file.stem)
    root.note("save_filename_prefix", "name", name)
    return [ledger.close(source=source.file.name, format="onetrainer", name=name)]


def _map_model(root: Section) -> str | None:
    kind = str(root.get("model_type") or "STABLE_DIFFUSION_15").upper()
    family = FAMILIES.get(kind)
    if family is None:
        root.unmap("model_type", "this model is not known here")
        root.ledger.say(f"the model {kind!r:.60} is not known here; choose model_family")
    else:
        root.ledger.config["model_family"] = family
        root.note("model_type", "model_family", family)
        if "model_type" not in root:
            root.ledger.say("model_type is not in the file; there it is STABLE_DIFFUSION_15 then")
        if kind.endswith(("INPAINTING", "DEPTH")) or "FILL" in kind:
            root.ledger.say(f"{kind}: a model with more inputs; here it is trained as a usual {family}")
    map_base_model(root, "base_model_name", family=family, why=f"model_type is {kind}")
    return family


def _map_method(root: Section, method: str) -> None:
    ledger = root.ledger
    if method not in ("LORA", "FINE_TUNE"):
        root.unmap("training_method", "only adapters and whole models are trained here")
        ledger.say(f"the training method {method!r:.40} has no equal here; the environment becomes a LoRA")
    else:
        root.note("training_method", "model_type", "lora" if method == "LORA" else "full")
    ledger.config["model_type"] = "full" if method == "FINE_TUNE" else "lora"
    kind = str(root.get("peft_type") or "LORA").upper()
    adapter = ("lora_rank", "lora_alpha", "dropout_probability", "lora_model_name")
    if method != "LORA":
        for key in (*adapter, "lora_decompose"):
            root.drop(key, "only counts for an adapter")
    elif kind in ("LOHA", "LOKR"):
        _map_lycoris(root, kind.lower())
    elif kind != "LORA":
        root.unmap("peft_type", "this kind of adapter has no equal here")
    root.drop("peft_type", "an adapter of the usual kind" if method == "LORA" else "only counts for an adapter")
    if kind != "LOKR" or method != "LORA":
        root.drop_rest("only counts for LoKr", [key for key in root.open_keys() if key.startswith("lokr_")])
    root.drop_rest(
        "only counts for OFT", [key for key in root.open_keys() if key.startswith("oft_") or key == "dora_oft"]
    )


def _map_lycoris(root: Section, algorithm: str) -> None:
    settings: dict[str, Any] = {}
    rank = "lokr_dim" if algorithm == "lokr" and "lokr_dim" in root else "lora_rank"
    names = {rank: "linear_dim", "lora_alpha": "linear_alpha", "dropout_probability": "dropout"}
    if algorithm == "lokr":
        names |= {
            "lokr_decompose_factor": "factor",
            "lokr_decompose_both": "decompose_both",
            "lokr_use_tucker": "use_tucker",
            "lokr_full_matrix": "full_matrix",
            "lokr_weight_decompose": "dora_wd",
        }
    for key, target in names.items():
        if key in root and not is_blank(root.get(key)):
            settings[target] = root.get(key)
            root.note(key, f"lycoris_config.{target}", settings[target])
    settings.setdefault("linear_dim", 16)
    settings.setdefault("linear_alpha", 1.0)
    root.map("peft_type", "lycoris_config", lycoris(algorithm, **settings))
    root.ledger.config["lora_type"] = "lycoris"
    root.drop("lora_rank", "lokr_dim counts")


def _map_rates(root: Section, denoiser: str) -> None:
    """The rate of the denoiser counts where it is given; learning_rate is its default."""
    own, older = root.section(denoiser), f"{denoiser}_learning_rate"
    place, key = (own, "learning_rate") if not is_blank(own.get("learning_rate")) else (root, older)
    if not is_blank(place.get(key)):
        apply_rule(place, key, To("learning_rate", number))
        if "learning_rate" in root.ledger.config:
            root.drop("learning_rate", "the denoiser has a rate of its own")
    written = str(root.get("learning_rate_scheduler") or "CONSTANT").upper()
    steps = root.get("learning_rate_warmup_steps")
    chosen = SCHEDULES.get(written)
    if chosen is None:
        root.unmap("learning_rate_scheduler", "this schedule has no equal here")
        root.ledger.miss("lr_scheduler")
    else:
        warms_up = chosen == "constant" and not is_off(steps)
        chosen = "constant_with_warmup" if warms_up else chosen
        root.map("learning_rate_scheduler", "lr_scheduler", chosen, "with the warm-up steps" if warms_up else "")
    if is_blank(steps):
        return
    try:
        given = number(steps)
    except ValueError as error:
        root.unmap("learning_rate_warmup_steps", str(error))
        return
    if 0 < given < 1:
        root.ledger.miss("lr_warmup_steps")
        root.unmap(
            "learning_rate_warmup_steps", "a share of all steps, which follow from the data; set lr_warmup_steps"
        )
    else:
        root.map("learning_rate_warmup_steps", "lr_warmup_steps", round(given))


def _map_times(root: Section) -> None:
    """What happens every so often, in steps or epochs; minutes and hours have no equal."""
    if "save_every" not in root and "save_after" in root:
        keys = ("save_after", "save_after_unit")
    else:
        keys = ("save_every", "save_every_unit")
    _map_time(root, "sample_after", "sample_after_unit", "validation_step_interval", "validation_epoch_interval")
    _map_time(root, *keys, "checkpoint_step_interval", "checkpoint_epoch_interval")
    _map_time(root, "backup_after", "backup_after_unit", "checkpoint_step_interval", "checkpoint_epoch_interval")
    _map_time(root, "validate_after", "validate_after_unit", "eval_steps_interval", "eval_epoch_interval")


def _map_time(root: Section, key: str, unit_key: str, by_step: str, by_epoch: str) -> None:
    unit = str(root.get(unit_key) or "NEVER").upper()
    if key not in root and unit_key not in root:
        return
    target = {"STEP": by_step, "EPOCH": by_epoch}.get(unit)
    if unit == "NEVER" or is_off(root.get(key)):
        root.drop(key, "switched off in the file")
        root.drop(unit_key, "switched off in the file")
    elif key == "validate_after" and is_off(root.get("validation")):
        root.drop(key, "validation is off")
        root.drop(unit_key, "validation is off")
    elif target is None:
        root.unmap(key, f"every {unit.lower():.20}: intervals are steps or epochs here; set {by_step}")
        root.unmap(unit_key, f"intervals are steps or epochs here; set {by_step}")
    else:
        apply_rule(root, key, To(target, whole))
        root.note(unit_key, target, root.ledger.config.get(target))


def _map_loss(root: Section) -> None:
    kind = str(root.get("loss_weight_fn") or "CONSTANT").upper()
    if "loss_weight_fn" in root:
        if kind in ("MIN_SNR_GAMMA", "MIN_SNR"):
            strength = root.get("loss_weight_strength")
            try:
                root.map("loss_weight_fn", "snr_gamma", number(5 if is_blank(strength) else strength))
                root.note("loss_weight_strength", "snr_gamma", root.ledger.config["snr_gamma"])
            except ValueError as error:
                root.unmap("loss_weight_strength", str(error))
        elif kind == "CONSTANT":
            root.drop("loss_weight_fn", "the loss is not weighted")
        else:
            root.unmap("loss_weight_fn", "the loss is not weighted so here; see snr_gamma")
    root.drop("loss_weight_strength", "loss_weight_fn says whether it counts")
    huber = root.get("huber_strength")
    if not is_off(huber):
        if is_off(root.get("mse_strength")) and is_off(root.get("mae_strength")):
            root.map("huber_strength", "loss_type", "huber", "its strength does not matter alone")
            root.drop("mse_strength", "switched off in the file")
        else:
            root.unmap("huber_strength", "losses are not mixed here; see loss_type")


def _map_noise(root: Section, family: str | None) -> None:
    for key in ("force_v_prediction", "force_epsilon_prediction"):
        if is_off(root.get(key)):
            root.drop(key, "switched off in the file")
    if "force_v_prediction" in root:
        apply_rule(root, "force_v_prediction", To("prediction_type", lambda _: "v_prediction"))
    if "force_epsilon_prediction" in root:
        apply_rule(root, "force_epsilon_prediction", To("prediction_type", lambda _: "epsilon"))
    if is_off(root.get("offset_noise_weight")):
        root.drop("offset_noise_weight", "switched off in the file")
    elif not options_by_key(TrainingConfig)["offset_noise"].matters_to(family):
        root.unmap("offset_noise_weight", "noise of flow models has no offset here")
    else:
        apply_rule(root, "offset_noise_weight", To("noise_offset", number, "on for every step, as there"))
        root.ledger.config |= {"offset_noise": True, "noise_offset_probability": 1.0}
    is_flow = options_by_key(TrainingConfig)["flow_schedule_shift"].matters_to(family) and family is not None
    kind = str(root.get("timestep_distribution") or "UNIFORM").upper()
    if kind == "UNIFORM" and is_flow and "timestep_distribution" not in root:
        root.ledger.assume("flow_use_uniform_schedule", True)
    elif kind == "UNIFORM" and is_flow:
        root.map("timestep_distribution", "flow_use_uniform_schedule", True)
    elif kind == "UNIFORM":
        root.drop("timestep_distribution", "always so here")
    elif kind == "LOGIT_NORMAL" and is_flow:
        root.drop("timestep_distribution", "a sigmoid of a normal draw, which is what happens here by itself")
    else:
        root.unmap("timestep_distribution", "timesteps are not drawn so here")
    if is_flow:
        if is_off(root.get("dynamic_timestep_shifting")) and is_blank(root.get("timestep_shift")):
            root.ledger.assume("flow_schedule_shift", 1.0)
    else:
        root.drop("timestep_shift", "only counts for flow models")
        root.drop("dynamic_timestep_shifting", "only counts for flow models")
        map_timestep_range(root, "min_noising_strength", root, "max_noising_strength", scale=1000)
    for key in ("noising_weight", "noising_bias"):
        if is_off(root.get(key)):
            root.drop(key, "switched off in the file")
        else:
            root.unmap(key, "timesteps are not drawn so here; see flow_sigmoid_scale")


def _map_optimizer(root: Section) -> None:
    """A section of its own, or in the oldest files a name and fields that begin with optimizer_."""
    settings = root.section("optimizer")
    if settings.values:
        place, key = settings, "optimizer"
    else:
        place, key = root, "optimizer"
    if str(place.get(key) or "").upper() == "ADAFACTOR" and is_off(settings.get("scale_parameter")):
        place.unmap(key, "Adafactor without scale_parameter has no equal here; torch-adafactor scales its steps")
        root.ledger.miss("optimizer")
    elif key in place and not is_blank(place.get(key)):
        try:
            place.map(key, "optimizer", onetrainer_optimizer(place.get(key)))
        except ValueError as error:
            place.unmap(key, str(error))
            root.ledger.miss("optimizer")
    root.ledger.assume("optimizer", "torch-adamw")
    apply_rules(settings, OPTIMIZER_RULES)
    known = SETTINGS.get(str(root.ledger.config.get("optimizer")), frozenset())
    for name in settings.open_keys():
        if is_blank(settings.get(name)) or (name not in known and is_off(settings.get(name))):
            settings.drop(name, "switched off in the file")
        elif name in OTHERS and name not in known:
            settings.drop(name, "only counts for an optimizer that has it")
    map_settings(settings)
    older = {f"optimizer_{name}": rule for name, rule in OPTIMIZER_RULES.items()} | {
        name: OPTIMIZER_RULES[name] for name in ("weight_decay",)
    }
    apply_rules(root, older)
    assume_decay(root.ledger)


def _map_resolution(root: Section) -> None:
    written = root.get("resolution")
    first = str(written).split(",")[0].strip()
    try:
        value = edge(first)
    except ValueError as error:
        root.unmap("resolution", str(error))
        return
    if "," in str(written):
        root.unmap("resolution", "one resolution for each dataset here; make a dataset for each of these")
        root.ledger.say(
            f"several resolutions ({written!s:.60}): the first is taken; make a dataset for each of the others"
        )
        root.ledger.set("resolution", value, key="resolution")
    else:
        root.map(
            "resolution", "resolution", value, "" if first.isdecimal() else "the edge of the square with the same area"
        )


def _map_data(source: Source, root: Section) -> None:
    for key, file_key, read_entries in (
        ("concepts", "concept_file_name", map_concepts),
        ("samples", "sample_definition_file_name", map_samples),
    ):
        if root.sections(key):
            read_entries(source, root.sections(key))
            root.drop(file_key, f"{key} are in the file itself")
            continue
        root.drop(key, "empty in the file")
        entries = _from_file(source, root, file_key)
        if entries is not None:
            read_entries(source, entries)


def _from_file(source: Source, root: Section, key: str) -> list[Section] | None:
    companion = source.companion(root.get(key))
    if companion is None:
        if not is_blank(root.get(key)):
            root.unmap(key, "the file it names is not here; import it together with this one")
        return None
    text = source.text_of(companion, root)
    try:
        tree = parse_json(text or "").tree
    except Unreadable as error:
        root.unmap(key, f"{companion.name} cannot be read")
        root.ledger.say(f"{companion.name}: {error}")
        return None
    root.drop(key, f"read from {companion.name}")
    document: Mapping[str, Any] = {"entries": tree if isinstance(tree, list) else [tree]}
    return root.ledger.open(document, f"{companion.name}:").sections("entries")


def _assume_defaults(ledger: Ledger, method: str) -> None:
    """As TrainConfig of OneTrainer has them."""
    defaults: dict[str, Any] = {
        "learning_rate": 3e-6,
        "lr_scheduler": "constant_with_warmup",
        "lr_warmup_steps": 200,
        "train_batch_size": 1,
        "num_train_epochs": 100,
        "max_train_steps": 0,
        "resolution": 512,
        "mixed_precision": "fp16",
        "gradient_checkpointing": True,
        "max_grad_norm": 1.0,
        "caption_dropout_probability": 0.0,
    }
    if ledger.config.get("use_ema"):
        defaults |= {"ema_decay": 0.999, "ema_update_interval": 5}
    if method == "LORA" and "lycoris_config" not in ledger.config:
        defaults |= {"lora_rank": 16, "lora_alpha": 1.0, "lora_dropout": 0.0}
    for target, value in defaults.items():
        ledger.assume(target, value)
