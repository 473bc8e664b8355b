"""Uploads: which files are stored, and which are rejected with which error."""

import errno
import gzip
import io
import os
import stat
import struct
import time
import wave
import zipfile
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image

from dashboards.files.uploads import (
    Limits,
    Uploads,
    clear_uploads,
    open_uploads,
    safe_name,
    sweep_uploads,
    uploads_folder,
)
from dashboards.service.labeled import file_record
from tests.conftest import SAMPLES
from xai_tf.errors import InputError, OutputError
from xai_tf.inputs.formats import FORMATS
from xai_tf.inputs.sample import read_image
from xai_tf.inputs.sound_files import SOUND_SUFFIXES, read_recording

SMALL = Limits(sound_bytes=40_000, picture_bytes=20_000, total_bytes=60_000, files=3)


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path / "uploads")


@pytest.fixture
def few(tmp_path):
    return Uploads(tmp_path / "uploads", SMALL)


def picture(seed=0, side=16, kind="PNG"):
    noise = np.random.default_rng(seed).integers(0, 255, (side, side, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


def sound(seconds=0.5):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.arange(int(8000 * seconds), dtype=np.int16).tobytes())
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


def dicom(rows, syntax="1.2.840.10008.1.2.1"):
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    dataset.Rows, dataset.Columns = rows, 16
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset)
    return buffer.getvalue()


def zip_bomb():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(10_000_000))
    return buffer.getvalue()


def assert_rejected(uploads, name, data, *said):
    """One line that names the file, the cause and the next step; nothing is stored."""
    with pytest.raises(InputError) as caught:
        uploads.add(name, data)

    text = str(caught.value)
    assert "\n" not in text
    assert str(uploads.folder) not in text
    for part in (safe_name(name), *said):
        assert part in text
    assert uploads.files == ()
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "kind", "suffix"),
    [
        (picture(), "picture", ".png"),
        (picture(kind="JPEG"), "picture", ".jpg"),
        (picture(kind="BMP"), "picture", ".bmp"),
        (picture(kind="TIFF"), "picture", ".tif"),
        (picture(kind="WEBP"), "picture", ".webp"),
        (dicom(16), "picture", ".dcm"),
        (sound(), "sound", ".wav"),
        (b"fLaC" + bytes(100), "sound", ".flac"),
        (b"OggS" + bytes(100), "sound", ".ogg"),
        (b"ID3\x04" + bytes(100), "sound", ".mp3"),
        (b"\xff\xfb\x90\x64" + bytes(100), "sound", ".mp3"),
    ],
)
def test_a_file_is_what_its_content_says(uploads, data, kind, suffix):
    upload = uploads.add("../../etc/passwd.exe", data)

    assert (upload.name, upload.kind, upload.size) == ("passwd.exe", kind, len(data))
    assert upload.path == uploads.folder / f"{upload.sha256}{suffix}"
    assert upload.path.read_bytes() == data


@pytest.mark.parametrize("suffix", [known.suffix for known in FORMATS] + [".nii.gz"])
def test_every_format_of_the_library_is_taken_and_read_again(uploads, tmp_path, suffix):
    path = written(tmp_path / f"file{suffix}")

    upload = uploads.add("file", path.read_bytes())

    assert upload.path.name == f"{upload.sha256}{suffix}"
    if upload.kind == "picture":
        assert read_image(upload.path, (16, 16))[0].image.shape == (16, 16, 3)
    else:
        assert len(read_recording(upload.path).waveform) > 1000


