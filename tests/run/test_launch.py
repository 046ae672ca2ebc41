"""How a child ended, in a sentence."""

import pytest

from napari_nstm.run.launch import how_it_ended


@pytest.mark.parametrize(
    ("status", "log", "sentence"),
    [
        (-9, "a library's warning\n", "killed from outside (signal 9); the system does that when memory runs out."),
        (
            -6,
            "terminate\n  what():  std::bad_alloc\n\n",
            "ran out of memory; a smaller field or fewer frames need less.",
        ),
        (
            127,
            "cannot allocate memory for thread-local data: ABORT\n",
            "ran out of memory; a smaller field or fewer frames need less.",
        ),
        (-11, "the last words\n", "broke down (signal 11): the last words"),
        (1, "", "ended with status 1."),
        (None, "", "does not answer."),
    ],
)
def test_the_end_in_words(tmp_path, status, log, sentence):
    (tmp_path / "log.txt").write_text(log)
    told = how_it_ended(status, tmp_path / "log.txt")
    assert told.startswith("The fitting process ")
    assert told.endswith(sentence)


def test_a_log_that_is_gone_tells_nothing(tmp_path):
    assert how_it_ended(3, tmp_path / "log.txt") == "The fitting process ended with status 3."
