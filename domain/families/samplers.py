"""Which samplers can draw the validation images of a family."""

from domain.families.family import Family, Flavour

DIFFUSION_SAMPLERS = ("ddim", "ddpm", "euler", "euler-a", "unipc", "dpm++")
FLOW_SAMPLERS = ("flow_match_euler", "flow_matching", "flow_unipc")
"""flow_matching is another name of flow_match_euler."""


def samplers_of(family: Family, flavour: Flavour | None) -> tuple[str, ...]:
    objective = (flavour and flavour.objective) or family.objective
    fitting = FLOW_SAMPLERS if objective == "flow_matching" else DIFFUSION_SAMPLERS
    return tuple(sampler for sampler in fitting if sampler not in family.refused_samplers)
