"""The field for files: what a browser sends arrives, and what a hostile one can do."""

import hashlib
import os

import panel as pn
import pytest

from dashboards.components.chunked_upload import CHUNK_BYTES
from dashboards.components.dropper import Dropper
from dashboards.files.drops import Drop, Rejections
from dashboards.files.uploads import MEGABYTE, Limits
from tests.browser import axe_faults, chromium, frames_sent, served, tells
from tests.waiting import eventually

SMALL = Limits(sound_bytes=40_000, picture_bytes=20_000, total_bytes=60_000, files=3)
LARGER = Limits(sound_bytes=12 * MEGABYTE, picture_bytes=MEGABYTE)


class Taken:
    """A field on which files are counted."""

    def __init__(self, limits=SMALL):
        self.files = []
        self.field = Dropper(limits, lambda name, data: self.files.append((name, data)))

    def say(self, number, name, size, at, data):
        """Say what the browser's part says of a piece."""
        message = {"file": number, "name": name, "size": size, "at": at, "data": data}
        self.field._handle_msg(message)

    @property
    def held(self):
        """Bytes of files that are not whole."""
        return sum(len(file.data.getvalue()) for file in self.field._uploads_under_way.values())


def test_files_of_one_name_do_not_mix():
    taken = Taken()

    taken.say(1, "a.png", 7, 0, b"one ")
    taken.say(2, "a.png", 9, 0, b"the other")
    taken.say(1, "a.png", 7, 4, b"two")

    assert taken.files == [("a.png", b"the other"), ("a.png", b"one two")]
    assert taken.field._uploads_under_way == {}
    assert taken.field.problem == ""


def test_a_file_that_cannot_be_taken_keeps_no_other_from_coming():
    answers = []

    def fail(name, data):
        raise RuntimeError("a defect of ours")

    field = Dropper(SMALL, fail)
    field._send_msg = answers.append
    message = {"file": 0, "name": "a.png", "size": 3, "at": 0, "data": b"one"}
    for number in (0, 1):
        with pytest.raises(RuntimeError):
            field._handle_msg(message | {"file": number})

    assert answers == [{"file": 0, "next": None}, {"file": 1, "next": None}]


def test_an_empty_file_is_a_file():
    taken = Taken()

    taken.say(0, "empty.png", 0, 0, b"")

    assert taken.files == [("empty.png", b"")]


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (10, [(4, b"later")]),
        (10, [(0, b"first"), (0, b"first again and more")]),
        (10, [(0, b"first"), (6, b"gap")]),
        (10, [(0, b"first"), (3, b"again")]),
        (10, [(0, b"first"), (5, b"too much")]),
        (10, [(0, b"first"), (-5, b"again")]),
        (10, [(0, b"first"), (5, b"")]),
        (10, [(0, b"")]),
        (10, [(0, b"more than was said")]),
        (40_001, [(0, b"first")]),
    ],
)
def test_a_file_that_comes_otherwise_than_it_was_said_is_dropped_and_told(size, pieces):
    taken = Taken()

    answers = []
    taken.field._send_msg = answers.append
    for at, data in pieces:
        taken.say(7, "a.png", size, at, data)

    assert answers[-1] == {"file": 7, "next": None}
    assert "a.png" in taken.field.problem
    assert taken.field._uploads_under_way == {}
    assert taken.files == []


def test_a_rejected_file_names_the_drop_it_came_with():
    drops = []
    field = Dropper(SMALL, lambda name, data: drops.append(field.drop))
    field.param.watch(lambda event: event.new and drops.append(field.drop), "problem")
    given = {"name": "a.png", "at": 0, "data": b"one", "drop": {"number": 4, "count": 2}}

    field._handle_msg(given | {"file": 0, "size": 3})
    field._handle_msg(given | {"file": 1, "size": 41_000})
    field._handle_msg(given | {"file": 2, "size": 3, "drop": {"number": "x"}})

    assert drops == [Drop(4, 2), Drop(4, 2), Drop(0)]


def test_what_is_said_of_a_drop_is_said_together():
    said, drop = Rejections(), Drop(1, 9)
    said.begin(drop)
    said.add("broken.jpg is damaged.")
    said.begin(drop)

    assert said.add("notes.txt is no picture.") == (
        "2 of 9 files were not taken:\nbroken.jpg is damaged.\nnotes.txt is no picture."
    )
    said.begin(Drop(2))
    assert said.text == ""
    assert said.add("a.txt is no picture.") == "a.txt is no picture."


