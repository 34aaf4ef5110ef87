"""What is learned from a noisy picture: the loss, the noise, and the timesteps that are drawn."""

from typing import Literal

from domain.config.options import Group, Part, option
from domain.config.parts.model import DISCRETE_FAMILIES, FLOW_FAMILIES


class LossOptions(Part):
    group = Group("loss", "Loss", "How far off a prediction is, and which ones count more.")

    loss_type: Literal["l2", "huber", "smooth_l1"] = option(
        "l2",
        label="Kind of loss",
        help="l2 squares the error; huber and smooth_l1 grow slower for large ones, so that bad pictures count less.",
    )
    huber_schedule: Literal["snr", "exponential", "constant"] = option(
        "snr",
        label="Change of the bend",
        advanced=True,
        requires={"loss_type": ["huber", "smooth_l1"]},
        help="How the point where the loss bends changes with the noise level.",
    )
    huber_c: float = option(
        0.1,
        label="Bend",
        advanced=True,
        gt=0,
        requires={"loss_type": ["huber", "smooth_l1"]},
        help="Size of the error from which on the loss grows in a straight line.",
    )
    snr_gamma: float | None = option(
        None,
        label="Min-SNR gamma",
        advanced=True,
        gt=0,
        families=DISCRETE_FAMILIES,
        help="Weigh noise levels by their signal-to-noise ratio, cut at this value; 5 is usual. Empty turns it off.",
    )
    snr_weight: float = option(
        1.0,
        label="Weight of min-SNR",
        advanced=True,
        ge=0,
        families=DISCRETE_FAMILIES,
        help="What the loss is multiplied by where min-SNR is used.",
    )
    use_soft_min_snr: bool = option(
        False,
        label="Soft min-SNR",
        advanced=True,
        families=DISCRETE_FAMILIES,
        help="Bend the weights of min-SNR smoothly instead of cutting them.",
    )
    soft_min_snr_sigma_data: float | None = option(
        None,
        label="Spread of the data",
        advanced=True,
        gt=0,
        requires={"use_soft_min_snr": True},
        help="Standard deviation of latents that soft min-SNR reckons with; 0.5 is usual. Empty: by the gamma of min-SNR.",
    )
    masked_loss_probability: float = option(
        1.0,
        label="Masks count",
        advanced=True,
        ge=0,
        le=1,
        help="How often the loss is the mean over what the mask of a picture shows, in place of the whole picture.",
    )


class NoiseOptions(Part):
    group = Group("noise", "Noise", "Changes to the noise that is added to pictures.")

    offset_noise: bool = option(
        False,
        label="Offset noise",
        advanced=True,
        families=DISCRETE_FAMILIES,
        help="Shift the noise of whole pictures, so that the model learns very dark and very bright ones.",
    )
    noise_offset: float = option(
        0.1,
        label="Size of the offset",
        advanced=True,
        ge=0,
        le=1,
        requires={"offset_noise": True},
        help="How far it is shifted.",
    )
    noise_offset_probability: float = option(
        0.25,
        label="How often",
        advanced=True,
        ge=0,
        le=1,
        requires={"offset_noise": True},
        help="Share of the pictures whose noise is shifted.",
    )
    input_perturbation: float = option(
        0.0,
        label="Input perturbation",
        advanced=True,
        ge=0,
        le=1,
        help="Add this much further noise to what the denoiser sees, but not to what it should predict; 0.1 is usual.",
    )
    input_perturbation_steps: int = option(
        0,
        label="Perturb until",
        advanced=True,
        ge=0,
        unit="steps",
        help="Let the perturbation fade out over this many steps. 0: it stays.",
    )


