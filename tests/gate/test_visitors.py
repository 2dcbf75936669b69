"""Whose address it is that asks."""

import pytest
from gate.behind import client

from robustaudio.gate.visitors import counted
from robustaudio.serving.limits import Limits


@pytest.mark.parametrize(
    "proxies, noted, address",
    [
        (0, "203.0.113.9", "198.51.100.1"),  # anybody may write the header
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),  # a spoofed one stands left of the true one
        (2, "10.0.0.1, 203.0.113.9, 192.0.2.5", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),  # it came past a proxy
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "[2001:db8:1:2::9]:443", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "", ""),
        (1, None, "198.51.100.1"),
    ],
)
def test_the_address_is_the_one_that_a_proxy_of_ours_noted(proxies, noted, address):
    asking = client("198.51.100.1", limits=Limits(proxies=proxies))
    headers = {} if noted is None else {"X-Forwarded-For": noted}
    assert asking.get("/config", headers=headers).json()["client"] == address


def test_addresses_of_one_household_are_one():
    assert counted("2001:db8:1:2::1") == counted("2001:db8:1:2:ffff:ffff:ffff:ffff")
    assert counted("2001:db8:1:2::1") != counted("2001:db8:1:3::1")
    assert counted("fe80::1%eth0") == "fe80::" and counted("::1") == "::1"
    assert len(counted("x" * 10_000)) == 64