def test_of_many_files_some_are_named():
    said = Rejections()
    said.begin(Drop(1, 50))

    lines = [said.add(f"{number}.txt is no picture.") for number in range(50)][-1].splitlines()

    assert lines[0] == "50 of 50 files were not taken:"
    assert lines[-1] == "And 42 more."
    assert len(lines) == 10


def test_a_file_that_is_too_large_is_rejected_at_its_first_chunk():
    taken = Taken()

    taken.say(0, "../a.png", 41_000, 0, b"")

    assert taken.field.problem == (
        "a.png has 0.04 MB; the limit is 0.04 MB. Shorten it, or scale it down."
    )


def test_files_that_are_never_finished_are_bounded():
    taken = Taken()
    for number in range(1000):
        taken.say(number, "a.png", 30_000, 0, bytes(29_999))
        taken.say(number, "a.png", 30_000, 29_999, bytes(2))
        taken.say(number, f"{number}.png", 2, 0, b"x")

    assert taken.held <= SMALL.unfinished_bytes
    assert len(taken.field._uploads_under_way) <= SMALL.files
    assert "rejected: more than 3 files or 0.08 MB" in taken.field.problem
    assert "Upload fewer or smaller files." in taken.field.problem


def test_what_was_announced_counts_before_it_is_here():
    taken = Taken()
    for number in range(3):
        taken.say(number, "a.wav", 40_000, 0, b"x")

    assert list(taken.field._uploads_under_way) == [0, 1]
    assert "rejected" in taken.field.problem


def test_tiny_pieces_take_no_more_room_than_large_ones():
    taken = Taken()
    for at in range(1000):
        taken.say(0, "a.png", 1001, at, b"x")

    assert taken.held == 1000
    taken.say(0, "a.png", 1001, 1000, b"x")
    assert taken.files == [("a.png", b"x" * 1001)]


GOOD = {"file": 1, "name": "a", "size": 2, "at": 0, "data": b"x"}


@pytest.mark.parametrize(
    "message",
    [
        None,
        "text",
        [],
        {},
        *({key: GOOD[key] for key in GOOD if key != missing} for missing in GOOD),
        GOOD | {"file": -1},
        GOOD | {"file": 10**400},
        GOOD | {"file": "1"},
        GOOD | {"name": 3},
        GOOD | {"name": "x" * 2000},
        GOOD | {"size": -1},
        GOOD | {"size": 10**400},
        GOOD | {"size": 2.0},
        GOOD | {"at": None},
        GOOD | {"data": "x"},
        GOOD | {"data": {"a": 1}},
    ],
)
def test_a_made_up_message_changes_nothing(message):
    taken = Taken()

    taken.field._handle_msg(message)

    assert (taken.files, taken.field._uploads_under_way, taken.field.problem) == ([], {}, "")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def site():
    """The address of a page with a field, and what the latest visitor's field took."""
    visits = []

    def make_page():
        visits.append(Taken(LARGER))
        return pn.Column(visits[-1].field, width=340)

    with served(make_page) as url:
        yield url, visits


@pytest.fixture
def page(browser, site):
    page = browser.new_page()
    page.sent = frames_sent(page)
    page.goto(site[0])
    page.get_by_label("Choose files, or drop them here").wait_for()
    yield page
    page.close()


def sizes(frames, kind):
    """Of what was sent as text (str) or as it is (bytes)."""
    return [len(frame) for frame in frames if isinstance(frame, kind)]


def give(page, kind, *files):
    """Drop or paste files (name, size, the byte that fills it)."""
    page.locator(".field").evaluate(
        """(field, [kind, files]) => {
          const given = new DataTransfer()
          for (const [name, size, value] of files) {
            given.items.add(new File([new Uint8Array(size).fill(value)], name))
          }
          const how = {bubbles: true, cancelable: true}
          field.dispatchEvent(kind === "paste"
            ? new ClipboardEvent(kind, {...how, clipboardData: given})
            : new DragEvent(kind, {...how, dataTransfer: given}))
        }""",
        [kind, files],
    )