class TimestepOptions(Part):
    group = Group("timesteps", "Timesteps", "Which noise levels are trained more often than others.")

    flow_schedule_shift: float = option(
        3.0,
        label="Shift",
        advanced=True,
        ge=0,
        families=FLOW_FAMILIES,
        help="Moves the timesteps towards more noise, which larger pictures need; 1 moves nothing.",
    )
    flow_schedule_auto_shift: bool = option(
        False,
        label="Shift by size",
        advanced=True,
        families=FLOW_FAMILIES,
        help="Choose the shift by the size of each picture instead.",
    )
    flow_sigmoid_scale: float = option(
        1.0,
        label="Width of the draw",
        advanced=True,
        gt=0,
        families=FLOW_FAMILIES,
        help="Spread of the normal distribution that timesteps are drawn from. Smaller stays in the middle.",
    )
    flow_use_uniform_schedule: bool = option(
        False,
        label="Uniform",
        advanced=True,
        families=FLOW_FAMILIES,
        help="Draw all timesteps equally often.",
    )
    flow_use_beta_schedule: bool = option(
        False,
        label="Beta distribution",
        advanced=True,
        families=FLOW_FAMILIES,
        help="Draw timesteps from a beta distribution.",
    )
    flow_beta_schedule_alpha: float = option(
        2.0,
        label="Alpha of the distribution",
        advanced=True,
        gt=0,
        requires={"flow_use_beta_schedule": True},
        help="Larger than the other: more noise.",
    )
    flow_beta_schedule_beta: float = option(
        2.0,
        label="Beta of the distribution",
        advanced=True,
        gt=0,
        requires={"flow_use_beta_schedule": True},
        help="Larger than the other: less noise.",
    )
    flow_cubic_schedule_weights: list[float] | None = option(
        None,
        label="Cubic weights",
        advanced=True,
        later=True,
        families=FLOW_FAMILIES,
        help="Coefficients of a cubic curve that timesteps are drawn along, as a list.",
    )
    flow_custom_timesteps: list[float] | None = option(
        None,
        label="Fixed timesteps",
        advanced=True,
        families=FLOW_FAMILIES,
        help="Train only these timesteps, up to 1000, or noise levels up to 1, as a list or with commas, for example those of a distilled model.",
    )
    flow_timesteps_mode: Literal["fixed-list", "round-robin"] = option(
        "fixed-list",
        label="Order of fixed timesteps",
        advanced=True,
        families=FLOW_FAMILIES,
        help="Drawn by chance from the list, or one after another.",
    )
    disable_segmented_timestep_sampling: bool = option(
        True,
        label="Draw each on its own",
        advanced=True,
        families=DISCRETE_FAMILIES,
        help="Draw the timestep of each picture independently. Off: each effective batch spreads over the schedule.",
    )
    timestep_bias_strategy: Literal["none", "earlier", "later", "range"] | None = option(
        None,
        label="Prefer",
        advanced=True,
        families=DISCRETE_FAMILIES,
        help="Train a part of the schedule more often: earlier is where there is little noise, later where there is much.",
    )
    timestep_bias_multiplier: float = option(
        1.0,
        label="How much more often",
        advanced=True,
        ge=0,
        requires={"timestep_bias_strategy": ["earlier", "later", "range"]},
        help="Weight of the preferred part; below 1 it is trained less.",
    )
    timestep_bias_portion: float = option(
        0.25,
        label="Preferred share",
        advanced=True,
        ge=0,
        le=1,
        requires={"timestep_bias_strategy": ["earlier", "later"]},
        help="How much of the schedule is preferred.",
    )
    timestep_bias_begin: int = option(
        0,
        label="Range from",
        advanced=True,
        ge=0,
        le=1000,
        requires={"timestep_bias_strategy": "range"},
        help="First preferred timestep.",
    )
    timestep_bias_end: int = option(
        1000,
        label="Range to",
        advanced=True,
        ge=0,
        le=1000,
        requires={"timestep_bias_strategy": "range"},
        help="Timestep that the preferred ones end before.",
    )
    training_scheduler_timestep_spacing: Literal["leading", "linspace", "trailing"] = option(
        "trailing",
        label="Spacing in training",
        advanced=True,
        later=True,
        families=DISCRETE_FAMILIES,
        help="How the schedule's timesteps are spread in training.",
    )
    inference_scheduler_timestep_spacing: Literal["leading", "linspace", "trailing"] = option(
        "trailing",
        label="Spacing in validation",
        advanced=True,
        later=True,
        families=DISCRETE_FAMILIES,
        help="How the sampler's steps are spread over the schedule; trailing reaches pure noise.",
    )
    refiner_training: bool = option(
        False,
        label="Train a refiner",
        advanced=True,
        later=True,
        decisive=True,
        families=["sdxl", "pixart", "deepfloyd"],
        help="Train only the last part of the schedule, for a model that finishes what another has begun.",
    )
    refiner_training_strength: float = option(
        0.2,
        label="Refiner's share",
        advanced=True,
        later=True,
        ge=0,
        le=1,
        requires={"refiner_training": True},
        help="How much of the schedule belongs to the refiner.",
    )
    refiner_training_invert_schedule: bool = option(
        False,
        label="Train the other part",
        advanced=True,
        later=True,
        requires={"refiner_training": True},
        help="Train the part that the refiner leaves to the first model.",
    )
