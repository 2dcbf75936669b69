"""Names under which a server answers, pages that may change something on it, and who asks.

A page elsewhere can make its own name lead to this computer (DNS rebinding), and any page can send
a form to a server that its visitor reaches. Browsers say which name they asked for (Host) and
which page asks (Origin, Sec-Fetch-Site), and no page can change that.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network
from urllib.parse import urlsplit

from robustaudio.gate.headers import Scope, value, values
from robustaudio.gate.refusal import Refusal
from robustaudio.serving.limits import ip, is_loopback

SHOWN = 80  # characters of a name in a sentence
LONGEST = 64  # characters of an address that is neither IPv4 nor IPv6
PREFIX = 64  # bits of an IPv6 address that a household is given; it chooses the others
PORT = re.compile(r"(:[0-9]*)?")
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Hosts:
    """Where a server listens, at which address a proxy shows it, and further names of it.

    `origin` is the proxy's address ("https://lab.example.org"), `prefix` its path ("/lab").
    """

    host: str = "127.0.0.1"
    origin: str = ""
    prefix: str = ""
    allowed: tuple[str, ...] = ()

    def check_name(self, scope: Scope) -> None:
        """Refuse unknown names: on loopback, and wherever names are given.

        A proxy on the same computer that shows the pages below a prefix may pass on any name: then
        it says so by X-Forwarded-Host or -For, and the pages are public anyway.

        Raises:
            Refusal: for another name.
        """
        if not is_loopback(self.host) and not self.allowed:
            return
        proxied = self.prefix and not self.origin
        if proxied and (value(scope, "x-forwarded-host") or value(scope, "x-forwarded-for")):
            return
        for given in values(scope, "host"):
            if not self._known(host_name(given)):
                shown = host_name(given)[:SHOWN]
                raise Refusal(
                    421,
                    f"this server does not answer to the name {shown!r}; start it with "
                    f"--allowed-host {shown} if it is one of its own.",
                )

    def check_origin(self, scope: Scope) -> None:
        """Let only our own pages, and programs that are no browsers, change something.

        Raises:
            Refusal: for a request that another site's page has made.
        """
        site, origin = value(scope, "sec-fetch-site").lower(), value(scope, "origin")
        # a proxy may put its own name in place of the one asked for, which the browser knows
        renamed = site == "same-origin" and is_loopback(host_name(value(scope, "host")))
        if site == "cross-site" or not (not origin or renamed or self.is_own(origin, scope)):
            shown = origin[:SHOWN] or "another site"
            raise Refusal(403, f"a page of {shown} may not change anything here.")

    def is_own(self, address: str, scope: Scope) -> bool:
        """Whether an address ("https://host:port/…") is one at which this server is asked now."""
        netloc = _netloc(address)
        if not netloc:
            return False
        asked, scheme = values(scope, "host"), urlsplit(address).scheme
        if netloc in map(_netloc, [self.origin, *(f"{scheme}://{host}" for host in asked)]):
            return True
        # a proxy may leave out the port of these
        names = [*self.allowed, *values(scope, "x-forwarded-host")]
        names += asked if value(scope, "x-forwarded-for") else []
        return host_name(netloc) in map(host_name, names)

    def _known(self, name: str) -> bool:
        given = {host_name(known) for known in (self.host, _netloc(self.origin), *self.allowed)}
        if name in given - {""} or name.endswith(".localhost") or is_loopback(name):
            return True
        # an address is nobody else's
        return not is_loopback(self.host) and ip(name) is not None


def host_name(host: str) -> str:
    """The name in "name:port", in small letters.

    >>> host_name("Lab.Example.org.:8443"), host_name("[::1]:7860"), host_name("[::1]evil")
    ('lab.example.org', '::1', '[::1]evil')
    """
    bare = host.strip().lower()
    if bare.startswith("["):
        address, _, rest = bare[1:].partition("]")
        return address if PORT.fullmatch(rest) else bare
    if bare.count(":") > 1:  # an address without brackets
        return bare
    return bare.partition(":")[0].removesuffix(".")


def address_of(scope: Scope, proxies: int = 0) -> str:
    """The visitor's address, behind `proxies` proxies; without, the connection's own.

    Each proxy appends the address of its own visitor to X-Forwarded-For. Counted from the right,
    the entry number `proxies` is true; what stands left of it, anybody may have written.
    """
    noted = values(scope, "x-forwarded-for") if proxies else []
    if len(noted) >= proxies > 0:
        return counted(noted[-proxies])
    return counted(scope["client"][0] if scope.get("client") else "")


def counted(address: str) -> str:
    """An address without port and zone; of IPv6 the network of its household.

    >>> counted("203.0.113.7:4711"), counted("[2001:db8:1:2:3::4]"), counted("::ffff:192.0.2.1")
    ('203.0.113.7', '2001:db8:1:2::', '192.0.2.1')
    """
    bare = host_name(address)
    parsed = ip(bare.partition("%")[0])
    if parsed is None:
        return bare[:LONGEST]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        if not parsed.is_loopback:
            return str(ip_network((int(parsed), PREFIX), strict=False).network_address)
    return str(parsed)


def _netloc(address: str) -> str:
    """ "host:port" of an address, without the port that its scheme has anyway."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    name = (parts.hostname or "").removesuffix(".")
    if not name:
        return ""
    bracketed = f"[{name}]" if ":" in name else name
    return bracketed if port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{bracketed}:{port}"
