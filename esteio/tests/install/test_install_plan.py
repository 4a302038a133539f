"""What is installed, changed by people, brought up to date and taken away again; below a directory of the test."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from esteio.install import Directory, Done, File, Installation, Link, UnknownAccount

RECORD = Path("/etc/service/installed.json")
PLAN = (
    Directory(Path("/etc/service"), mode=0o750),
    Directory(Path("/var/lib/service"), mode=0o700, kept=True),
    File(Path("/etc/service/env"), "A='1'\n", mode=0o640, first=True, secret=True),
    File(Path("/etc/systemd/service.service"), "[Unit]\n"),
    Link(Path("/opt/service/current"), Path("/opt/service/releases/1")),
)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0\nsomebody:x:4711:4712\n")
    (tmp_path / "etc/group").write_text("root:x:0:\nsomebody:x:4712:\n")
    return Installation(RECORD, root=tmp_path)


def done(installation: Installation, plan=PLAN) -> dict[str, Done]:
    return {str(item.path): what for item, what in installation.apply(plan)}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_made_with_its_mode_and_a_second_run_changes_nothing(installation: Installation) -> None:
    before = os.umask(0)  # the most open one: nothing may rely on it
    try:
        assert set(done(installation).values()) == {Done.CREATED}
    finally:
        os.umask(before)
    assert mode(installation.at(Path("/etc/service"))) == 0o750
    assert mode(installation.at(Path("/var/lib/service"))) == 0o700
    assert mode(installation.at(Path("/etc/service/env"))) == 0o640
    assert mode(installation.at(Path("/etc/systemd/service.service"))) == 0o644
    assert os.readlink(installation.at(Path("/opt/service/current"))) == "/opt/service/releases/1"
    assert set(done(installation).values()) == {Done.UNCHANGED}


def test_what_a_person_changed_is_kept_and_the_new_one_lies_beside_it(installation: Installation) -> None:
    done(installation)
    unit = installation.at(Path("/etc/systemd/service.service"))
    unit.write_text("[Unit]\n# mine\n")
    newer = tuple(File(each.path, "[Unit]\n# 2\n") if each.path.suffix == ".service" else each for each in PLAN)
    assert done(installation, newer)["/etc/systemd/service.service"] is Done.BESIDE
    assert unit.read_text() == "[Unit]\n# mine\n"
    assert unit.with_name("service.service.new").read_text() == "[Unit]\n# 2\n"
    assert done(installation, newer)["/etc/systemd/service.service"] is Done.KEPT


def test_what_nobody_changed_is_brought_up_to_date(installation: Installation) -> None:
    done(installation)
    newer = tuple(File(each.path, "[Unit]\n# 2\n") if each.path.suffix == ".service" else each for each in PLAN)
    assert done(installation, newer)["/etc/systemd/service.service"] is Done.UPDATED
    assert set(done(installation, newer).values()) == {Done.UNCHANGED}


def test_a_file_that_is_a_persons_from_the_first_time_on_is_never_written_again(installation: Installation) -> None:
    done(installation)
    env = installation.at(Path("/etc/service/env"))
    env.write_text("A='2'\n")
    env.chmod(0o666)
    other = (File(Path("/etc/service/env"), "A='3'\n", mode=0o640, first=True),)
    assert done(installation, other) == {"/etc/service/env": Done.CORRECTED}
    assert (env.read_text(), mode(env)) == ("A='2'\n", 0o640)
    assert not env.with_name("env.new").exists()


def test_a_link_that_a_person_laid_elsewhere_stays(installation: Installation) -> None:
    done(installation)
    link = installation.at(Path("/opt/service/current"))
    link.unlink()
    link.symlink_to("/opt/service/releases/2")
    assert done(installation)["/opt/service/current"] is Done.KEPT
    assert os.readlink(link) == "/opt/service/releases/2"


def test_a_file_in_whose_place_a_person_laid_a_link_is_left_alone(installation: Installation, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    installation.at(Path("/etc/systemd")).mkdir(parents=True)
    installation.at(Path("/etc/systemd/service.service")).symlink_to(elsewhere)
    assert done(installation)["/etc/systemd/service.service"] is Done.KEPT
    assert elsewhere.read_text() == "theirs"


def test_removal_leaves_data_and_what_people_made(installation: Installation) -> None:
    done(installation)
    data = installation.at(Path("/var/lib/service/data"))
    data.write_text("precious")
    said = {str(item.path): what for item, what in installation.remove(PLAN)}
    assert said["/etc/systemd/service.service"] is Done.REMOVED
    assert said["/etc/service/env"] is Done.KEPT
    assert said["/var/lib/service"] is Done.KEPT
    assert data.read_text() == "precious"
    assert not installation.at(RECORD).exists()
    assert installation.at(Path("/etc/service/env")).exists()


def test_removal_keeps_a_file_that_was_changed(installation: Installation) -> None:
    done(installation)
    unit = installation.at(Path("/etc/systemd/service.service"))
    unit.write_text("[Unit]\n# mine\n")
    assert {item.path.name: what for item, what in installation.remove(PLAN)}[unit.name] is Done.KEPT
    assert unit.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_owners_are_those_of_the_system_that_is_installed(installation: Installation) -> None:
    plan = (File(Path("/etc/service/env"), "A='1'\n", owner="somebody", group="somebody", mode=0o600),)
    assert done(installation, plan) == {"/etc/service/env": Done.CREATED}
    found = installation.at(Path("/etc/service/env")).stat()
    assert (found.st_uid, found.st_gid) == (4711, 4712)
    with pytest.raises(UnknownAccount, match="/etc/service/other is for nobody-here"):
        done(installation, (File(Path("/etc/service/other"), "", owner="nobody-here"),))
    assert not installation.at(Path("/etc/service/other")).exists()