def written(path):
    """A file of the format that a suffix stands for."""
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    name = path.name.removeprefix("file")
    if name == ".dcm":
        path.write_bytes(dicom(16))
        pytest.skip("it holds no pixels; see tests/inputs/test_dicom.py")
    elif name == ".npy":
        np.save(path, pixels)
    elif name.startswith(".nii"):
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(pixels.astype(np.int16), np.eye(4)), path)
    elif name == ".heic":
        pillow_heif = pytest.importorskip("pillow_heif", reason="pi-heif cannot write")
        pillow_heif.from_pillow(Image.fromarray(pixels)).save(path, format="HEIF")
    elif path.suffix in SOUND_SUFFIXES:
        tone = np.sin(np.arange(8000) / 5) / 2
        if name in (".m4a", ".aac", ".webm", ".amr", ".wma"):
            pytest.skip("only ffmpeg writes it; see tests/inputs/test_sound_files.py")
        soundfile.write(path, tone, 8000)
    else:
        Image.fromarray(pixels).save(path)
    return path


def test_a_volume_of_too_many_voxels_is_rejected_before_it_is_unpacked(uploads):
    header = bytearray(348)
    header[:4] = (348).to_bytes(4, "little")
    header[40:48] = np.array([3, 2000, 2000, 2000], "<i2").tobytes()
    header[344:] = b"n+1\0"

    assert_rejected(uploads, "v.nii.gz", gzip.compress(bytes(header)), "million voxels")


def test_only_this_user_can_read_uploads(uploads):
    upload = uploads.add("a.png", picture())

    assert stat.S_IMODE(uploads.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(upload.path.stat().st_mode) == 0o600


def test_the_same_content_twice_is_one_file(uploads):
    first = uploads.add("a.png", picture())
    again = uploads.add("b.png", picture())

    assert again == first
    assert uploads.files == (first,)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("empty.png", b"", "empty (0 bytes)"),
        (
            "../../etc/x.png",
            b"MZ\x90\0" + os.urandom(5_000_000),
            "not contain a supported picture or sound",
        ),
        ("words.png", b"This is no picture.", "Expected DICOM, PNG, JPEG"),
        (
            "page.jpg",
            b"<html><script>alert(1)</script></html>",
            "not contain a supported picture or sound",
        ),
        (
            "drawing.png",
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "not contain a supported picture or sound",
        ),
        ("bomb.wav", zip_bomb(), "not contain a supported picture or sound"),
        ("film.wav", b"RIFF\0\0\0\0AVI " + bytes(100), "not contain a supported picture or sound"),
        ("utf16.mp3", "hello".encode("utf-16"), "not contain a supported picture or sound"),
        ("dot.png", picture(side=1), "1x1 pixels"),
        ("huge.png", png_header(20_000, 20_000), "100 megapixels"),
        ("long.png", png_header(2**31 - 1, 8), "100 megapixels"),
        ("cut.jpg", b"\xff\xd8\xff\xe0\0\x10JF", "damaged"),
        ("cut.png", picture()[:12], "damaged"),
        ("cut.tif", b"II*\0\xff\xff\xff\xff", "damaged"),
        ("cut.dcm", bytes(128) + b"DICM" + b"\1\2\3", "no readable picture"),
        ("large.dcm", dicom(50_000)[:-2] + b"\xff\xff", "100 megapixels"),
        ("deflated.dcm", bytes(128) + b"DICM 1.2.840.10008.1.2.1.99", "deflated"),
    ],
)
def test_unsupported_files_are_rejected(uploads, name, data, said):
    assert_rejected(uploads, name, data, said, ".")


def test_an_icon_is_rejected_even_with_a_png_name(uploads):
    assert_rejected(
        uploads, "a.png", picture(kind="ICO"), "not contain a supported picture or sound"
    )


def test_a_truncated_body_is_left_to_the_reader(uploads):
    assert uploads.add("cut.jpg", picture(side=64, kind="JPEG")[:1500]).kind == "picture"
    assert uploads.add("cut.wav", sound()[:1000]).kind == "sound"


def test_a_polyglot_is_stored_as_the_type_of_its_first_bytes(uploads):
    upload = uploads.add("page.html", picture() + b"<script>alert(1)</script>" + zip_bomb())

    assert upload.path.suffix == ".png"


