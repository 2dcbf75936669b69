"""By which name the server is asked, and which page asks."""

import pytest
from gate.behind import JOIN, OURS, UPLOAD, client

from robustaudio.gate.hosts import Hosts, counted
from robustaudio.serving.limits import Limits

LAB = Hosts(origin="https://lab.example.org", prefix="/lab")
FORWARDED = {"X-Forwarded-Host": "lab.example.org", "X-Forwarded-For": "203.0.113.9"}


@pytest.mark.parametrize(
    "hosts, host, more, answered",
    [
        (Hosts(), "localhost:7860", {}, True),
        (Hosts(), "LOCALHOST.", {}, True),
        (Hosts(), "127.0.0.1:7860", {}, True),
        (Hosts(), "127.8.9.1", {}, True),
        (Hosts(), "[::1]:7860", {}, True),
        (Hosts(), "app.localhost:7860", {}, True),
        (Hosts(), "evil.example", {}, False),
        (Hosts(), "evil.example:7860", {}, False),
        (Hosts(), "[::1]evil", {}, False),
        (Hosts(), "[::1].evil.example:7860", {}, False),
        (Hosts(), "127.0.0.1.evil.example", {}, False),
        (Hosts(), "localhost.evil.example", {}, False),
        (Hosts(), "xlocalhost", {}, False),
        (Hosts(), "192.168.1.20", {}, False),
        (Hosts(), "0.0.0.0:7860", {}, False),
        (Hosts(), "evil.example", {"X-Forwarded-Host": "localhost"}, False),
        (Hosts(), "", {}, False),
        (Hosts(allowed=("lab.example.org",)), "lab.example.org", {}, True),
        (Hosts(allowed=("lab.example.org",)), "other.example.org", {}, False),
        (Hosts(host="::1"), "[::1]:7860", {}, True),
        (Hosts(host="::1"), "evil.example", {}, False),
        (Hosts(host="127.0.0.2"), "localhost", {}, True),
        (LAB, "lab.example.org", FORWARDED, True),
        (LAB, "evil.example", FORWARDED, False),
        (Hosts(prefix="/lab"), "lab.example.org", FORWARDED, True),
        (Hosts(prefix="/lab"), "lab.example.org", {}, False),
        (Hosts(host="0.0.0.0"), "whatever.example", {}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "whatever.example", {}, False),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "192.168.1.20:7860", {}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "lab.example.org", {}, True),
    ],
)
@pytest.mark.parametrize("path", ["/", "/listen/x/start", JOIN])
def test_a_server_on_loopback_answers_to_its_own_names(hosts, host, more, answered, path):
    ask = client(hosts=hosts)
    sent = {"Host": host, **OURS, **more}
    answer = (
        ask.get(path, headers=sent) if path == "/" else ask.post(path, headers=sent, content=b"{}")
    )
    assert (answer.status_code == 200) is answered
    if not answered:
        assert answer.status_code == 421 and "--allowed-host" in answer.json()["error"]


@pytest.mark.parametrize(
    "hosts, base, sent, answered",
    [
        (Hosts(), "http://127.0.0.1:7860", {}, True),  # a program
        (Hosts(), "http://127.0.0.1:7860", {"Origin": "http://127.0.0.1:7860"}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://localhost:7860"}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://localhost:3000"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": "https://evil.example"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": "null"}, False),
        (Hosts(), "http://localhost:7860", {"Origin": ""}, True),
        (Hosts(), "http://localhost:7860", {"Origin": "http://["}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "cross-site"}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "Cross-Site"}, False),
        (Hosts(), "http://localhost:7860", {"Sec-Fetch-Site": "none"}, True),
        (Hosts(), "http://localhost:7860",
         {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"}, False),
        (Hosts(host="0.0.0.0"), "https://a-b.hf.space",
         {"Origin": "https://a-b.hf.space", "Sec-Fetch-Site": "same-origin"}, True),
        (Hosts(host="0.0.0.0"), "http://192.168.1.20:7860",
         {"Origin": "http://192.168.1.20:7860"}, True),
        (Hosts(host="0.0.0.0"), "http://192.168.1.20:7860",
         {"Origin": "http://192.168.1.21:7860"}, False),
        # proxies: with the name passed on, without its port, and without the name
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://lab.example.org", **FORWARDED}, True),
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://lab.example.org:8443", **FORWARDED}, True),
        (Hosts(prefix="/lab"), "http://lab.example.org",
         {"Origin": "https://evil.example", **FORWARDED}, False),
        (LAB, "http://127.0.0.1:7860", {"Origin": "https://lab.example.org"}, True),
        (Hosts(), "http://127.0.0.1:7860",
         {"Origin": "https://lab.example.org", "Sec-Fetch-Site": "same-origin"}, True),
        (Hosts(host="0.0.0.0", allowed=("lab.example.org",)), "http://10.0.0.1:7860",
         {"Origin": "https://lab.example.org"}, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", [JOIN, "/gradio_api/run/predict", "/gradio_api/cancel", UPLOAD, "/listen/x/start"]
)
def test_only_our_own_pages_and_programs_may_change_something(hosts, base, sent, answered, path):
    answer = client(base=base, hosts=hosts).post(path, headers=OURS | sent, content=b"{}")
    assert (answer.status_code == 200) is answered
    if not answered:
        assert answer.status_code == 403 and "may not change anything" in answer.text


def test_what_computes_is_not_asked_for_by_other_sites_either():
    ask = client()
    for path in ("queue/data", "heartbeat/x", "startup-events", "upload_progress"):
        answer = ask.get(f"/gradio_api/{path}", headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    for path in ("/", "/listen/x", "/listen/x/teacher"):  # a link from another page
        assert ask.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


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
