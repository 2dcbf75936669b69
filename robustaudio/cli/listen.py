"""Listening tests: what people hear, by a test that holds up."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from robustaudio import declared
from robustaudio.cli.app import Served
from robustaudio.cli.files import check_folder, check_study
from robustaudio.cli.options import Verb, flag
from robustaudio.cli.verbs import check_seed, log
from robustaudio.doors import reason
from robustaudio.plain_json import as_json
from robustaudio.progress import Progress
from robustaudio.serving.serve import WARNING, bound

if TYPE_CHECKING:
    from robustaudio.listening.analysis.by_paradigm import GradeResult, ScoreResult, ThresholdResult
    from robustaudio.listening.run.host import Host
    from robustaudio.listening.run.open_study import OpenStudy
    from robustaudio.listening.web.feedback import Pooled

FOLDER = declared.value("listening.run.store", "FOLDER")
FORMS = declared.value("listening.run.store", "FORMS")
SPREAD_DB = declared.value("listening.simulated_listeners", "TYPICAL_SPREAD_DB")
LAPSE = declared.value("listening.simulated_listeners", "TYPICAL_LAPSE")
HOST = "robustaudio.listening.run.host"
COUNTS = (  # of a study, as text
    "title", "begun", "simulated", "finished", "answers", "unscreened", "wireless", "damaged",
    "unreadable",
)  # fmt: skip


class Serve(Served):
    """Serve a study's listening test to anyone with its link."""

    module: ClassVar[str] = HOST

    study: Path = flag(..., "YAML or JSON; see assets/studies", positional=True, check=check_study)
    host: str = flag("127.0.0.1", "0.0.0.0 lets other machines in")
    port: int = flag(7870)
    hours: float | None = flag(None, "until the answers are deleted")
    demo: bool = flag(False, "store nothing at all")
    store: str | None = flag(None, f"{FORMS} (default {FOLDER})")

    def check_options(self) -> None:
        if self.demo and self.store is not None:
            raise ValueError("--demo keeps nothing, and --store says where to keep it: give one.")

    def run(self, progress: Progress) -> dict:
        """Serves until it is stopped; the links come first, on stderr."""
        import uvicorn

        from robustaudio.gate import Gate, Rules
        from robustaudio.gate.hosts import Hosts
        from robustaudio.listening.design.study_file import load_study
        from robustaudio.listening.run.host import Host
        from robustaudio.listening.run.open_store import open_store
        from robustaudio.listening.web.http import reachable
        from robustaudio.listening.web.listener_routes import application

        serving = self.serving()
        study = load_study(self.study)
        keyfile, certfile = serving.files([reachable(self.host)])
        limits = self.limits()
        kept = FOLDER if self.store is None else self.store
        host = Host(open_store("memory:" if self.demo else kept), limits)
        with bound(self.host, self.port) as listening:  # a link that is printed works
            opened, key = host.open(study, self.hours, resume=True)
            port = listening.getsockname()[1]
            home = f"{serving.home(reachable(self.host), port)}/listen/{opened.token}"
            log(f"listeners  {home}")
            log(f"teacher    {home}/teacher#{key}")
            log(f"until      {opened.expires:%Y-%m-%d %H:%M} UTC, then all answers are deleted")
            if serving.self_signed:
                log(WARNING)
            stop = host.keep_purging()
            hosts = Hosts(self.host, serving.origin, serving.root_path, serving.hosts)
            rules = Rules(limits, hosts, serving.frames)
            config = uvicorn.Config(
                Gate(application(host), rules),
                log_level="warning", access_log=False, server_header=False, proxy_headers=False,
                ssl_keyfile=keyfile, ssl_certfile=certfile,
            )  # fmt: skip
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run([listening])
            stop()
        sessions = opened.sessions().values()
        return {
            "study": opened.token,
            "listeners": len(sessions),
            "finished": sum(session.ended for session in sessions),
            "answers": sum(len(session.responses) for session in sessions),
        }


