"""The address of a visitor: behind proxies the one that the outermost of them noted."""

from ipaddress import IPv6Address, ip_network

from robustaudio.gate.headers import Scope, values
from robustaudio.gate.hosts import host_name
from robustaudio.serving.limits import ip

LONGEST = 64  # characters of what is no address
PREFIX = 64  # bits of an IPv6 address that one household has: the others are free to choose


def address_of(scope: Scope, proxies: int = 0) -> str:
    """The address that counts.

    Each proxy appends the address of its own visitor to X-Forwarded-For, so that of `proxies`
    entries, from the right, the last is true: what stands left of it, anybody may have written.
    Without proxies it is the connection's own.
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
