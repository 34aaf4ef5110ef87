"""Measurements made while a run goes on."""

from typing import Literal

from domain.config.options import Group, Part, option


class EvaluationOptions(Part):
    group = Group("evaluation", "Evaluation", "Numbers that say how well the model does on pictures it does not learn.")

    evaluation_type: Literal["none", "clip"] = option(
        "none",
        label="Score pictures",
        advanced=True,
        later=True,
        help="clip measures how well validation pictures match their prompts.",
    )
    pretrained_evaluation_model_name_or_path: str = option(
        "openai/clip-vit-large-patch14-336",
        label="Scored by",
        advanced=True,
        later=True,
        kind="path",
        requires={"evaluation_type": "clip"},
        help="The CLIP model that scores.",
    )
    eval_dataset_id: str | None = option(
        None,
        label="Held-out dataset",
        advanced=True,
        help="The dataset that the loss is measured on. Empty: all datasets of kind eval.",
    )
    eval_dataset_pooling: bool = option(
        False,
        label="One number for all",
        advanced=True,
        help="Tell the average over all held-out pictures alone, without a loss for each dataset.",
    )
    eval_loss_disable: bool = option(
        False, label="No held-out loss", advanced=True, help="Do not measure a loss on held-out pictures."
    )
    eval_steps_interval: int | None = option(
        None,
        label="Measure every",
        advanced=True,
        ge=1,
        unit="steps",
        help="Steps between two measurements. With neither steps nor epochs: for every checkpoint. There is always one at the end.",
    )
    eval_epoch_interval: float | None = option(
        None,
        label="Measure after epochs",
        advanced=True,
        gt=0,
        unit="epochs",
        help="Also measure whenever this much of the data was seen; 0.5 is twice an epoch.",
    )
    num_eval_images: int = option(
        4,
        label="Pictures measured",
        advanced=True,
        ge=1,
        help="Held-out pictures of each dataset that are measured, always the same ones.",
    )
    eval_timesteps: int = option(
        28,
        label="Timesteps measured",
        advanced=True,
        ge=1,
        le=1000,
        help="At how many fixed timesteps the loss of each is measured.",
    )
