"""A refusal is a sentence: text for a person, JSON for a script."""

from gate.behind import client

from robustaudio.gate import bodies
from robustaudio.gate.refusal import Refusal


def test_a_person_reads_text_and_a_script_json():
    page = client().get("/docs", headers={"Accept": "text/html,*/*"})
    assert page.text == "there is nothing here." and page.headers["content-type"].startswith("text")
    told = client().get("/docs").json()
    assert told == {"error": "there is nothing here.", "detail": "there is nothing here."}
    assert client().head("/docs").content == b""


def test_a_refusal_is_an_exception_with_its_sentence():
    assert str(Refusal(404, "there is nothing here.")) == "there is nothing here."
    assert bodies.too_long(2**20).sentence == "at most 1 MB can be sent at once."
