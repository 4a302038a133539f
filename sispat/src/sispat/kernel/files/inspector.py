"""Looks into one file that a stranger sent: `python inspector.py`, and one line of JSON, [FORMAT, PATH, OUT, SMALL].

The line may come later: what takes long is loaded before it is waited for, so that who expects a file starts this program
while the file is still on its way. Where none comes before the end of the input, it ends.

A program of its own, because what reads pictures, PDFs and archives may be made to crash, hang or take all memory: here that
ends this process, at the limits set below, and no request of anybody else. It prints one JSON object: what the file is, or
why it is refused (`reason`, `what`, `limit`). Of a picture it writes a new one to OUT, turned upright, no larger than people
need and without anything beside the pixels (EXIF, position, comments, what was appended), and a small one to SMALL. PDFs
and office files are kept bit by bit, because a change would break their signatures; what they must not hold is refused.
With `codes` for FORMAT it reads the bar codes in a picture that it wrote before.
"""

from __future__ import annotations

import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_PIXELS = 80_000_000
"""Of a picture; decoded these are 240 MB. Phones make 12 to 50 million."""
LONGEST_SIDE = 2560
"""Pixels of what is kept: a page photographed whole stays legible (A4 at 220 dpi)."""
SMALL_SIDE = 320
MEMORY = 1 << 30  # bytes of address space
SECONDS = 20  # of CPU
MOST_EXPANDED = 200 << 20  # bytes in all members of an archive
_MOST_MEMBERS = 5000
_MOST_READ = 2 << 20  # bytes of a member that is read as text
_LARGEST_PROFILE = 64 << 10  # bytes; a colour profile of a camera has 500 to 4000


class Refused(Exception):
    """Not to be taken."""

    def __init__(self, reason: str, what: str = "", limit: float = 0) -> None:
        self.answer = {"reason": reason, "what": what, "limit": limit}
        super().__init__(reason)


def _limit_self() -> None:
    os.umask(0o077)  # what it writes is the service's alone
    if sys.platform == "win32":
        return  # the time is what bounds it there
    import resource

    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        _soft, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, hard))


def inspect(format_: str, path: Path, out: Path, small: Path) -> dict[str, Any]:
    """What `path` is; raises `Refused`."""
    if format_ == "pdf":
        return _pdf(path)
    if format_ == "zip":
        return _archive(path)
    if format_ == "codes":
        return _codes(path)
    return _picture(format_, path, out, small)


# Pictures

_PILLOW = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
_SAVED: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 85, "progressive": True},
    "PNG": {"optimize": False},
    "WEBP": {"quality": 85, "method": 3},
}


