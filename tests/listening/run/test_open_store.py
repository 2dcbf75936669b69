"""The word that names a store: what is opened, and what is said where nothing can be."""

import pytest

from robustaudio.listening.run.open_store import open_store


def test_a_database_is_made_only_where_answers_go(tmp_path):
    url = f"sqlite:///{tmp_path / 'typo.db'}"
    with pytest.raises(ValueError, match=r"there is no database .*typo\.db"):
        open_store(url, create=False)
    assert list(tmp_path.iterdir()) == []
    open_store(url)
    assert open_store(url, create=False).studies() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nosql://somewhere/db", "'nosql' is no database at hand; sqlite:///FILE"),
        ("postgresql+psycopg://u:secret@127.0.0.1:1/x", r"postgresql\+psycopg://u:\*\*\*@127"),
        ("sqlite:////nowhere/at/all.db", "sqlite:////nowhere/at/all.db cannot be reached"),
        ("hub://alone", "hub://owner/dataset would"),
    ],
)
def test_a_store_that_cannot_be_opened_says_so(url, message):
    with pytest.raises(ValueError, match=message) as error:
        open_store(url)
    assert "secret" not in str(error.value)
