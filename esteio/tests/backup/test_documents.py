"""Documents: what did not change costs nothing, what is wrong is named, what comes back is what there was."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage
import pytest
from documents_desk import Desk, tree

from esteio.backup import BackupDamaged, BackupError, RestoreRefused
from esteio.backup.documents._list import lines, parse
from esteio.backup.packing import Decryption, Encryption, Packing, WrongKey
from esteio.backup.store import AllStoresFailed, Upload, open_store
from esteio.backup.store._directory import DirectoryStore

opened: list[str] | None = None


def _note(event: str, given: tuple[Any, ...]) -> None:
    if opened is not None and event == "open" and isinstance(given[0], str | Path):
        opened.append(str(given[0]))


sys.addaudithook(_note)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def details(manifest) -> dict[str, Any]:
    return dict(manifest.details["documents"])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_folder_marked_as_a_cache_is_left_out(desk: Desk) -> None:
    """As by tar, restic and borg: https://bford.info/cachedir/."""
    desk.write("01/nota.pdf", "nota")
    desk.write(".parts/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n")
    desk.write(".parts/half.part", "half of an upl")
    desk.write("02/CACHEDIR.TAG", "not the signature")
    assert details(desk.run())["files"] == 2


def test_a_document_that_did_not_change_is_neither_sent_nor_read_again(desk: Desk) -> None:
    global opened
    for number in range(20):
        desk.write(f"{number % 3}/{number}.pdf", f"documento {number}")
    first = desk.run()
    assert (details(first)["files"], details(first)["new"]) == (20, 20)
    before = desk.objects()
    assert len(before) == 20
    desk.write("0/novo.pdf", "mais um")
    opened = []
    second = desk.run()
    read, opened = [path for path in opened if "documentos" in path], None
    assert [name for path in read if (name := Path(path).name) != "CACHEDIR.TAG"] == [
        "novo.pdf"
    ]  # folders are asked for it
    assert (details(second)["files"], details(second)["new"], details(second)["new_size"]) == (21, 1, 7)
    after = desk.objects()
    assert before.items() <= after.items()
    assert len(after) == 21
    assert tree(desk.back(first, "primeira")).keys() == tree(desk.documents_dir).keys() - {"0/novo.pdf"}


def test_without_its_memory_a_run_reads_everything_and_still_sends_nothing(desk: Desk) -> None:
    for number in range(5):
        desk.write(str(number), f"documento {number}")
    desk.run()
    before = desk.objects()
    [memory] = desk.root.glob(".documents-*.json")
    for content in (None, "", "{}", '{"format": 1, "files": 3, "again": 4}'):
        memory.unlink() if content is None else memory.write_text(content)
        assert details(desk.run())["new"] == 0
    assert desk.objects() == before


def test_a_memory_that_says_something_wrong_only_costs_time(desk: Desk) -> None:
    desk.write("a", "conteúdo")
    desk.run()
    [memory] = desk.root.glob(".documents-*.json")
    digest = next(iter(desk.objects())).rpartition("/")[2].partition(".")[0]
    memory.write_text(memory.read_text().replace(digest, "0" * 64))
    made = desk.run()
    assert details(made)["new"] == 0
    assert desk.verified(made).ok


def test_a_document_changed_without_a_new_size_or_time_is_noticed(desk: Desk) -> None:
    path = desk.write("a", "antes")
    desk.run()
    about = path.stat()
    path.write_text("agora")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert details(desk.run())["new"] == 1


def test_what_was_written_just_now_is_read_again_in_the_next_run(desk: Desk) -> None:
    desk.clock.seconds = 0.0
    desk.write("a", "antes")
    desk.run()
    [memory] = desk.root.glob(".documents-*.json")
    assert '"files": {}' in memory.read_text()


def test_every_name_mode_and_time_comes_back_and_links_are_passed_over(desk: Desk) -> None:
    names = ["a b", "ação/são joão.pdf", "linha\nnova", "-rf", "'\"$(x)\\", b"\xff\xfe latin\xe7", "x/y/z", ".oculto"]
    for number, name in enumerate(names):
        path = desk.write(name, os.urandom(number * 100))
        path.chmod(0o600 + number)
        os.utime(path, ns=(0, 1_500_000_000_123_456_789 + number))
    (desk.documents_dir / "vazia").mkdir(mode=0o750)
    desk.documents_dir.joinpath("x").chmod(0o500)
    (desk.documents_dir / "atalho").symlink_to("/etc/passwd")
    os.mkfifo(desk.documents_dir / "cano")
    made = desk.run()
    assert (details(made)["files"], details(made)["special"]) == (len(names), 2)
    assert desk.verified(made).ok
    assert tree(desk.back(made)) == tree(desk.documents_dir)


