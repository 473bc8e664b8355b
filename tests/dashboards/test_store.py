"""The store of answers: whole or not there, bounded, and never in the way."""

import errno
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboards.service import store as module
from dashboards.service.store import Store

ANSWER = b"an answer" * 100
A, B, C, D = (letter * 64 for letter in "abcd")


@pytest.fixture
def no_memory(monkeypatch):
    """Only the files count."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_answers_are_there_after_a_restart(tmp_path):
    Store(tmp_path / "new", 10_000).put(A, ANSWER)

    assert Store(tmp_path / "new", 10_000).get(A) == ANSWER
    assert Store(tmp_path / "new", 10_000).get(B) is None


def test_the_least_recently_used_are_deleted_first(tmp_path, no_memory):
    store = Store(tmp_path, 3 * (len(ANSWER) + 32))
    for key in (A, B, C):
        store.put(key, ANSWER)
    store.get(A)

    store.put(D, ANSWER)

    assert [store.get(key) is not None for key in (A, B, C, D)] == [True, False, True, True]
    assert store.bytes == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_the_order_of_use_survives_a_restart(tmp_path, no_memory):
    store = Store(tmp_path, 10_000)
    for key in (A, B, C):
        store.put(key, ANSWER)
        os.utime(tmp_path / key, (1000, 1000 + ord(key[0])))
    store.get(A)

    Store(tmp_path, 3 * (len(ANSWER) + 32)).put(D, ANSWER)

    assert sorted(file.name for file in tmp_path.iterdir()) == [A, C, D]


DAMAGES = {
    "cut off": lambda content: content[:-1],
    "empty": lambda content: b"",
    "changed": lambda content: content[:40] + b"?" + content[41:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_count_as_missing_and_are_deleted(tmp_path, no_memory, damage):
    store = Store(tmp_path, 10_000)
    store.put(A, ANSWER)
    (tmp_path / A).write_bytes(DAMAGES[damage]((tmp_path / A).read_bytes()))

    assert store.get(A) is None
    assert not (tmp_path / A).exists()
    assert store.bytes == 0


def test_a_full_disk_is_not_an_error_and_is_logged_once(tmp_path, no_memory, monkeypatch, caplog):
    store = Store(tmp_path, 10_000)
    monkeypatch.setattr(os, "replace", full_disk)

    with caplog.at_level(logging.WARNING):
        store.put(A, ANSWER)
        store.put(B, ANSWER)

    assert store.get(A) is None
    assert list(tmp_path.iterdir()) == []
    assert len(caplog.records) == 1
    monkeypatch.undo()
    store.put(A, ANSWER)
    assert Store(tmp_path, 10_000).get(A) == ANSWER


def test_a_folder_that_cannot_be_created_is_not_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")

    store = Store(tmp_path / "file" / "store", 10_000)
    store.put(A, ANSWER)

    assert store.get(A) == ANSWER  # in memory


def test_an_answer_larger_than_the_store_displaces_nothing(tmp_path, no_memory):
    store = Store(tmp_path, 2000)
    store.put(A, ANSWER)

    store.put(B, bytes(5000))

    assert store.get(A) == ANSWER
    assert store.get(B) is None


def test_unfinished_files_of_a_dead_server_are_deleted(tmp_path):
    (tmp_path / f"{module.SCRATCH}old").write_bytes(b"half")
    (tmp_path / f"{module.SCRATCH}new").write_bytes(b"half")
    long_ago = time.time() - 2 * module.ABANDONED
    os.utime(tmp_path / f"{module.SCRATCH}old", (long_ago, long_ago))

    store = Store(tmp_path, 10_000)

    assert store.bytes == 0
    assert [file.name for file in tmp_path.iterdir()] == [f"{module.SCRATCH}new"]


def test_several_threads_never_read_half_an_answer(tmp_path, no_memory):
    store = Store(tmp_path, 20 * 50_000)
    answers = {f"{number:064x}": bytes([number]) * 50_000 for number in range(30)}

    def use(round_: int) -> bool:
        key = f"{round_ * 7 % 30:064x}"
        store.put(key, answers[key])
        return all(store.get(name) in (None, data) for name, data in answers.items())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(60)))
    assert store.bytes <= 20 * 50_000


def test_files_that_are_not_ours_are_left_alone(tmp_path, no_memory):
    (tmp_path / "thesis.docx").write_bytes(bytes(5000))
    os.utime(tmp_path / "thesis.docx", (1000, 1000))
    (tmp_path / B).mkdir()
    store = Store(tmp_path, 1000)

    store.put(A, ANSWER)
    store.put(C, ANSWER)
    store.delete_private()

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["thesis.docx", B, C])
    assert store.bytes == len(ANSWER) + module.DIGEST_BYTES


def test_a_file_that_cannot_be_deleted_is_not_an_error(tmp_path, no_memory, caplog):
    store = Store(tmp_path, 1000)
    store.put(A, ANSWER)
    (tmp_path / A).unlink()
    (tmp_path / A).mkdir()

    store.put(B, ANSWER)

    assert store.get(B) == ANSWER
    assert "Cannot delete" in caplog.text


def test_answers_about_a_visitors_file_are_found_by_its_content(tmp_path):
    store = Store(tmp_path, 10_000)
    for key in (A, f"{B}-{A}", f"{B}-{C}", f"{D}-{A}"):
        store.put(key, ANSWER)

    store.delete_private(B)

    assert sorted(path.name for path in tmp_path.iterdir()) == [A, f"{D}-{A}"]
    assert store.get(f"{B}-{C}") is None  # nor is it in memory
    again = Store(tmp_path, 10_000)
    again.delete_private()
    assert [path.name for path in tmp_path.iterdir()] == [A]


def test_a_large_answer_displaces_nothing_from_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MEMORY_BYTES", 4 * len(ANSWER))
    store = Store(tmp_path, 10_000)
    store.put(A, ANSWER)
    store.put(B, bytes(4000))
    (tmp_path / A).unlink()

    assert store.get(A) == ANSWER
    assert store.get(B) == bytes(4000)


def test_whether_an_answer_is_stored_is_known_by_its_name(tmp_path, no_memory, monkeypatch):
    Store(tmp_path, 10_000).put(A, ANSWER)
    monkeypatch.setattr(module, "read_answer", lambda *_: pytest.fail("it was read"))
    store = Store(tmp_path, 10_000)

    assert A in store
    assert B not in store