def test_each_kind_has_its_limit(few):
    few.add("a.wav", sound(2))

    with pytest.raises(InputError, match=r"b\.png has 0\.03 MB; .* a picture is 0\.02 MB"):
        few.add("b.png", picture(side=100))
    with pytest.raises(InputError, match=r"c\.wav has .* the limit is 0\.04 MB"):
        few.add("c.wav", sound(3))


def test_files_beyond_the_limit_are_rejected(tmp_path):
    uploads = Uploads(tmp_path)
    for number in range(50):
        uploads.add(f"{number}.png", picture(number, side=8))

    with pytest.raises(
        InputError, match=r"51\.png was rejected: the limit is 50 files\. Remove a file"
    ):
        uploads.add("51.png", picture(51, side=8))
    assert len(uploads.files) == 50


def test_all_files_together_have_a_limit(few):
    few.add("a.wav", sound(2))

    with pytest.raises(InputError, match=r"b\.wav was rejected: .* the limit is 0\.06 MB"):
        few.add("b.wav", sound(2.1))


def test_a_removed_file_can_be_restored(few):
    first, second = few.add("a.png", picture(1)), few.add("b.png", picture(2))

    few.remove(first)
    assert few.files == (second,)

    assert few.restore(first.sha256) == first
    assert few.files == (second, first)
    assert few.restore("0" * 64) is None


def test_removed_files_make_room_for_new_ones(few):
    first, second = few.add("a.wav", sound(2)), few.add("b.png", picture(1))
    few.remove(first)
    few.remove(second)

    third = few.add("c.wav", sound(2.2))

    assert few.restore(first.sha256) is None
    assert few.restore(second.sha256) == second
    assert sorted(few.folder.iterdir()) == sorted([second.path, third.path])


def test_adding_and_removing_repeatedly_does_not_fill_the_disk(few):
    for seed in range(20):
        few.remove(few.add("a.png", picture(seed)))

    assert len(list(few.folder.iterdir())) <= SMALL.files


def test_closing_deletes_everything(uploads):
    uploads.remove(uploads.add("a.png", picture(1)))
    uploads.add("b.png", picture(2))

    uploads.close()

    assert not uploads.folder.exists()
    with pytest.raises(OutputError, match=r"Cannot store c\.png on this server"):
        uploads.add("c.png", picture(3))


def test_a_full_disk_is_reported_and_leaves_nothing(uploads, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)

    with pytest.raises(OutputError, match=r"Cannot store a\.png .* disk is full.* later"):
        uploads.add("a.png", picture())
    assert uploads.files == ()
    assert list(uploads.folder.iterdir()) == []


def test_visitors_do_not_see_each_other(tmp_path):
    one, other = Uploads(tmp_path), Uploads(tmp_path)
    upload = one.add("a.png", picture())

    assert other.restore(upload.sha256) is None
    other.close()
    assert upload.path.exists()


def test_a_sample_is_not_copied_and_never_deleted(uploads):
    path = SAMPLES / "cat.jpg"

    upload = uploads.from_path(path)
    uploads.remove(upload)
    uploads.close()

    assert (upload.path, upload.kind) == (path, "picture")
    assert path.exists()


def test_only_files_of_the_server_are_public(uploads):
    assert Uploads.from_path(SAMPLES / "cat.jpg").public
    assert file_record(SAMPLES / "cat.jpg").public
    assert not uploads.add("a.png", picture()).public


def test_files_next_to_the_visitors_folders_are_left_alone(tmp_path):
    folder = uploads_folder(tmp_path)
    Uploads(folder).add("a.png", picture())
    (folder / "thesis").mkdir()
    (folder / "thesis" / "thesis.docx").write_bytes(b"years of work")

    clear_uploads(tmp_path)

    assert [path.name for path in folder.rglob("*")] == ["thesis", "thesis.docx"]


