"""What a class costs its server: `python -m benchmarks.teacher_page` prints milliseconds of CPU.

Of a study with 200 listeners who have finished, in files and in SQLite: one look of the teacher's
page, which asks every three seconds, when nothing is new and after 40 further listeners have given
an answer each; one answer of such a listener, and one sound of a trial.
"""

import time
from collections.abc import Callable
from statistics import median
from tempfile import TemporaryDirectory

from robustaudio.audio.clip import Clip
from robustaudio.audio.datasets import BUNDLED
from robustaudio.listening.design.study import Study, StudyClip
from robustaudio.listening.run.headphones import beep_count
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_store import open_store
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.simulated_listeners import Listener
from robustaudio.listening.simulated_study import visit
from robustaudio.listening.web.teacher_routes import overview

LISTENERS, ON_THEIR_WAY, TRIALS = 200, 40, 30
CLIP = StudyClip(Clip.load(BUNDLED / "seven-slt.wav"))
STUDY = Study("Benchmark", (CLIP,), ("white",), {"kind": "quest"}, screening="none")
ANSWER = {"answer": 0, "response_time_s": 1.0, "plays": 1, "switches": 1}


def main() -> None:
    print(f"{'':<12}{'nothing new':>12}{'40 answers':>12}{'answer':>9}{'sound':>9}   ms of CPU")
    for name, where in (("files", "{}"), ("SQLite", "sqlite:///{}/answers.db")):
        with TemporaryDirectory() as folder:
            print(f"{name:<12}" + measured(Host(open_store(where.format(folder)))), flush=True)


def measured(host: Host) -> str:
    """One line of the table."""
    study, key = host.open(STUDY)
    for number in range(LISTENERS):
        visit(study, Listener(-40.0), number, 0)

    def look() -> object:
        return overview(host.find_for_teacher(study.token, key))

    look()
    idle = median(ms(look) for _ in range(15))
    codes = [begun(study) for _ in range(ON_THEIR_WAY)]
    looks, answers, sounds = [], [], []
    for trial in range(TRIALS):
        answers = [ms(lambda c=c, t=trial: study.answer(c, {"trial": t, **ANSWER})) for c in codes]
        looks.append(ms(look))
        sounds = [ms(lambda c=c, t=trial: study.sound(c, t + 1, 0)) for c in codes]
    times = (idle, 12), (median(looks[-5:]), 12), (median(answers), 9), (median(sounds), 9)
    return "".join(f"{value:>{width}.1f}" for value, width in times)


def begun(study: OpenStudy) -> str:
    """The code of a listener who has come to the first trial."""
    code = study.begin(True)["code"]
    beeps = beep_count(study.find(code)[1].check_seed)
    study.check(code, "sound", {"beeps": beeps, "sample_rate": 48_000})
    study.check(code, "level", {"gain_db": -20})
    return code


def ms(job: Callable[[], object]) -> float:
    began = time.process_time()
    job()
    return 1e3 * (time.process_time() - began)


if __name__ == "__main__":
    main()
