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


@pytest.fixture
def no_memory(monkeypatch):
    """Only the files count."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 0)


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_answers_are_there_after_a_restart(tmp_path):
    Store(tmp_path / "new", 10_000).put("key", ANSWER)

    assert Store(tmp_path / "new", 10_000).get("key") == ANSWER
    assert Store(tmp_path / "new", 10_000).get("other") is None


def test_least_recently_used_go_first(tmp_path, no_memory):
    store = Store(tmp_path, 3 * (len(ANSWER) + 32))
    for key in "abc":
        store.put(key, ANSWER)
    store.get("a")

    store.put("d", ANSWER)

    assert [store.get(key) is not None for key in "abcd"] == [True, False, True, True]
    assert store.bytes == sum(file.stat().st_size for file in tmp_path.iterdir())


def test_the_order_of_use_is_known_after_a_restart(tmp_path, no_memory):
    store = Store(tmp_path, 10_000)
    for key in "abc":
        store.put(key, ANSWER)
        os.utime(tmp_path / key, (1000, 1000 + ord(key)))
    store.get("a")

    Store(tmp_path, 3 * (len(ANSWER) + 32)).put("d", ANSWER)

    assert sorted(file.name for file in tmp_path.iterdir()) == ["a", "c", "d"]


DAMAGES = {
    "cut off": lambda content: content[:-1],
    "empty": lambda content: b"",
    "changed": lambda content: content[:40] + b"?" + content[41:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_misses_and_go(tmp_path, no_memory, damage):
    store = Store(tmp_path, 10_000)
    store.put("key", ANSWER)
    (tmp_path / "key").write_bytes(DAMAGES[damage]((tmp_path / "key").read_bytes()))

    assert store.get("key") is None
    assert not (tmp_path / "key").exists()
    assert store.bytes == 0


def test_full_disk_is_no_error_and_told_once(tmp_path, no_memory, monkeypatch, caplog):
    store = Store(tmp_path, 10_000)
    monkeypatch.setattr(os, "replace", full_disk)

    with caplog.at_level(logging.WARNING):
        store.put("a", ANSWER)
        store.put("b", ANSWER)

    assert store.get("a") is None
    assert list(tmp_path.iterdir()) == []
    assert len(caplog.records) == 1
    monkeypatch.undo()
    store.put("a", ANSWER)
    assert Store(tmp_path, 10_000).get("a") == ANSWER


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")

    store = Store(tmp_path / "file" / "store", 10_000)
    store.put("key", ANSWER)

    assert store.get("key") == ANSWER  # in memory


def test_an_answer_larger_than_the_store_pushes_nothing_out(tmp_path, no_memory):
    store = Store(tmp_path, 2000)
    store.put("small", ANSWER)

    store.put("large", bytes(5000))

    assert store.get("small") == ANSWER
    assert store.get("large") is None


def test_unfinished_files_of_a_dead_server_go(tmp_path):
    (tmp_path / f"{module.UNFINISHED}old").write_bytes(b"half")
    (tmp_path / f"{module.UNFINISHED}new").write_bytes(b"half")
    long_ago = time.time() - 2 * module.ABANDONED
    os.utime(tmp_path / f"{module.UNFINISHED}old", (long_ago, long_ago))

    store = Store(tmp_path, 10_000)

    assert store.bytes == 0
    assert [file.name for file in tmp_path.iterdir()] == [f"{module.UNFINISHED}new"]


def test_several_threads_never_read_half_an_answer(tmp_path, no_memory):
    store = Store(tmp_path, 20 * 50_000)
    answers = {f"key{number}": bytes([number]) * 50_000 for number in range(30)}

    def use(round_: int) -> bool:
        key = f"key{round_ * 7 % 30}"
        store.put(key, answers[key])
        return all(store.get(name) in (None, data) for name, data in answers.items())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(60)))
    assert store.bytes <= 20 * 50_000
