"""The formats of pictures and sounds that are read, and how a file's first bytes tell them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

START = 4096  # so many bytes tell every format
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        title: the name shown to users.
        kind: "picture" or "sound".
        suffix: the usual suffix of its files.
        matches: whether the first `START` bytes of a file are of this format.
        demuxer: ffmpeg's name of it, for sounds that only ffmpeg decodes; else empty.
    """

    title: str
    kind: Literal["picture", "sound"]
    suffix: str
    matches: Callable[[bytes], bool]
    demuxer: str = ""


def format_of(start: bytes) -> Format | None:
    """The format of a file by its first `START` bytes, or None where it is none of these."""
    return next((known for known in FORMATS if known.matches(start)), None)


def brands(start: bytes) -> set[bytes]:
    """The brands of an ISO media file (HEIC, AVIF, MP4); none of other files."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4], "big"), len(start), 128)
    return {start[8:12]} | {start[at : at + 4] for at in range(16, end, 4)}


def _begins(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(magics)


def _holds(form: tuple[bytes, ...], *kinds: bytes) -> Callable[[bytes], bool]:
    """Whether it is a container such as RIFF, whose kind stands after a size."""
    return lambda start: start[:4] in form and start[8:12] in kinds


def _is_nifti(start: bytes) -> bool:
    if start[:2] == b"\x1f\x8b":
        try:
            start = zlib.decompressobj(31).decompress(start, 348)
        except zlib.error:
            return False
    return start[344:348] in (b"n+1\0", b"ni1\0")


def _is_mp4(start: bytes) -> bool:
    return bool(brands(start)) and not brands(start) & {*HEIF_BRANDS, *AVIF_BRANDS}


def _is_adts(start: bytes) -> bool:
    return start[:1] == b"\xff" and len(start) > 1 and start[1] & 0xF6 == 0xF0


def _is_mpeg(start: bytes) -> bool:
    """Whether it starts with the header of a frame of MPEG audio, layer III."""
    if len(start) < 4 or start[0] != 0xFF or start[1] & 0xE6 != 0xE2:
        return False
    version, bit_rate, rate = start[1] >> 3 & 3, start[2] >> 4, start[2] >> 2 & 3
    return version != 1 and bit_rate not in (0, 15) and rate != 3


def _has_brand(*known: bytes) -> Callable[[bytes], bool]:
    return lambda start: bool(brands(start) & set(known))


W64 = b"riff.\x91\xcf\x11\xa5\xd6(\xdb\x04\xc1\0\0"
ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
FORMATS = (
    Format("DICOM", "picture", ".dcm", lambda start: start[128:132] == b"DICM"),
    Format("PNG", "picture", ".png", _begins(b"\x89PNG\r\n\x1a\n")),
    Format("JPEG", "picture", ".jpg", _begins(b"\xff\xd8\xff")),
    Format("GIF", "picture", ".gif", _begins(b"GIF8")),
    Format("BMP", "picture", ".bmp", _begins(b"BM")),
    Format("TIFF", "picture", ".tif", _begins(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Format("WebP", "picture", ".webp", _holds((b"RIFF",), b"WEBP")),
    Format("AVIF", "picture", ".avif", _has_brand(*AVIF_BRANDS)),
    Format("HEIC", "picture", ".heic", _has_brand(*HEIF_BRANDS)),
    Format("JPEG 2000", "picture", ".jp2", _begins(b"\0\0\0\x0cjP  ", b"\xffO\xffQ")),
    Format("NIfTI", "picture", ".nii", _is_nifti),
    Format("NumPy array", "picture", ".npy", _begins(b"\x93NUMPY")),
    Format("WAV", "sound", ".wav", _holds((b"RIFF", b"RF64"), b"WAVE")),
    Format("FLAC", "sound", ".flac", _begins(b"fLaC")),
    Format("OGG", "sound", ".ogg", _begins(b"OggS")),
    Format("MP3", "sound", ".mp3", lambda start: start.startswith(b"ID3") or _is_mpeg(start)),
    Format("AIFF", "sound", ".aiff", _holds((b"FORM",), b"AIFF", b"AIFC")),
    Format("AU", "sound", ".au", _begins(b".snd")),
    Format("CAF", "sound", ".caf", _begins(b"caff")),
    Format("W64", "sound", ".w64", _begins(W64)),
    Format("AAC in MP4", "sound", ".m4a", _is_mp4, "mov"),
    Format("AAC (ADTS)", "sound", ".aac", _is_adts, "aac"),
    Format("WebM or Matroska", "sound", ".webm", _begins(b"\x1a\x45\xdf\xa3"), "matroska"),
    Format("AMR", "sound", ".amr", _begins(b"#!AMR"), "amr"),
    Format("Windows Media Audio (WMA)", "sound", ".wma", _begins(ASF), "asf"),
)
