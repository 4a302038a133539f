"""The record of a backup: read back as written, refused when it is not ours, named in the order of time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esteio.backup import Database, Grant, Manifest, ManifestError, Part, TableDigest
from esteio.backup._manifest import backup_id, seal, taken_at, unseal

DATABASE = Database(
    name="cidade são joão",
    owner="dona",
    encoding="UTF8",
    provider="libc",
    collate="C",
    ctype="C",
    locale=None,
    size=7,
    settings=(("", "search_path=a, b"), ("dona", "work_mem=8MB")),
    grants=(Grant("", "CONNECT", False),),
)
MANIFEST = Manifest(
    id="sispat_backup_20260102_030405",
    kind="dump",
    began="2026-01-02T03:04:05+00:00",
    duration=1.5,
    server_version="18.4",
    tool_version="18.4",
    parts=(Part("database.dump.zst", "database", 10, 5, "ab"), Part("globals.sql.zst", "globals", 3, 2, "cd")),
    database=DATABASE,
    roles=("dona",),
    extensions={"plpgsql": "1.0"},
    tables={"public.bens": TableDigest(3, 1, "12")},
    lsn="0/1",
    details={"x": 1},
)


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST
    assert (MANIFEST.major, MANIFEST.size, MANIFEST.stored) == (18, 13, 7)
    assert MANIFEST.part("globals").name == "globals.sql.zst"


OPTIONAL = {"compression", "encryption", "extensions", "lsn", "details"}


@pytest.mark.parametrize("name", sorted({*unseal(MANIFEST.to_json())} - OPTIONAL))
def test_a_manifest_without_what_it_needs_is_refused(name: str) -> None:
    given = unseal(MANIFEST.to_json())
    del given[name]
    with pytest.raises(ManifestError, match=r"sispat_backup_x.*(lacks|damaged).*use another backup"):
        Manifest.from_json(seal(given), backup="sispat_backup_x")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"format": 1}', "\x00"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestError):
        Manifest.from_json(text)


def test_a_manifest_of_a_later_format_is_not_guessed_at() -> None:
    with pytest.raises(ManifestError, match="format 3, known is 2; use the version that wrote it"):
        Manifest.from_json(seal({**unseal(MANIFEST.to_json()), "format": 3}))


def test_two_backups_of_one_second_have_different_names_in_the_order_of_time() -> None:
    taken: list[str] = []
    for _ in range(12):
        taken.append(backup_id("sispat_backup", 1_767_323_045.9, taken))
    assert taken[0] == "sispat_backup_20260102_030405"
    assert len(set(taken)) == 12
    assert sorted(taken) == taken


@given(st.floats(0, 4e9), st.sampled_from(["sispat_backup", "a", "x_20200101_000000"]))
def test_the_time_of_a_backup_is_in_its_name(at: float, prefix: str) -> None:
    name = backup_id(prefix, at)
    for each in (name, backup_id(prefix, at, [name])):
        found = taken_at(each)
        assert found is not None
        assert found.timestamp() == int(at)


@pytest.mark.parametrize("name", ["", "x", "a_20261399_000000", "sispat_backup_2026", "lost+found"])
def test_a_name_that_is_not_ours_has_no_time(name: str) -> None:
    assert taken_at(name) is None


@settings(max_examples=40)
@given(st.dictionaries(st.text(), st.text() | st.lists(st.integers()) | st.none()))
def test_what_is_sealed_comes_back(content) -> None:
    content.pop("seal", None)
    assert unseal(seal(content)) == content
