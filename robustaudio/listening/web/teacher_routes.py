"""What a teacher's page asks for: the class's answers so far, exports, the study's end."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import segno
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from robustaudio.listening.analysis.by_paradigm import (
    GradeResult,
    ScoreResult,
    ThresholdResult,
    grouped,
)
from robustaudio.listening.run import export
from robustaudio.listening.run.host import Host
from robustaudio.listening.run.open_study import OpenStudy
from robustaudio.listening.web.charts import psychometric, ratings
from robustaudio.listening.web.feedback import in_words, item, legend, pooled
from robustaudio.listening.web.http import HEADERS, page, route

Answer = Callable[[OpenStudy, dict[str, Any]], Any]
LINK = r"https?://[\w.:\[\]-]+(/[\w.~-]+)*/listen/"
LONGEST_LINK = 300


def teacher_routes(rooms: Host) -> list[BaseRoute]:
    """All of them need the key, but the page itself and the picture of its link."""

    def asked(path: str, answer: Answer, method: str = "GET") -> Route:
        def allowed(sent: dict[str, Any], headers: Headers) -> Any:
            key = headers.get("X-Teacher", "")
            return answer(rooms.find_for_teacher(sent["token"], key), sent)

        return route(path, allowed, method)

    def expire(room: OpenStudy, sent: dict[str, Any]) -> dict[str, Any]:
        rooms.expire(room.token, sent.get("hours"))
        return overview(room)

    def close(room: OpenStudy, sent: dict[str, Any]) -> dict[str, Any]:
        rooms.close(room.token)
        return {}

    return [
        Route("/listen/{token}/teacher", page("teacher.html")),
        route("qr.svg", lambda sent, _: qr_code(rooms.find(sent["token"]), sent)),
        asked("pooled", lambda room, sent: overview(room)),
        asked("export/{format}", lambda room, sent: exported(room, sent["format"])),
        asked("expire", expire, "POST"),
        asked("close", close, "POST"),
    ]


def overview(room: OpenStudy) -> dict[str, Any]:
    """The class so far: counts, and what those who have finished heard."""
    so_far = pooled(room)
    excluded, results = so_far.analysis.excluded, so_far.analysis.results
    remarks = []
    if so_far.simulated:
        remarks.append(f"{so_far.simulated} of {so_far.begun} are simulated: no people.")
    if so_far.unscreened:
        remarks.append(f"{so_far.unscreened} went on without headphones.")
    if so_far.wireless:
        remarks.append(f"{so_far.wireless} listened without a wire (Bluetooth).")
    if so_far.damage:
        remarks.append(so_far.damage)
    if excluded:
        reasons = Counter(excluded.values()).most_common()
        remarks.append(f"Left out: {', '.join(f'{n} who {reason}' for reason, n in reasons)}.")
    words = legend(results[0]) if results else ""
    return {**so_far.counts(), "remarks": remarks, "results": _cards(results), "legend": words}


def exported(room: OpenStudy, format: str) -> Response:
    """The answers as a table or with their study, or the study file alone.

    Raises:
        ValueError: for the answers of a demonstration, whose listeners were promised otherwise.
        LookupError: for another format.
    """
    if room.demo and format in ("csv", "json"):
        raise ValueError("this is a demonstration: it shows results, and hands out no answers.")
    match format:
        case "csv":
            table = export.as_csv(export.tidy(room)).encode(export.CSV_ENCODING)
            return Response(table, media_type="text/csv; charset=utf-8", headers=HEADERS)
        case "json":
            text = export.as_json(room, export.tidy(room))
        case "study":
            text = json.dumps(room.study.record(), indent=1)
        case _:
            raise LookupError(f"no export {format!r}; csv, json and study are.")
    return Response(text, media_type="application/json", headers=HEADERS)


def qr_code(room: OpenStudy, sent: dict[str, Any]) -> Response:
    """The link to a study as a picture; only of that link, whatever the server is called.

    Raises:
        ValueError: for any other text.
    """
    link = str(sent.get("link", ""))
    if len(link) > LONGEST_LINK or not re.fullmatch(LINK + re.escape(room.token), link):
        raise ValueError(f"{link[:80]!r} is no link to this study.")
    out = io.BytesIO()
    segno.make(link, error="m").save(out, kind="svg", border=1, scale=8, xmldecl=False)
    return Response(out.getvalue(), media_type="image/svg+xml", headers=HEADERS)


def _cards(results: Sequence[ScoreResult | ThresholdResult | GradeResult]) -> list[dict[str, Any]]:
    """One card a result, but of ratings one a condition, with all of its levels."""
    cards = []
    for condition, group in grouped(results, lambda result: result.condition).items():
        grades = [result for result in group if isinstance(result, GradeResult)]
        for result in grades[:1] or group:
            name, picture = str(condition), None
            match result:
                case ScoreResult():
                    name = f"{name} at {item(result)}"
                case ThresholdResult():
                    picture = psychometric(result)
                case GradeResult():
                    picture = ratings(grades)
            cards.append({"name": name, "sentence": in_words(result), "picture": picture})
    return cards
