"""Labeled files that visitors bring: what is taken, what is left out, and who sees them."""

import asyncio
import gc
import io
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from dashboards.files.drops import Drop
from dashboards.files.own_sets import OwnSets
from dashboards.files.uploads import Limits, Uploads
from dashboards.service.requests import ModelEntry, is_public
from dashboards.service.service import Service
from dashboards.state.errors import PREDICTED, ErrorStudy
from dashboards.state.own_sets import OwnLabeled
from weights_keras import ModelCard, save
from xai_tf.errors import InputError

SMALL = Limits(sound_bytes=20_000, picture_bytes=20_000, total_bytes=30_000, labeled_files=20)


def picture(left, right):
    """A PNG of two levels, whose logit `halves` makes of (right - left) / 255."""
    levels = np.full((32, 32), left, np.uint8)
    levels[:, 16:] = right
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


LEFT, RIGHT = picture(200, 0), picture(0, 200)
SIDES = {
    "my sides/left/a.png": LEFT,
    "my sides/left/deeper/wrong.png": picture(0, 250),
    "my sides/right/b.png": RIGHT,
}


def stored(folder):
    """The files of a set below its folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_an_archive_is_unpacked_and_what_is_no_input_is_named(tmp_path):
    link = zipfile.ZipInfo("my sides/left/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    others = {
        "__MACOSX/my sides/left/._a.png": b"x",
        "my sides/.DS_Store": b"x",
        "my sides/Thumbs.db": b"x",
        "my sides/notes.txt": b"some text",
        "my sides/left/inner.zip": zipped({"x.png": LEFT}),
        "my sides/right/huge.png": LEFT + bytes(SMALL.picture_bytes),
        "my sides/right/scan": b"\0" * 128 + b"DICM",
        link: b"../../../../etc/passwd",
    }

    own = OwnSets(tmp_path, SMALL).add_zip("C:\\data\\my sides.zip", zipped(SIDES | others))

    assert (own.name, own.count) == ("my sides", 3)
    assert stored(own.path) == ["left/a.png", "left/deeper/wrong.png", "right/b.png"]
    assert (own.path / "left" / "a.png").read_bytes() == LEFT
    told = {name.rsplit("/", 1)[-1]: reason for name, reason in own.left_out}
    assert set(told) == {"notes.txt", "inner.zip", "huge.png", "scan", "link.png"}
    assert "does not contain a supported picture or sound" in told["notes.txt"]
    assert "is a link" in told["link.png"]
    assert "the limit" in told["huge.png"]
    assert OwnSets(tmp_path, SMALL).sets() == {"my sides": own}


def test_a_file_gets_the_suffix_of_its_content_where_it_has_none(tmp_path):
    own = OwnSets(tmp_path, SMALL).add_zip("s.zip", zipped({"left/IM01": LEFT, "right/b": RIGHT}))

    assert stored(own.path) == ["left/IM01.png", "right/b.png"]


def lying(data):
    """An archive whose file claims to unpack to a few bytes, and holds a megabyte."""
    archive = zipped({"left/a.png": LEFT + bytes(10**6)})
    true = (len(LEFT) + 10**6).to_bytes(4, "little")
    return archive.replace(true, len(LEFT).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no zip", r"s.zip is damaged or no .zip"),
        (zipped(SIDES)[:-30], r"s.zip is damaged or no .zip"),
        (zipped({}), r"s holds no picture or sound"),
        (zipped({"left/a.txt": b"text"}), r"s holds no picture .* a.txt does not contain"),
        (zipped(SIDES | {"../../evil.png": LEFT}), r"s.zip holds paths outside of its folder"),
        (zipped(SIDES | {"/etc/evil.png": LEFT}), r"s.zip holds paths outside of its folder"),
        (zipped(SIDES | {"..\\evil.png": LEFT}), r"s.zip holds paths outside of its folder"),
        (zipped({"left/a.png": bytes(10**6)}), r"would take 1 MB .* the limit is 0.03 MB"),
        (zipped({f"left/{n}": b"" for n in range(201)}), r"s.zip holds 201 files; the limit is 20"),
        (lying(LEFT), r"s holds no picture or sound .* is damaged"),
    ],
)
def test_an_archive_that_cannot_be_used_is_refused_and_leaves_nothing(tmp_path, data, said):
    with pytest.raises(InputError, match=said):
        OwnSets(tmp_path, SMALL).add_zip("s.zip", data)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_files_beyond_the_limits_are_left_out_one_by_one(tmp_path):
    many = {f"left/{number}.png": LEFT for number in range(22)}
    own = OwnSets(tmp_path, SMALL).add_zip("s.zip", zipped(many))

    assert (own.count, len(own.left_out)) == (20, 2)
    assert "the limit is 20 files" in own.left_out[0][1]


def test_a_second_set_counts_with_the_first_and_gets_a_name_of_its_own(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")  # 16 kB, so that two are too many
    sets = OwnSets(tmp_path, SMALL)
    sets.add_zip("s.zip", zipped({"left/a.png": buffer.getvalue()}))

    with pytest.raises(InputError, match="your labeled sets would take more than"):
        sets.add_zip("s.zip", zipped({"left/a.png": buffer.getvalue()}))
    second = sets.add_zip("s.zip", zipped(SIDES))

    assert second.name == "s-2"
    assert list(sets.sets()) == ["s", "s-2"]


def test_a_folder_comes_file_by_file_and_is_complete_with_the_last(tmp_path):
    async def visit():
        own, drop = OwnLabeled(OwnSets(tmp_path, SMALL)), Drop(3, count=4)
        for name, data in SIDES.items():
            await own.add(name, data, drop)
        before = dict(own.sets)
        await own.reject("my sides/right/huge.png", "huge.png is too large.", drop)
        return own, before

    own, before = asyncio.run(visit())

    assert before == {}
    assert own.latest is own.sets["my sides"]
    assert own.latest.count == 3
    assert own.latest.left_out == (("my sides/right/huge.png", "huge.png is too large."),)
    assert (own.working, own.problem) == ("", "")


def test_a_folder_that_never_came_whole_is_no_set_and_makes_room(tmp_path):
    async def visit():
        await OwnLabeled(OwnSets(tmp_path, SMALL)).add("torn/left/a.png", LEFT, Drop(0, count=2))
        gc.collect()  # the page is gone, as where the server was killed
        after_reload = OwnLabeled(OwnSets(tmp_path, SMALL))
        await after_reload.add("s.zip", zipped(SIDES), Drop(0))
        return after_reload

    assert list(asyncio.run(visit()).sets) == ["s"]
    assert not list(tmp_path.rglob("torn"))


def test_a_page_that_closes_deletes_what_came_of_its_set(tmp_path):
    async def visit():
        own, other = (OwnLabeled(OwnSets(tmp_path, SMALL)) for _ in range(2))
        await other.add("whole/left/a.png", LEFT, Drop(0, count=2))
        await own.add("torn/left/a.png", LEFT, Drop(0, count=2))
        own.close()
        other.remove_all()

    asyncio.run(visit())

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("names", [("first", "second"), ("same", "same")])
def test_folders_and_archives_that_come_to_two_pages_at_once_all_arrive_whole(tmp_path, names):
    limits = Limits(labeled_files=100)
    contents = [picture(level, 255 - level) for level in range(40)]

    async def upload(own, name, first):
        drop = Drop(0, count=len(contents))
        for number, data in enumerate(contents):
            side = "left" if number % 2 else "right"
            await own.add(f"{name}/{side}/{first + number}.png", data, drop)

    async def visit():
        pages = [OwnLabeled(OwnSets(tmp_path, limits)) for _ in range(3)]
        archive = zipped({f"left/{n}.png": data for n, data in enumerate(contents)})
        await asyncio.gather(
            upload(pages[0], names[0], 0),
            upload(pages[1], names[1], 100),
            *(pages[2].add("zipped.zip", archive, Drop(number)) for number in range(3)),
        )
        return pages

    first, second, third = asyncio.run(visit())

    assert [page.problem for page in (first, second, third)] == ["", "", ""]
    for page, start in ((first, 0), (second, 100)):
        found = sorted(int(path.stem) for path in page.latest.path.rglob("*.png"))
        assert found == list(range(start, start + 40))
    assert {one.count for one in OwnSets(tmp_path, limits).sets().values()} == {40}
    assert len(OwnSets(tmp_path, limits).sets()) == 5


def test_sets_that_come_at_once_share_the_limit_of_their_visitor(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")  # 16 kB, so that two are too many
    first, second = (OwnSets(tmp_path, SMALL).begin("s") for _ in range(2))

    first.add("left/a.png", buffer.getvalue())
    second.add("left/a.png", buffer.getvalue())
    second.add("left/b.png", LEFT)
    left_out = (first.finish().left_out, second.finish().left_out)

    assert left_out[0] == ()
    assert "your labeled sets would take more than" in left_out[1][0][1]


def test_sets_are_kept_and_deleted_like_uploads(tmp_path):
    returning = Uploads(tmp_path, visitor="a1")
    OwnSets(returning.folder, SMALL).add_zip("s.zip", zipped(SIDES))
    returning.close()
    leaving = Uploads(tmp_path)
    OwnSets(leaving.folder, SMALL).add_zip("s.zip", zipped(SIDES))
    leaving.close()

    again = Uploads(tmp_path, visitor="a1")

    assert list(OwnSets(again.folder, SMALL).sets()) == ["s"]
    assert not leaving.folder.exists()


# Evaluated


@pytest.fixture(scope="module")
def service(halves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    card = ModelCard(
        name="halves",
        task="none",
        classes=halves.classes,
        backbone="none",
        image_size=(32, 32),
    )
    digest = save(halves.model, card, folder).sha256
    entry = ModelEntry(
        name="halves",
        path=folder / "halves.keras",
        sha256=digest,
        task=None,
        title="",
        classes=halves.classes,
        summary="",
    )
    service = Service({"halves": entry}, tmp_path_factory.mktemp("service"), workers=1)
    yield service
    service.close()


def study_of(service, folder):
    own = OwnLabeled(OwnSets(folder, SMALL))
    return ErrorStudy(service.visitor(), service.models, [], own)


def test_an_own_set_is_evaluated_and_its_files_stay_with_their_visitor(service, tmp_path):
    async def visit():
        study, other = study_of(service, tmp_path / "mine"), study_of(service, tmp_path / "other")
        await study.own.add("my sides.zip", zipped(SIDES), Drop(0))
        title = study.folder
        await study.check()
        await study.run()
        study.method = "gradient_input"
        await study.select(study.ranking[0])
        study.open_in_explain()
        request = study.open_request
        stored = service.has_answer(request)
        other.folder = str(study.results.predictions.folder)
        await other.check()
        study.visitor.close()
        return study, title, request, stored, other.problem, service.has_answer(request)

    study, title, request, stored, refused, left = asyncio.run(visit())

    assert title == "my sides (yours)"
    assert study.problem == ""
    assert [study.results.name(n) for n in study.ranking] == ["left/deeper/wrong.png"]
    assert study.maps[PREDICTED].target_name == "right"
    assert not is_public(request)
    assert (stored, left) == (True, False)
    assert "gives access to no labeled files" in refused


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"normal/a.png": LEFT, "opacity/b.png": RIGHT},
            "No folder of s is named after a class of halves. Folders: normal, opacity. "
            "Classes: left, right. Rename the folders, or choose another model.",
        ),
        ({"a.png": LEFT, "b.png": RIGHT}, "s holds no folders. Put the files of each class into"),
        ({"left/a.png": LEFT, "rihgt/b.png": RIGHT}, "there are left, rihgt"),
    ],
)
def test_folders_that_are_no_classes_are_told_with_both_lists(service, tmp_path, files, said):
    async def visit():
        study = study_of(service, tmp_path)
        await study.own.add("s.zip", zipped(files), Drop(0))
        await study.check()
        return study

    study = asyncio.run(visit())

    assert said in study.problem
    assert str(tmp_path) not in study.problem
    assert study.request is None


def test_files_of_one_class_are_taken_and_it_is_told_what_they_cannot_tell(service, tmp_path):
    async def visit():
        study = study_of(service, tmp_path)
        await study.own.add("s.zip", zipped({"LEFT/a.png": LEFT}), Drop(0))
        await study.check()
        await study.run()
        return study

    study = asyncio.run(visit())

    assert study.problem == ""
    assert study.notes[0] == "All files are of class left, so only the recall of left can be " + (
        "measured."
    )
    assert study.measures[0].value == 1


def test_deleted_sets_take_their_results_with_them(service, tmp_path):
    async def visit():
        study = study_of(service, tmp_path)
        await study.own.add("s.zip", zipped(SIDES), Drop(0))
        await study.check()
        await study.run()
        study.own.remove_all()
        return study

    study = asyncio.run(visit())

    assert (study.folder, study.sets, study.results, study.ranking) == ("", {}, None, [])
    assert not list(tmp_path.rglob("*.png"))


# The page


@pytest.mark.slow
def test_a_folder_and_an_archive_are_given_in_the_page_and_evaluated(service, tmp_path):
    import panel_material_ui as pmui

    from dashboards.views.errors import ErrorsView
    from tests.browser import axe_faults, chromium, complaints, served

    for name, data in SIDES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (tmp_path / "s.zip").write_bytes(zipped(SIDES | {"my sides/<b>notes.txt": b"text"}))

    def make():
        study = study_of(service, tmp_path / "visitor")
        return pmui.Page(title="Errors", main=[ErrorsView(study=study)], busy_indicator=None)

    with served(make) as url, chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 1800})
        with complaints(page) as found:
            page.goto(url)
            page.locator("input[webkitdirectory]").set_input_files(tmp_path / "my sides")
            page.get_by_text("3 files of my sides were stored.").wait_for()
            page.locator("input[accept='.zip']").set_input_files(tmp_path / "s.zip")
            page.get_by_text("3 files of s were stored.").wait_for()
            page.get_by_text("<b>notes.txt does not contain").wait_for()
            sets = page.get_by_role("combobox", name="Labeled set")
            sets.locator("option:checked", has_text="s (yours)").wait_for(state="attached")
            page.locator("button:enabled", has_text="Evaluate").click()
            page.get_by_role("button", name="true class left, predicted right: 1 file").click()
            page.get_by_role("heading", name="Mean map of this cell").wait_for()
            page.get_by_role("button", name="Maps", exact=True).click()
            tile = page.get_by_role("radiogroup", name="File").get_by_role("radio")
            tile.locator("img[src^='data:image/png']").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            assert [one for one in axe_faults(page) if "MuiLinearProgress" not in one] == []
        assert found == []