class OnAnswers(Verb):
    """A verb on the answers in a store."""

    module: ClassVar[str] = HOST

    store: str = flag(..., FORMS, positional=True)

    def open_host(self) -> "Host":
        from robustaudio.listening.run.host import Host
        from robustaudio.listening.run.open_store import open_store

        return Host(open_store(self.store, create=False))


class Analyse(OnAnswers):
    """What the answers in a store say."""

    study: str | None = flag(None, "its token, where the store holds several")
    output: Path | None = flag(None, "folder for tables, figures and JSON")

    def check_options(self) -> None:
        if self.output:
            check_folder("--output", self.output, self.store)

    def run(self, progress: Progress) -> dict:
        """Counts and results of one study; with a folder, its tables, figures and JSON as well."""
        from robustaudio.listening.web.feedback import pooled

        opened = only_study(self.open_host(), self.study)
        analysed = pooled(opened)
        if self.output:
            try:
                write(self.output, opened, analysed)
            except OSError as error:  # full, say: it says so of no file
                raise ValueError(f"{self.output} cannot be written: {reason(error)}.") from error
        for words in filter(None, (analysed.damage, analysed.closed)):
            log(words)
        if self.json:
            return analysed.to_json()
        counts = analysed.counts() | {"damaged": len(analysed.damaged)}
        return {
            **{name: counts[name] for name in COUNTS},
            "excluded": len(analysed.analysis.excluded),
            "results": [row(result) for result in analysed.analysis.results],
        }


class Purge(OnAnswers):
    """Deletes the studies of a store that are over."""

    study: str | None = flag(None, "its token: this one, over or not, damaged or not")
    clock_is_right: bool = flag(False, "although the last answer is days away")

    def run(self, progress: Progress) -> dict:
        """What a server does every minute, where none runs; or one study, whatever its state.

        A server looks at its clock many times before it believes it, and this command once. So it
        deletes only if the last answer is less than two days old, or if somebody says that the
        clock is right.
        """
        host = self.open_host()
        if self.study is not None:
            if self.study not in {*host.store.studies(), *host.store.orphans()}:
                raise ValueError(f"there is no study {self.study} in the store.")
            host.close(self.study)
            return {"deleted": [self.study]}
        if self.clock_is_right:
            host.clocks.believe()
        closed, left = host.purge()
        if left:
            raise ValueError(f"{', '.join(left)} could not be deleted; try again.")
        now = datetime.now(UTC)
        if over := [token for token, end in host.charters.ends().items() if end <= now]:
            raise ValueError(
                f"{', '.join(over)}: over by this computer's clock ({now:%Y-%m-%d %H:%M} UTC), but "
                "its last answer is days away; if the clock is right, add --clock-is-right."
            )
        kept = host.charters.quarantined()
        return {"deleted": closed, "kept": kept} if kept else {"deleted": closed}


class Simulate(Verb):
    """What a study finds out about listeners whose truth is known."""

    module: ClassVar[str] = HOST

    study: Path = flag(..., positional=True, check=check_study)
    listeners: int = flag(100)
    threshold: float = flag(-40.0, "dB, half way from guessing")
    spread: float = flag(SPREAD_DB, "dB")
    lapse: float = flag(LAPSE, "share of answers")
    between: float = flag(0.0, "dB, between listeners")
    seed: int = flag(0, check=check_seed)
    store: str | None = flag(None, "keep the answers there (default: nowhere)")

    def run(self, progress: Progress) -> dict:
        from robustaudio.listening.design.study_file import load_study
        from robustaudio.listening.run.admission import MOST_LISTENERS
        from robustaudio.listening.run.host import Host
        from robustaudio.listening.run.open_store import open_store
        from robustaudio.listening.simulated_listeners import Listener, panel
        from robustaudio.listening.simulated_study import simulate

        if not 1 <= self.listeners <= MOST_LISTENERS:
            raise ValueError(f"--listeners {self.listeners} must be from 1 to {MOST_LISTENERS}.")
        typical = Listener(self.threshold, self.spread, self.lapse)
        people = panel(self.listeners, typical, self.between, self.seed)
        store = open_store("memory:" if self.store is None else self.store)
        opened, _ = Host(store).open(load_study(self.study))
        about = {"threshold_db": self.threshold, "spread_db": self.spread, "lapse": self.lapse}
        return {**about, **simulate(opened, people, self.seed)}