def test_ten_thousand_small_documents_of_which_many_are_equal_lie_there_once(desk: Desk) -> None:
    for folder in range(100):
        (desk.documents_dir / str(folder)).mkdir()
        for number in range(100):
            (desk.documents_dir / str(folder) / f"{number}.txt").write_bytes(b"%d" % ((100 * folder + number) % 500))
    first = desk.run()
    assert details(first)["files"] == 10_000
    assert details(first)["new"] == len(desk.objects()) == 500
    assert details(desk.run())["new"] == 0
    assert desk.verified(first).ok


def test_an_empty_directory_is_an_empty_list_and_none_is_nothing(desk: Desk) -> None:
    made = desk.run()
    assert details(made)["files"] == 0
    assert list(desk.back(made).iterdir()) == []
    desk.documents_dir.rmdir()
    made = desk.run()
    assert "documents" not in made.details
    assert desk.verified(made).checked == ()
    with pytest.raises(RestoreRefused, match="the backup has no documents; leave out --documents"):
        desk.back(made, "outra")


def test_documents_that_are_gone_altogether_fail_the_trial(desk: Desk) -> None:
    desk.write("a")
    desk.run()
    shutil.rmtree(desk.documents_dir)
    gone = desk.run()
    assert desk.verified(gone).problems == ("no documents are in it, where the backup before had 1",)
    assert desk.documents.of(gone).returned is None


def test_a_changed_byte_is_found_named_brought_again_and_read_from_the_next_store(tmp_path: Path) -> None:
    other = tmp_path / "outro disco"
    desk = Desk(tmp_path, open_store(str(tmp_path / "cópias")), open_store(str(other)))
    desk.root.mkdir()
    desk.write("são joão.pdf", "o conteúdo")
    desk.write("outro", "mais")
    made = desk.run()
    name = next(name for name in desk.objects() if (desk.root / name).stat().st_size > 20)
    flip(desk.root / name)
    verification = desk.verified(made)
    assert len(verification.problems) == 1
    assert name in verification.problems[0]
    assert "document 'são joão.pdf': " in verification.problems[0]
    assert tree(desk.back(made)) == tree(desk.documents_dir)
    again = desk.run()
    assert details(again)["new"] == 1
    assert desk.verified(again).ok
    for root in (desk.root, other):
        flip(root / name)
    with pytest.raises(BackupDamaged, match=r"document 'são joão\.pdf'"):
        desk.back(made, "outra")
    assert not list(tmp_path.glob("outra*"))


def test_an_object_that_one_store_lacks_is_named_with_the_store_and_brought_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, open_store(str(tmp_path / "cópias")), open_store(str(tmp_path / "outro")))
    desk.root.mkdir()
    desk.write("a", "1")
    made = desk.run()
    [name] = desk.objects()
    (tmp_path / "outro" / name).unlink()
    assert desk.verified(made, 0).problems == (f"{name}: document 'a': is missing in {tmp_path / 'outro'}",)
    (desk.root / name).write_bytes(b"")  # as a crash may leave it
    assert desk.verified(desk.run()).ok


def test_the_trial_reads_what_is_new_and_a_sample_of_the_rest(desk: Desk) -> None:
    desk.write("velho", "velho")
    desk.run()
    [old] = desk.objects()
    flip(desk.root / old)
    desk.write("novo", "novo")
    made = desk.run()
    assert desk.verified(made, 0).ok
    assert desk.verified(made, 5).problems[0].startswith(old)


def test_one_that_vanishes_is_left_out_and_one_that_cannot_be_read_fails_the_trial(desk: Desk) -> None:
    for name in "abc":
        desk.write(name, name)

    def meanwhile(step: str, done: int, total: int, unit: str) -> None:
        (desk.documents_dir / "a").unlink(missing_ok=True)
        (desk.documents_dir / "b").unlink()
        (desk.documents_dir / "b").symlink_to("c")

    def once(*given: Any) -> None:
        if (desk.documents_dir / "a").exists():
            meanwhile(*given)

    made = desk.run(once)
    assert {name: details(made)[name] for name in ("files", "vanished", "unreadable")} == {
        "files": 1,
        "vanished": 1,
        "unreadable": 1,
    }
    assert desk.verified(made).problems == ("document 'b': Too many levels of symbolic links",)
    assert list(tree(desk.back(made))) == ["c"]