def leave(cache, visitor, data, seconds_ago=0.0):
    """A visitor adds a file, and closes their page."""
    uploads = open_uploads(uploads_folder(cache), visitor=visitor)
    upload = uploads.add("a.png", data)
    uploads.close()
    last_use = time.time() - seconds_ago
    os.utime(uploads.folder, (last_use, last_use))
    return upload


def test_a_visitor_who_comes_back_finds_their_files_in_order(tmp_path):
    folder = uploads_folder(tmp_path)
    first = open_uploads(folder, visitor="ann")
    added = [first.add(f"{seed}.png", picture(seed)) for seed in (2, 1, 3)]
    first.remove(added[1])
    first.close()

    assert open_uploads(folder, visitor="ann").files == (added[0], added[2])
    assert not added[1].path.exists()
    assert open_uploads(folder, visitor="eve").files == ()


def test_pages_of_one_visitor_share_the_files_until_the_last_one_closes(tmp_path):
    folder = uploads_folder(tmp_path)
    first, second = (open_uploads(folder, visitor="ann") for _ in range(2))
    upload = first.add("a.png", picture())
    first.close()
    sweep_uploads(tmp_path, 0.0, 0)

    assert second.files == (upload,)
    assert upload.path.exists()
    second.close()
    sweep_uploads(tmp_path, 0.0, 0)
    assert not list(folder.iterdir())


def test_files_outlive_a_restart_for_their_time_only(tmp_path):
    fresh = leave(tmp_path, "ann", picture(1), seconds_ago=100)
    old = leave(tmp_path, "bob", picture(2), seconds_ago=700)

    clear_uploads(tmp_path, 600, 10**9)

    assert fresh.path.exists()
    assert not old.path.parent.exists()


def test_of_too_many_bytes_those_used_last_are_kept(tmp_path):
    data = picture()
    left = [leave(tmp_path, name, data, seconds) for name, seconds in (("ann", 9), ("bob", 5))]

    sweep_uploads(tmp_path, 600, int(1.9 * len(data)))

    assert [upload.path.exists() for upload in left] == [False, True]


def test_a_visitor_who_left_nothing_leaves_no_folder(tmp_path):
    open_uploads(uploads_folder(tmp_path), visitor="ann").close()

    assert not list(uploads_folder(tmp_path).iterdir())


@pytest.mark.parametrize("name", ["..", "../ann", "a/b", ""])
def test_a_visitors_name_that_is_no_name_is_nobodys(tmp_path, name):
    uploads = open_uploads(uploads_folder(tmp_path), visitor=name)

    assert uploads.folder.parent == uploads_folder(tmp_path)
    uploads.close()
    assert not uploads.folder.exists()


@pytest.mark.parametrize("text", ["", "[", "{}", '[{"name": 1}]', '[{"path": "x"}]', "[3]"])
def test_a_damaged_list_of_files_is_an_empty_one(tmp_path, text):
    upload = leave(tmp_path, "ann", picture())
    (upload.path.parent / "files.json").write_text(text)

    again = open_uploads(uploads_folder(tmp_path), visitor="ann")

    assert again.files == ()
    assert again.add("b.png", picture()).path.exists()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/x.exe", "x.exe"),
        (r"C:\Users\ann\cat.png", "cat.png"),
        ("folder/", "folder"),
        ("..", "file"),
        ("", "file"),
        ("CON", "CON"),
        ("a\0b\r\nc\t.png", "ab c .png"),
        ("gnp\u202egpj.exe", "gnpgpj.exe"),
        ("<script>alert(1)<.png", "<script>alert(1)<.png"),
        ("Röntgen 胸部.png", "Röntgen 胸部.png"),
        ("\udcff.png", ".png"),
    ],
)
def test_a_name_becomes_one_harmless_line(name, shown):
    assert safe_name(name) == shown


def test_a_long_name_keeps_its_ends():
    shown = safe_name("x" * 10_000 + ".png")

    assert len(shown) == 120
    assert shown.startswith("xxx")
    assert shown.endswith("….png"[1:])