VERBS = (Serve, Analyse, Purge, Simulate)


def only_study(host: "Host", token: str | None) -> "OpenStudy":
    """The study that is meant; those that are over or damaged are named, and not read."""
    from robustaudio.listening.run.purge import NO_STUDY_OF, NOT_READ

    ends, doubtful = host.charters.ends(), host.charters.quarantined()
    for broken in sorted({*host.store.studies()} - {*ends, *doubtful}):
        log(f"study {broken} is left out: it cannot be read.")
    for orphan in host.store.orphans():
        log(f"study {orphan} is left out: {NO_STUDY_OF} (listen purge).")
    for other in host.store.others():
        log(f"{other!r} {NOT_READ}.")
    for over in [token for token, end in ends.items() if end <= datetime.now(UTC)]:
        log(f"study {over} ended at {ends.pop(over):%Y-%m-%d %H:%M} UTC and is not read.")
    known = [*ends, *doubtful]
    for other in known.copy() if token is None else []:
        try:
            host.find_for_owner(other)
        except (OSError, ValueError, LookupError) as error:
            log(f"study {other} is left out: {error}")
            known.remove(other)
    certain = [other for other in known if other in ends]
    for candidates in (certain, known):
        if token is None and len(candidates) == 1:
            return host.find_for_owner(*candidates)
    if token in known:
        return host.find_for_owner(token)
    names = f"open are {', '.join(known)}" if known else "none is open"
    raise ValueError(f"say which study of the store by --study TOKEN; {names}.")


def write(folder: Path, opened: "OpenStudy", analysed: "Pooled") -> None:
    """rows.csv, rows.json, analysis.json, and the curve of every condition that has one."""
    from robustaudio.listening.analysis.by_paradigm import ThresholdResult
    from robustaudio.listening.run import export
    from robustaudio.listening.web.charts import psychometric

    table = export.tidy(opened)
    (folder / "rows.csv").write_bytes(export.as_csv(table).encode(export.CSV_ENCODING))
    (folder / "rows.json").write_text(export.as_json(opened, table), "utf-8")
    (folder / "analysis.json").write_text(as_json(analysed.to_json(), indent=1), "utf-8")
    drawn = [r for r in analysed.analysis.results if isinstance(r, ThresholdResult)]
    for number, result in enumerate(drawn):
        (folder / f"curve-{number + 1}.svg").write_text(psychometric(result), "utf-8")


def row(result: "ScoreResult | ThresholdResult | GradeResult") -> dict:
    """The line of a result in a table."""
    from robustaudio.listening.analysis.by_paradigm import ScoreResult, ThresholdResult
    from robustaudio.listening.analysis.thresholds import SIGNS

    line = {"condition": str(result.condition), "paradigm": result.paradigm.name}
    if isinstance(result, ThresholdResult):
        at = result.thresholds.correct_79
        level, low, high = (at.level_db, at.lower_db, at.upper_db) if at else (None,) * 3
        shown = (SIGNS[at.sign] if at else "") + shown_db(level)
        line |= {"listeners": result.count, "threshold_db": shown}
        return line | {"lower_db": shown_db(low), "upper_db": shown_db(high)}
    line |= {"level_db": result.level_db}
    if isinstance(result, ScoreResult):
        score = result.group
        return line | {"correct": score.correct, "trials": score.trials, "p": score.p}
    mean = result.group
    return line | {"mean": mean.mean, "lower": mean.lower, "upper": mean.upper}


def shown_db(level_db: float | None) -> str:
    return "-" if level_db is None else f"{level_db:.1f}"
