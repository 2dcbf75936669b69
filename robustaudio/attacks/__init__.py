"""A model, clips, a criterion and a threat model in, adversarial clips out."""

from robustaudio.attacks.apgd import APGD
from robustaudio.attacks.attack import Attack
from robustaudio.attacks.carlini_wagner import CarliniWagner, CarliniWagnerAudio
from robustaudio.attacks.controls import HillClimber, RandomSearch
from robustaudio.attacks.deepfool import DeepFool
from robustaudio.attacks.genetic import Genetic
from robustaudio.attacks.gradient import BIM, FGSM, MIFGSM, PGD
from robustaudio.attacks.jsma import JSMA
from robustaudio.attacks.psychoacoustic import Psychoacoustic
from robustaudio.attacks.search import AttackResult, Population, Step

ATTACKS: dict[str, type[Attack]] = {
    "fgsm": FGSM,
    "bim": BIM,
    "pgd": PGD,
    "mifgsm": MIFGSM,
    "apgd": APGD,
    "deepfool": DeepFool,
    "jsma": JSMA,
    "cw": CarliniWagner,
    "cw-audio": CarliniWagnerAudio,
    "psychoacoustic": Psychoacoustic,
    "genetic": Genetic,
    "hill-climber": HillClimber,
    "random-search": RandomSearch,
}

__all__ = [
    "APGD",
    "ATTACKS",
    "BIM",
    "FGSM",
    "JSMA",
    "MIFGSM",
    "PGD",
    "Attack",
    "AttackResult",
    "CarliniWagner",
    "CarliniWagnerAudio",
    "DeepFool",
    "Genetic",
    "HillClimber",
    "Population",
    "Psychoacoustic",
    "RandomSearch",
    "Step",
]