def test_a_chosen_file_arrives_byte_for_byte_and_again(page, site):
    data = os.urandom(2 * CHUNK_BYTES + 1)
    field = page.get_by_label("Choose files, or drop them here")
    taken = site[1][-1]

    for count in (1, 2):
        field.set_input_files({"name": "a.wav", "mimeType": "audio/wav", "buffer": data})
        eventually(lambda count=count: len(taken.files) == count)

    digest = hashlib.sha256(data).digest()
    assert {name for name, _ in taken.files} == {"a.wav"}
    assert all(hashlib.sha256(arrived).digest() == digest for _, arrived in taken.files)
    page.locator(".sending").wait_for(state="hidden")
    tells(page, lambda: sizes(page.sent, bytes) == [CHUNK_BYTES, CHUNK_BYTES, 1] * 2)
    assert max(sizes(page.sent, str)) < 10_000


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_files_that_are_dropped_or_pasted_come_one_after_the_other(page, site, kind):
    give(page, kind, ("a.png", CHUNK_BYTES + 5, 1), ("a.png", CHUNK_BYTES + 9, 2), ("b.png", 0, 0))

    taken = site[1][-1]
    eventually(lambda: len(taken.files) == 3)
    assert taken.files == [
        ("a.png", b"\1" * (CHUNK_BYTES + 5)),
        ("a.png", b"\2" * (CHUNK_BYTES + 9)),
        ("b.png", b""),
    ]


def test_a_file_over_the_limit_is_not_sent_and_the_next_one_is(page, site):
    give(page, "drop", ("large.wav", 13_000_000, 0), ("small.wav", 5, 7))

    taken = site[1][-1]
    eventually(lambda: taken.files)
    assert taken.files == [("small.wav", b"\7" * 5)]
    assert taken.field.problem.startswith("large.wav has 13.00 MB; the limit is 12 MB.")
    tells(page, lambda: sizes(page.sent, bytes))
    assert sizes(page.sent, bytes) == [5]


def test_a_folder_is_rejected(page, site, tmp_path):
    path = tmp_path / "scans"
    path.write_bytes(b"a file, for Playwright")
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('input'), "
        "{type: 'file', id: 'other'}))"
    )
    page.locator("#other").set_input_files(path)
    path.unlink()
    path.mkdir()

    page.locator(".field").evaluate(
        """(field) => {
          const given = new DataTransfer()
          given.items.add(document.getElementById("other").files[0])
          field.dispatchEvent(new DragEvent("drop", {dataTransfer: given, cancelable: true}))
        }"""
    )

    taken = site[1][-1]
    eventually(lambda: taken.field.problem)
    assert taken.field.problem.startswith("The browser could not read all of scans")
    assert "for a folder, choose the files in it" in taken.field.problem
    give(page, "drop", ("small.wav", 5, 7))
    eventually(lambda: taken.files)


def test_the_field_shows_what_is_dragged_over_it_and_what_is_sent(page, site):
    field = page.locator(".field")

    give(page, "dragover", ("a.png", 1, 1))
    assert "over" in field.get_attribute("class")
    give(page, "dragleave", ("a.png", 1, 1))
    assert "over" not in field.get_attribute("class")

    shown = page.evaluate_handle("[]")
    field.evaluate(
        """(field, shown) => new MutationObserver(() => {
          const bar = field.querySelector("progress")
          bar && shown.push([field.querySelector(".sending span").textContent, bar.value])
        }).observe(field, {subtree: true, attributes: true, childList: true})""",
        shown,
    )
    give(page, "drop", ("a.png", 2 * CHUNK_BYTES, 1), ("b.png", 1, 1))
    eventually(lambda: len(site[1][-1].files) == 2)
    assert ["a.png and 1 more", 0.5] in shown.json_value()
    assert axe_faults(page) == []


def test_the_field_is_reached_by_keyboard_and_opens_what_chooses_files(page):
    page.keyboard.press("Tab")
    assert page.locator("input[type=file]").evaluate("input => input.matches(':focus-visible')")
    style = page.locator(".field").evaluate("field => getComputedStyle(field).outlineStyle")
    assert style == "solid"

    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose files, or drop them here").click()
    assert chooser.value.is_multiple()
