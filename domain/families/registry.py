"""All families, in the order that people see them."""

from domain.families.family import Family
from domain.families.sd1x import SD1X
from domain.families.sd2x import SD2X

FAMILIES: dict[str, Family] = {family.key: family for family in (SD1X, SD2X)}
