"""What a page keeps of its visits does not grow with what they do, nor with how many there were."""

import time
from datetime import datetime

import pytest
from visiting import Tab

from robustaudio.ui.launch import launch
from robustaudio.ui.session_state import EVENTS, KEPT, UNHEARD_S, Visits


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        patch.setenv("ROBUSTAUDIO_LISTENING", "memory:")
        page = launch(block=False, quiet=True)
        yield page
        page.close()


@pytest.fixture
def visits(page) -> Visits:
    return page.server_app.state_holder


def test_a_session_keeps_no_more_after_many_runs(page, visits):
    visitor = Tab(page.local_url)
    visitor.load()
    for seed in range(3):
        visitor.put["seed"] = seed
        assert visitor.click("perturb") and visitor.click("certify")
        session = visits.session_data[visitor.session]
        assert set(session.blocks_config.blocks) == set(page.blocks)
        assert not session.config_values
    assert len(page._queue.event_analytics) <= EVENTS


def test_a_session_that_nobody_has_used_for_an_hour_is_forgotten(page, visits):
    old, new = Tab(page.local_url), Tab(page.local_url)
    for visitor in (old, new):
        visitor.load()
        assert visitor.session in visits.session_data
    visits.time_last_used[old.session] = datetime.now() - 1.1 * KEPT
    visits.delete_all_expired_state()
    assert old.session not in visits.session_data and new.session in visits.session_data
    assert old.session not in visits.time_last_used


def test_what_nobody_fetches_is_thrown_away(page, visits):
    queue, visitor = page._queue, Tab(page.local_url)
    visitor.load()
    visitor.join(visitor.event("still-here"))
    until = time.monotonic() + 20
    while (len(queue) or any(queue.active_jobs)) and time.monotonic() < until:
        time.sleep(0.05)
    now = time.monotonic()
    visits._clear_mail(now)
    assert visitor.session in queue.pending_messages_per_session
    visits._clear_mail(now + UNHEARD_S + 1)
    assert visitor.session not in queue.pending_messages_per_session
    assert visitor.session not in queue.pending_event_ids_session
    assert visitor.click("perturb")  # it comes back, and is heard
