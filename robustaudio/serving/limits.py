"""What one visitor of a server may take: every limit is a setting with a safe default.

A server is public as soon as others can reach it. On a private machine there is nobody to share
with, and the limits of fair shares are off there.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import inf
from typing import Any

VARIABLE = "ROBUSTAUDIO_LIMITS"  # "seconds=120,studies=10"
NONE = "none"  # as a limit: there is no limit
HELP = "what a visitor may take: seconds=120 (docs/serving.md has all names; may be repeated)"
MOST_PROXIES = 10


def _limit(
    public: float, private: float, words: str, least: float = 1, most: float = inf,
    whole: bool = False,
) -> Any:  # fmt: skip
    about = {"private": private, "words": words, "least": least, "most": most, "whole": whole}
    return field(default=public, metadata=about)


_count = partial(_limit, whole=True)


@dataclass(frozen=True)
class Limits:
    """The defaults are those of a public server; `inf` is no limit. A visitor has a session (a tab
    of a browser) and an address, which a whole class may share."""

    running: float = _count(1, inf, "heavy runs of one address at a time")
    waiting: float = _count(2, inf, "heavy runs of one visitor that wait")
    address_waiting: float = _count(16, inf, "heavy runs of one address that wait")
    seconds: float = _limit(60, inf, "seconds that one heavy run computes")
    studies: float = _count(3, inf, "listening tests that one visitor has open")
    address_studies: float = _count(12, inf, "listening tests that one address has open")
    unused_hours: float = _limit(
        1, 24, "hours after which a listening test that nobody began, and a listener who passed no "
        "check, make room", least=0.01,
    )  # fmt: skip
    uploads_mb: float = _limit(4096, inf, "MB of all visitors' files on disk")
    address_uploads_mb: float = _limit(512, inf, "MB that one address uploads in an hour")
    requests: float = _limit(
        20,
        inf,
        "requests of one address in a second that change something; of the page itself a quarter",
    )
    parallel: float = _count(8, inf, "such requests of one address at a time")
    streams: float = _count(256, inf, "connections of one address that stay open; a page has two")
    proxies: float = _count(
        0, 0, "proxies in front, each of which notes an address", least=0, most=MOST_PROXIES
    )

    def __post_init__(self) -> None:
        for limit in fields(self):
            value, about = getattr(self, limit.name), limit.metadata
            least, most, whole = about["least"], about["most"], about["whole"]
            if not least <= value <= most or (whole and value < inf and value % 1):
                kind = "a whole number, " if whole else ""
                right = f"{least:g} or more, or {NONE}" if most == inf else f"{least:g} to {most:g}"
                raise ValueError(f"the limit {limit.name}={value:g} must be {kind}{right}.")


PRIVATE = Limits(**{limit.name: limit.metadata["private"] for limit in fields(Limits)})


@dataclass(frozen=True)
class Visitor:
    """Who asks: a session of the page and an address. Both are kept in memory only."""

    session: str
    address: str

    @property
    def keys(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Under which the visitor's turns are remembered, those of the address first."""
        return ("address", self.address), ("session", self.session)


NOBODY = Visitor("", "")  # whoever owns the machine: from the command line, or in a test


def limits_of(
    asked: Sequence[str], *, public: bool | None, host: str, proxied: bool = False
) -> Limits:
    """The limits of a server, as the words of --limit and the environment ask for.

    `public` None: where others can reach `host`; `proxied`: a proxy is in front.

    Raises:
        ValueError: for a name that is no limit, or a value that is none.
    """
    if public is None:
        public = not is_loopback(host) or proxied or on_a_space()
    start = Limits() if public else PRIVATE
    if on_a_space() or (proxied and is_loopback(host)):  # nobody else gets through to it
        start = replace(start, proxies=1)
    return replace(start, **parsed([*listed(VARIABLE), *asked]))


def listed(variable: str) -> list[str]:
    """What an environment variable lists, between commas."""
    return [part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()]


def parsed(asked: Sequence[str]) -> Mapping[str, float]:
    """What "NAME=VALUE" says, the last one of a name.

    Raises:
        ValueError: for what names no limit, or gives no number.
    """
    known = [limit.name for limit in fields(Limits)]
    limits = {}
    for part in asked:
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in known or not equals:
            raise ValueError(f"{part!r} is no limit; NAME=VALUE with one of {', '.join(known)}.")
        try:
            limits[name] = inf if value == NONE else float(value)
        except ValueError:
            raise ValueError(f"the limit {name}={value} must be a number, or {NONE}.") from None
    return limits


def ip(text: str) -> IPv4Address | IPv6Address | None:
    """An address of IPv4 or IPv6; None for any other text."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether a server that listens there is reached from this computer only."""
    address = ip(host.strip("[]"))
    return host == "localhost" or (address is not None and address.is_loopback)


def on_a_space() -> bool:
    return bool(os.environ.get("SPACE_ID"))