class Meddling(DirectoryStore):
    """A directory beside which somebody goes on writing to a document while it is stored."""

    document = Path()
    times = 0

    def open(self, key: str) -> Upload:
        if key.startswith("documents/") and self.times:
            self.times -= 1
            with self.document.open("ab") as file:
                file.write(b"more")
        return super().open(key)


@pytest.mark.parametrize("size", [10, 9 * 2**20])
def test_one_that_is_written_to_while_it_is_read_is_read_again(tmp_path: Path, size: int) -> None:
    store = Meddling(tmp_path / "cópias")
    desk = Desk(tmp_path, store)
    store.document = desk.write("a", bytes(size))
    store.times = 1
    made = desk.run()
    assert (details(made)["files"], details(made)["changed"]) == (1, 0)
    assert desk.verified(made).ok
    assert desk.back(made).joinpath("a").stat().st_size == size + 4


def test_one_that_never_rests_is_kept_as_it_was_at_a_moment_or_told(tmp_path: Path) -> None:
    store = Meddling(tmp_path / "cópias")
    desk = Desk(tmp_path, store)
    store.document = desk.write("a", bytes(10))
    store.times = 9
    made = desk.run()
    assert (details(made)["files"], details(made)["changed"]) == (1, 1)
    assert desk.verified(made).ok
    store.document = desk.write("a", bytes(9 * 2**20))
    store.times = 9
    made = desk.run()
    assert details(made)["unreadable"] == 1
    assert desk.verified(made).problems == ("document 'a': it changes while it is read",)
    assert not list(desk.root.rglob(".unfinished-*"))


def test_a_store_that_fails_at_a_document_gets_no_manifest_and_the_other_has_all(tmp_path: Path) -> None:
    good, bad = tmp_path / "bom", tmp_path / "ruim"
    desk = Desk(tmp_path, open_store(str(bad)), open_store(str(good)))
    bad.mkdir()
    (bad / "documents").write_text("no folder can be here")
    for number in range(30):
        desk.write(str(number), str(number))
    made = desk.run()
    assert list(desk.draft.failed) == [str(bad)]
    assert not (bad / made.id / "manifest.json").exists()
    assert desk.verified(made).ok
    (good / "documents").rename(good / "d")
    (good / "documents").write_text("nor here")
    with pytest.raises(AllStoresFailed):
        desk.run()
    assert [path.name for path in good.glob("backup_*")] == [made.id]


def test_with_recipients_who_takes_the_backup_cannot_read_it(tmp_path: Path) -> None:
    mine, other = (pyrage.x25519.Identity.generate() for _ in range(2))
    both = [str(each.to_public()) for each in (mine, other)]
    desk = Desk(tmp_path, packing=lambda: Packing(level=1, encryption=Encryption.to(both)))
    desk.write("a", "segredo")
    made = desk.run()
    both.reverse()
    assert details(desk.run())["new"] == 0
    assert all(name.endswith(".zst.age") for name in desk.objects())
    with pytest.raises(WrongKey):
        desk.verified(made)
    desk.key = lambda _: Decryption.of(str(other))
    assert desk.verified(made).ok
    assert tree(desk.back(made)) == tree(desk.documents_dir)
    both.pop()
    assert details(desk.run())["new"] == 1


def test_a_passphrase_makes_one_key_that_lasts_and_another_phrase_another(tmp_path: Path) -> None:
    identities = [pyrage.x25519.Identity.generate() for _ in range(2)]
    first, second = (  # as `Encryption.passphrase` makes them, without the seconds its locks take
        replace(Encryption.to([str(each.to_public())]), key_file=b"key file %d" % number)
        for number, each in enumerate(identities)
    )
    opens = {b"key file 0": Decryption.of(str(identities[0]))}

    def key(file: bytes | None) -> Decryption | None:
        if file not in opens:
            raise WrongKey("another phrase")
        return opens[file]

    used = [first]
    desk = Desk(tmp_path, packing=lambda: Packing(level=1, encryption=used[-1]), key=key)
    desk.write("a", "segredo")
    made = desk.run()
    used.append(second)
    assert details(desk.run())["new"] == 0
    known = dict(opens)
    opens.clear()
    assert details(desk.run())["new"] == 1
    keys = list((desk.root / "documents" / "backup" / "keys").iterdir())
    assert {path.stem for path in keys} == {first.fingerprint, second.fingerprint}
    with pytest.raises(WrongKey):
        desk.back(made)
    opens.update(known)
    for path in keys:
        path.write_bytes(b"damaged")  # each backup has its own copy
    assert tree(desk.back(made)) == tree(desk.documents_dir)


