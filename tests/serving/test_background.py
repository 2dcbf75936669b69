"""A job that is done again and again."""

import threading

from robustaudio.serving.background import every


def test_a_job_is_done_at_once_again_after_an_error_and_no_more_once_it_is_stopped():
    done, errors, often = [], [], threading.Event()

    def job() -> None:
        done.append(threading.current_thread().name)
        if len(done) == 4:
            often.set()
        raise OSError("the store is away")

    stop = every(0.001, job, errors.append, "a name")
    assert often.wait(10)
    stop()
    assert {*done} == {"a name"} and [str(error) for error in errors[:3]] == [
        "the store is away"
    ] * 3
    for thread in [t for t in threading.enumerate() if t.name == "a name"]:
        thread.join(10)
        assert not thread.is_alive()