def _picture(format_: str, path: Path, out: Path, small: Path) -> dict[str, Any]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit is looked at before anything is decoded
    kind = _PILLOW[format_]
    try:
        with Image.open(path, formats=[kind]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Refused("pixels-demais", limit=MOST_PIXELS / 1e6)
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at the size that is needed
            image.load()
            profile = image.info.get("icc_profile") or b""
            upright = ImageOps.exif_transpose(_reduced(image, LONGEST_SIDE, kind))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise Refused("danificado") from error
    upright.info = {}
    more = {"icc_profile": profile} if 0 < len(profile) <= _LARGEST_PROFILE else {}
    _save(upright, out, kind, **_SAVED[kind], **more)
    _save_small(upright, small, more)
    return {"format": format_, "width": upright.width, "height": upright.height}


def _codes(path: Path) -> dict[str, Any]:
    """The texts of the codes in a picture that was looked into before."""
    import zxingcpp
    from PIL import Image

    with Image.open(path) as image:
        return {"codes": [code.text for code in zxingcpp.read_barcodes(image.convert("L"))]}


def _reduced(image: Any, side: int, kind: str) -> Any:
    """`image` in a mode that its format can hold, no side longer than `side`."""
    if kind == "JPEG" or image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        plain = image if image.mode in ("L", "RGB") else image.convert("RGBA" if _transparent(image, kind) else "RGB")
    else:
        plain = image
    if max(plain.size) > side:
        if plain.mode in ("1", "P"):
            plain = plain.convert("RGBA" if _transparent(plain, kind) else "RGB")
        plain.thumbnail((side, side))
    return plain


def _transparent(image: Any, kind: str) -> bool:
    return kind != "JPEG" and (image.has_transparency_data or image.mode == "RGBA")


def _save_small(image: Any, small: Path, more: dict[str, Any]) -> None:
    from PIL import Image

    reduced = image.convert("RGBA")
    reduced.thumbnail((SMALL_SIDE, SMALL_SIDE))
    paper = Image.new("RGB", reduced.size, "white")
    paper.paste(reduced, mask=reduced.getchannel("A"))
    _save(paper, small, "JPEG", quality=80, **more)


def _save(image: Any, path: Path, kind: str, **options: Any) -> None:
    """By way of memory: Pillow's encoders hide why a disk refuses what they write."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    path.write_bytes(content.getbuffer())


# PDF

_ACTIONS = {"/JavaScript": "javascript", "/Launch": "launch", "/ImportData": "launch", "/GoToE": "attachment"}
_KEYS = {
    "/JS": "javascript", "/JavaScript": "javascript", "/XFA": "xfa", "/EF": "attachment", "/EmbeddedFiles": "attachment",
    "/RichMediaContent": "multimedia",
}  # fmt: skip
_SUBTYPES = {
    "/FileAttachment": "attachment", "/RichMedia": "multimedia", "/Movie": "multimedia", "/Sound": "multimedia",
    "/Screen": "multimedia", "/3D": "multimedia",
}  # fmt: skip
_END = 1024  # bytes at the end in which %%EOF has to be (ISO 32000-1, annex H.3, note 18)
_DEEPEST = 200


def _pdf(path: Path) -> dict[str, Any]:
    import pikepdf

    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _END))
        if b"%%EOF" not in file.read():  # cut in the middle, or something was appended
            raise Refused("danificado")
    try:
        with pikepdf.open(path, suppress_warnings=True) as pdf:
            for found in pdf.objects:
                _look_at(found)
    except pikepdf.PasswordError as error:
        raise Refused("com-senha") from error
    except (pikepdf.PdfError, ValueError, RuntimeError) as error:
        raise Refused("danificado") from error
    return {"format": "pdf"}


def _look_at(found: Any) -> None:
    """Raise `Refused` for an object that does something when the file is opened or used."""
    import pikepdf

    waiting = [(found, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > _DEEPEST:
            raise Refused("danificado")
        if isinstance(each, pikepdf.Array):
            waiting += [(item, depth + 1) for item in each if _nested(item)]
        elif isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
            entries = dict(each.items())
            for key, value in entries.items():
                what = _KEYS.get(key) or (_named(value, _ACTIONS) if key == "/S" else None)
                what = what or (_named(value, _SUBTYPES) if key == "/Subtype" else None)
                if what:
                    raise Refused("conteudo-ativo", what)
                if _nested(value):
                    waiting.append((value, depth + 1))


def _nested(value: Any) -> bool:
    """Whether `value` stands inside of what holds it: what is referred to is looked at by itself."""
    import pikepdf

    return isinstance(value, pikepdf.Array | pikepdf.Dictionary) and not value.is_indirect


def _named(value: Any, table: dict[str, str]) -> str | None:
    import pikepdf

    return table.get(str(value)) if isinstance(value, pikepdf.Name) else None


# Office files

_OOXML = {
    b"wordprocessingml.document.main+xml": "docx",
    b"spreadsheetml.sheet.main+xml": "xlsx",
}
_ODF = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
}
_PROGRAMS = ("vbaproject", "macrosheets/", "activex/", "basic/", "scripts/", "oleobject")
_FETCHED = (b"/attachedTemplate", b"/oleObject", b"/frame", b"/subDocument")
"""What is fetched when a document is opened. Links to cells of other workbooks are common, and Excel asks before."""


def _archive(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(archive, members, path)
            format_ = _office_format(archive, members)
            _check_programs(archive, members)
            if archive.testzip() is not None:
                raise Refused("danificado")
    # What zipfile raises for what is cut, made up, encrypted (RuntimeError) or packed in a way it does not know.
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, ValueError, RuntimeError) as error:
        raise Refused("danificado") from error
    return {"format": format_}


def _check_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > _MOST_MEMBERS or sum(each.file_size for each in members) > MOST_EXPANDED:
        raise Refused("expande-demais")
    if not members or archive.comment or min(each.header_offset for each in members) != 0:
        raise Refused("algo-depois-do-fim")
    with path.open("rb") as file:
        file.seek(-22, 2)  # of the end record without a comment: nothing may follow it
        if file.read(4) != b"PK\x05\x06":
            raise Refused("algo-depois-do-fim")
    if any(each.flag_bits & 1 for each in members):
        raise Refused("com-senha")


def _office_format(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> str:
    names = {each.filename for each in members}
    if members[0].filename == "mimetype":
        format_ = _ODF.get(_text(archive, "mimetype").strip())
        if format_ is not None and "content.xml" in names:
            return format_
    elif "[Content_Types].xml" in names:
        types = _text(archive, "[Content_Types].xml")
        if b"macroEnabled" in types:
            raise Refused("macros")
        for main, format_ in _OOXML.items():
            if main in types:
                return format_
    raise Refused("tipo-nao-aceito")


def _check_programs(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    for each in members:
        if any(program in each.filename.lower() for program in _PROGRAMS):
            raise Refused("macros")
    for text in _relations(archive, members):
        for relation in text.split(b"<Relationship")[1:]:
            if b"External" in relation and any(kind in relation for kind in _FETCHED):
                raise Refused("macros")


def _relations(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> Iterator[bytes]:
    for each in members:
        if each.filename.endswith(".rels"):
            yield _text(archive, each.filename)


def _text(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        content = member.read(_MOST_READ + 1)
    if len(content) > _MOST_READ:
        raise Refused("expande-demais")
    return content


def _load() -> None:
    """What nearly every file needs; most of the time that looking into one takes."""
    import pikepdf
    import PIL.Image
    import PIL.ImageOps

    del pikepdf, PIL


def main() -> None:
    """Look, and print what was found."""
    _limit_self()
    _load()
    line = sys.stdin.readline()
    if not line:
        return
    format_, path, out, small = json.loads(line)
    try:
        answer = inspect(format_, Path(path), Path(out), Path(small))
    except Refused as refused:
        answer = refused.answer
    except (MemoryError, RecursionError):
        answer = {"reason": "nao-examinado", "what": "", "limit": 0}
    except OSError as error:  # of what it writes: the disk is full
        answer = {"errno": error.errno}
    print(json.dumps(answer), flush=True)  # noqa: T201 - its answer
    os._exit(0)  # at once: to take apart all that was loaded takes longer than looking into most files


if __name__ == "__main__":
    main()