def test_thinning_out_keeps_what_a_kept_backup_needs_and_what_is_young(desk: Desk) -> None:
    desk.write("sai", "só na primeira")
    desk.write("fica", "nas duas")
    desk.run()
    (desk.documents_dir / "sai").unlink()
    second = desk.run()
    others = Desk(desk.home, prefix="other")
    others.write("x", "de outro banco")
    others.run()
    assert desk.documents.prune([second]) == []
    desk.clock.seconds += 90_000
    late = desk.root / second.id / "documents.names.zst"
    whole = late.read_bytes()
    flip(late)
    [decision] = desk.documents.prune([second])
    assert decision.keep
    assert "documents.names.zst" in decision.reason
    late.write_bytes(whole)
    desk.key = lambda _: pytest.fail("a key was asked for")
    [decision] = desk.documents.prune([second])
    assert (decision.id, decision.keep, decision.reason) == (
        "documents",
        False,
        "1 documents that no backup needs any more",
    )
    desk.key = lambda _: None
    assert desk.verified(second).ok
    assert sorted(name.split("/")[1] for name in desk.objects()) == ["backup", "other", "other"]


def test_an_interrupted_run_leaves_no_backup_and_the_next_one_goes_on_from_there(desk: Desk) -> None:
    for number in range(200):
        desk.write(str(number), str(number))

    def interrupt(step: str, done: int, total: int, unit: str) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        desk.run(interrupt)
    sent = len(desk.objects())
    assert 0 < sent < 200
    assert [path.name for path in desk.root.iterdir() if not path.name.startswith(".")] == ["documents"]
    made = desk.run()
    assert details(made)["new"] == 200 - sent
    assert desk.verified(made).ok


@pytest.mark.parametrize("documents", [".", "cópias/documents/x"])
def test_backups_among_the_documents_are_refused(tmp_path: Path, documents: str) -> None:
    desk = Desk(tmp_path)
    desk.root.mkdir()
    desk.documents_dir = tmp_path / documents
    desk.documents_dir.mkdir(parents=True, exist_ok=True)
    with pytest.raises(BackupError, match="lie within one another; keep them apart"):
        desk.run()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", "a//b", "."])
def test_a_list_cannot_lead_out_of_the_directory(desk: Desk, path: str) -> None:
    desk.write("a")
    made = desk.run()
    [line] = parse((b"").join(lines(())) + b'{"path": "a", "sha256": "x"}\n')
    with pytest.raises(ValueError, match="could leave its directory"):
        parse(b"".join(lines([replace(line, path=path)])))
    assert desk.verified(made).ok


def test_a_restore_without_space_or_rights_is_refused_before_anything_is_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.write("a", "1")
    made = desk.run()
    with pytest.raises(RestoreRefused, match="it exists; name a new directory"):
        desk.documents.of(made, into=desk.home)
    with pytest.raises(RestoreRefused, match="is no directory that this account can write to"):
        desk.documents.of(made, into=desk.home / "x" / "y")
    desk.documents_dir = Path("/proc")
    with pytest.raises(RestoreRefused, match="a disk is mounted on it"):
        desk.documents.of(made)
    usage = shutil.disk_usage(desk.home)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(RestoreRefused, match="the documents need 0 MiB, 0 are free"):
        desk.documents.of(made, into=desk.home / "nova")


def test_what_takes_the_place_of_the_present_goes_back_when_it_is_not_settled(desk: Desk) -> None:
    desk.write("a", "antes")
    made = desk.run()
    desk.write("a", "agora")
    present = tree(desk.documents_dir)
    for swapped in (False, True):
        with contextlib.suppress(KeyboardInterrupt), desk.documents.of(made) as beside:
            beside.fetch(lambda *_: None)
            if swapped:
                beside.swap()
                assert (desk.documents_dir / "a").read_text() == "antes"
            raise KeyboardInterrupt
        assert tree(desk.documents_dir) == present
        assert [path.name for path in desk.home.glob("documentos*")] == ["documentos"]
    with desk.documents.of(made) as beside:
        beside.fetch(lambda *_: None)
        beside.swap()
        beside.settle()
    assert (desk.documents_dir / "a").read_text() == "antes"
    assert beside.returned is not None
    assert beside.returned.kept is not None
    assert tree(beside.returned.kept) == present
