"""ostris' ai-toolkit: the YAML or JSON of a job, with its trainings under config.process."""

from collections.abc import Mapping
from typing import Any

from domain.config.options import options_by_key
from domain.config.training import TrainingConfig
from service.importers.ai_toolkit_datasets import add_datasets
from service.importers.ai_toolkit_rules import (
    ARCHITECTURES,
    LOGGING,
    MODEL,
    OLD_FLAGS,
    PLACE,
    SAMPLE,
    SAVE,
    TRAIN,
    TRAINERS,
    quantised,
)
from service.importers.findings import Imported, Ledger, Section
from service.importers.optimizers import assume_decay, map_betas, map_settings, optimizer
from service.importers.prompts import map_prompts, split_line
from service.importers.rules import (
    Drop,
    Report,
    To,
    apply_rules,
    flag,
    is_blank,
    is_off,
    number,
    whole,
)
from service.importers.source import Names, Source, legal_name
from service.importers.vocabulary import assume_polynomial, lycoris, map_base_model

SHIFTED_BY_SIZE = ("flux", "flux2", "qwen_image")
"""Whose schedulers say so, where those of others have one shift."""

WITH_THEIR_EPSILON = ("torch-adam", "torch-adamw", "prodigy", "bnb-adam8bit", "bnb-adamw8bit", "bnb-ademamix8bit")


def recognises(tree: Any) -> bool:
    """The process may have been damaged; what is in it is told then."""
    return isinstance(tree, dict) and isinstance(tree.get("config"), dict) and "process" in tree["config"]


def read(source: Source) -> list[Imported]:
    ledger = Ledger()
    root = ledger.open(_with_samples(source.tree))
    config = root.section("config")
    root.drop("job", "what kind of job it is")
    root.drop("meta", "about the file")
    name = legal_name(config.get("name"), source.file.stem)
    config.note("name", "name", name, "the name of the environment")
    trainings = config.sections("process")
    if not trainings:
        ledger.say("there is no training in config.process")
    for index, process in enumerate(trainings):
        if index == 0:
            _map_process(source, process, name)
        else:
            process.drop_rest("the first process becomes the environment; import this one as a file of its own")
            ledger.say(f"config.process has {len(trainings)} processes; only the first is imported")
    _assume_defaults(ledger)
    return [ledger.close(source=source.file.name, format="ai_toolkit", name=name)]


def _with_samples(tree: dict[str, Any]) -> dict[str, Any]:
    """With flags in the text of prompts taken apart, so that each has its own finding."""
    processes = tree["config"]["process"]
    if not isinstance(processes, list):
        return tree
    made = []
    for process in processes:
        sample = process.get("sample") if isinstance(process, dict) else None
        if isinstance(sample, dict) and isinstance(sample.get("prompts"), list):
            prompts = [split_line(each) if isinstance(each, str) else each for each in sample["prompts"]]
            process = {**process, "sample": {**sample, "prompts": prompts}}
        made.append(process)
    return {**tree, "config": {**tree["config"], "process": made}}


def _map_process(source: Source, process: Section, name: str) -> None:
    ledger = process.ledger
    if str(process.get("type")) in TRAINERS:
        process.drop("type", "what kind of training it is")
    else:
        process.unmap("type", "this kind of process has no equal here")
        ledger.say(
            f"config.process is {process.get('type')!r:.60}, which has no equal here; what it shares with a training is read"
        )
    for key in ("training_folder", "device", "sqlite_db_path", "performance_log_every", "log_dir"):
        process.drop(key, PLACE)
    trigger = process.get("trigger_word") if isinstance(process.get("trigger_word"), str) else None
    if trigger:
        process.note(
            "trigger_word", "instance_prompt", trigger, "set in front of every caption; there, only if it is not in it"
        )
    else:
        process.drop("trigger_word", "empty in the file")
    _map_model(process.section("model"))
    _map_network(process, process.section("network"))
    apply_rules(process.section("save"), SAVE)
    apply_rules(process.section("logging"), LOGGING)
    _map_train(process.section("train"))
    taken = Names()
    for dataset in process.sections("datasets"):
        add_datasets(source, dataset, trigger, taken)
    _map_sample(process.section("sample"), trigger)


def _map_model(model: Section) -> None:
    written = str(model.get("arch") or "").partition(":")[0]
    family, why = ARCHITECTURES.get(written), f"model.arch is {written}"
    if "arch" in model and family is None:
        model.unmap("arch", "this architecture is not known here")
        model.ledger.say(f"the architecture {written!r:.60} is not known here; choose model_family")
    elif "arch" in model:
        model.note("arch", "model_family", family)
    for key, each in OLD_FLAGS.items():
        if is_off(model.get(key)):
            model.drop(key, "switched off in the file")
            continue
        if family is None:
            family, why = each, f"model.{key} is on"
        model.note(key, "model_family", family)
    map_base_model(model, "name_or_path", family=family, why=why)
    if "model_family" not in model.ledger.config and not written:
        model.ledger.config["model_family"] = "sd1x"
        model.ledger.say("model_family is sd1x, as there when no architecture is given; change it if that is wrong")
    for on, kind, target in (
        ("quantize", "qtype", "base_model_precision"),
        ("quantize_te", "qtype_te", "text_encoder_1_precision"),
    ):
        _map_quantising(model, on, kind, target)
    apply_rules(model, MODEL)


