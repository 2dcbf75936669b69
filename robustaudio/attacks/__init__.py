"""A model, clips, a criterion and a threat model in, adversarial clips out."""

from robustaudio.attacks.attack import Attack, AttackResult
from robustaudio.attacks.gradient import FGSM, PGD

ATTACKS: dict[str, type[Attack]] = {"fgsm": FGSM, "pgd": PGD}

__all__ = ["ATTACKS", "FGSM", "PGD", "Attack", "AttackResult"]