def _map_quantising(model: Section, on: str, kind: str, target: str) -> None:
    if is_off(model.get(on)):
        model.drop(on, "switched off in the file")
        model.drop(kind, f"{on} is off")
        return
    written = str(model.get(kind) or "qfloat8")
    try:
        value = quantised(written.partition("|")[0])
    except ValueError as error:
        model.unmap(on, str(error))
        model.unmap(kind, str(error))
        return
    model.map(on, target, value, "" if kind in model else "not said how, which is qfloat8 there")
    if "|" in written:
        model.unmap(kind, f"{target} is {value}; the adapter that makes up for it has no equal here")
    else:
        model.note(kind, target, value)


def _map_network(process: Section, network: Section) -> None:
    ledger = process.ledger
    if "network" not in process or not network.values:
        ledger.config["model_type"] = "full"
        ledger.say("model_type is full: there is no network, so the whole model is trained")
        process.drop("network", "empty in the file")
        return
    ledger.config["model_type"] = "lora"
    kind = str(network.get("type") or "lora").lower()
    if kind == "lokr":
        _map_lokr(network)
    elif kind in ("lora", "locon", "dora"):
        network.note("type", "model_type", "lora")
        if kind == "dora":
            ledger.config["use_dora"] = True
    else:
        network.unmap("type", "this kind of network has no equal here")
    for key, target, convert in (
        ("linear", "lora_rank", whole),
        ("rank", "lora_rank", whole),
        ("linear_alpha", "lora_alpha", number),
        ("alpha", "lora_alpha", number),
        ("dropout", "lora_dropout", number),
    ):
        if key in network:
            apply_rules(network, {key: To(target, convert)})
    apply_rules(
        network,
        {
            "conv": Report("convolutions have the rank of the other layers here"),
            "conv_alpha": Report("convolutions have the rank of the other layers here"),
            "transformer_only": Drop("only the denoiser is adapted here"),
            "lokr_full_rank": Drop("only counts for LoKr"),
            "lokr_factor": Drop("only counts for LoKr"),
            "network_kwargs": Report("see peft_lora_target_modules"),
        },
    )


def _map_lokr(network: Section) -> None:
    settings: dict[str, Any] = {}
    is_full = not is_off(network.get("lokr_full_rank"))
    for key, target in (
        ("linear", "linear_dim"),
        ("linear_alpha", "linear_alpha"),
        ("lokr_factor", "factor"),
        ("dropout", "dropout"),
    ):
        if is_full and key in ("linear", "linear_alpha"):
            network.drop(key, "lokr_full_rank is on")
        elif key in network and not is_blank(network.get(key)):
            try:
                settings[target] = number(network.get(key))
                network.note(key, f"lycoris_config.{target}", settings[target])
            except ValueError as error:
                network.unmap(key, str(error))
    if is_full:
        settings |= {"full_matrix": True, "linear_dim": 10000, "linear_alpha": 1}
        network.note("lokr_full_rank", "lycoris_config.full_matrix", True, "the rank counts for nothing then")
    network.map("type", "lycoris_config", lycoris("lokr", **settings))
    network.ledger.config["lora_type"] = "lycoris"


def _map_train(train: Section) -> None:
    ledger = train.ledger
    if "unet_lr" in train and not is_blank(train.get("unet_lr")):
        apply_rules(train, {"unet_lr": To("learning_rate", number)})
    _map_timesteps(train)
    if "train_unet" in train and is_off(train.get("train_unet")):
        train.unmap("train_unet", "the text encoder alone is not trained here")
    if not is_off(train.get("noise_offset")):
        apply_rules(train, {"noise_offset": To("noise_offset", number, "on for every step, as there")})
        ledger.config |= {"offset_noise": True, "noise_offset_probability": 1.0}
    else:
        train.drop("noise_offset", "switched off in the file")
    if train.get("gradient_accumulation") in (1, "1") and "gradient_accumulation_steps" in train:
        train.drop("gradient_accumulation", "gradient_accumulation_steps counts")
    average = train.section("ema_config")
    if is_off(average.get("use_ema")):
        average.drop("use_ema", "switched off in the file")
        average.drop("ema_decay", "use_ema is off")
    apply_rules(average, {"use_ema": To("use_ema", flag), "ema_decay": To("ema_decay", number)})
    _map_optimizer(train)
    apply_rules(
        train.section("lr_scheduler_params"),
        {
            "num_warmup_steps": To("lr_warmup_steps", whole),
            "num_cycles": To("lr_num_cycles", whole),
            "power": To("lr_power", number),
        },
    )
    apply_rules(train, TRAIN)


def _map_timesteps(train: Section) -> None:
    """Of flow models. Only shift moves them towards noise there."""
    ledger = train.ledger
    family = str(ledger.config.get("model_family"))
    if not options_by_key(TrainingConfig)["flow_schedule_shift"].matters_to(family):
        train.drop("timestep_type", "only counts for flow models")
        return
    kind = str(train.get("timestep_type") or "sigmoid").lower()
    if kind == "linear":
        train.map("timestep_type", "flow_use_uniform_schedule", True)
    elif kind in ("shift", "flux_shift") and family in SHIFTED_BY_SIZE:
        train.map("timestep_type", "flow_schedule_auto_shift", True, "drawn alike, and shifted by size")
        ledger.set("flow_use_uniform_schedule", True, key="timestep_type")
    elif kind == "sigmoid":
        train.drop("timestep_type", "a sigmoid is drawn from here unless another schedule is chosen")
    else:
        train.unmap("timestep_type", "timesteps are not drawn so here; see flow_schedule_shift")
        return
    if "flow_schedule_auto_shift" not in ledger.config:
        ledger.assume("flow_schedule_shift", 1.0, "timesteps are not shifted there")


def _map_optimizer(train: Section) -> None:
    """Some epsilons are their own, and so is the rate of Prodigy."""
    ledger, arguments = train.ledger, train.section("optimizer_params")
    kind = str(train.get("optimizer") or "adamw").lower()
    if kind == "adafactor" and is_off(arguments.get("scale_parameter")):
        train.unmap(
            "optimizer", "Adafactor without scale_parameter has no equal here; torch-adafactor scales its steps"
        )
    elif kind in ("adam8", "adamw8"):
        train.unmap("optimizer", "this optimizer is their own; adamw_bf16 and bnb-adamw8bit need as little memory")
    elif kind == "adagrad":
        train.map("optimizer", "optimizer", "torch-adagrad")
    elif "optimizer" in train:
        apply_rules(train, {"optimizer": To("optimizer", optimizer)})
    if "optimizer" not in ledger.config and not is_blank(train.get("optimizer")):
        ledger.miss("optimizer")
    ledger.assume("optimizer", "torch-adamw")
    if ledger.config.get("optimizer") == "prodigy":
        _map_rate_of_prodigy(train)
    apply_rules(arguments, {"weight_decay": To("adam_weight_decay", number), "eps": To("adam_epsilon", number)})
    if "betas" in arguments:
        map_betas(arguments)
    for key in ("scale_parameter", "relative_step", "warmup_init"):
        if ledger.config.get("optimizer") == "torch-adafactor":
            arguments.drop(key, "as torch-adafactor has it")
    map_settings(arguments)
    assume_decay(ledger)
    if ledger.config.get("optimizer") in WITH_THEIR_EPSILON:
        ledger.assume("adam_epsilon", 1e-6)


def _map_rate_of_prodigy(train: Section) -> None:
    """Rates below a tenth are taken for those of other optimizers there, and replaced by 1."""
    try:
        rate = number(train.get("lr"))
    except ValueError:
        return
    if rate < 0.1:
        train.map("lr", "learning_rate", 1.0, "there, prodigy has 1 where less than 0.1 is given")


def _map_sample(sample: Section, trigger: str | None) -> None:
    """samples is the newer spelling: entries with settings of their own; prompts the older one. What holds for all counts."""
    named = {"neg": "negative", "sample_steps": "steps", "guidance_scale": "scale"}
    if is_off(sample.get("neg")):
        sample.drop("neg", "empty in the file")
    map_prompts([_named(sample.without(("samples", "prompts")), named)])
    entries = [_named(each, named) for key in ("samples", "prompts") for each in sample.sections(key)]
    map_prompts(entries, trigger=trigger)
    apply_rules(sample, SAMPLE)


def _named(section: Section, names: Mapping[str, str]) -> Section:
    return section.renamed(lambda key: names.get(key, key))


def _assume_defaults(ledger: Ledger) -> None:
    """As config_modules of ai-toolkit has them."""
    defaults: dict[str, Any] = {
        "learning_rate": 1e-6,
        "lr_scheduler": "constant",
        "train_batch_size": 1,
        "max_train_steps": 1000,
        "num_train_epochs": 0,
        "mixed_precision": "no",
        "gradient_checkpointing": True,
        "max_grad_norm": 1.0,
        "caption_dropout_probability": 0.0,
    }
    if ledger.config.get("model_type") == "lora" and "lycoris_config" not in ledger.config:
        defaults |= {"lora_rank": 4, "lora_alpha": 1.0, "lora_dropout": 0.0}
    if ledger.config.get("lr_scheduler") == "constant_with_warmup":
        defaults["lr_warmup_steps"] = 1000
    if ledger.config.get("use_ema"):
        defaults["ema_decay"] = 0.999
    for target, value in defaults.items():
        ledger.assume(target, value)
    assume_polynomial(ledger)
