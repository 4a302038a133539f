"""The file: all that is wrong is said at once, with its place, its value and what is allowed; secrets are not shown."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from esteio.alert.rules import Severity
from esteio.watch._config import ConfigError, HttpProbe, load, reference_page
from esteio.watch._example import example_file, systemd_unit

DOCS = Path(__file__).parents[3] / "docs"
HEAD = '[watch]\nname = "a"\n'


def problems(tmp_path: Path, text: str, **variables: str) -> list[str]:
    path = tmp_path / "watch.toml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, variables)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_whole_file_is_read_with_its_defaults_and_its_variables(tmp_path: Path) -> None:
    (tmp_path / "watch.toml").write_text(
        HEAD
        + """
[notify]
urls = ["${HOOK}"]
quiet = "22:00-07:00"
[[http]]
name = "web"
url = "https://example.org/health"
status = [204, "3xx"]
json = { status = ["pass", "warn"], "queue.0" = 0 }
severity = "ticket"
[[tls]]
name = "certificate"
address = "[::1]:443"
[[heartbeat]]
name = "backup"
key = "0123456789abcdef"
schedule = "0 2 * * *"
[[maintenance]]
probes = ["web"]
begin = 2026-03-01T22:00:00
end = 2026-03-02T01:00:00
""",
        encoding="utf-8",
    )
    config = load(tmp_path / "watch.toml", {"HOOK": "json://127.0.0.1/x"})
    web, certificate = config.probes
    assert isinstance(web, HttpProbe)
    assert (web.status, web.json["status"], web.severity) == (("204", "3xx"), ("pass", "warn"), Severity.TICKET)
    assert (web.interval, web.failures, web.of, web.retry) == (30.0, 3, 3, 5.0)
    assert certificate.interval == 3600.0
    assert config.notify.urls == ("json://127.0.0.1/x",)
    assert config.directory == Path("/var/lib/esteio-watch")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = 1 =", "the file is no TOML; allowed: "),
        ("", '[watch] is missing; allowed: a section with at least `name = "..."`'),
        ("[watch]", "[watch] name is missing; allowed: 1 to 60 small letters"),
        (HEAD + "[htpp]", "[htpp] is not known; allowed: watch, notify, group, peer, http"),
        (HEAD + '[http]\nname = "web"', "[http] is a single table; allowed: [[http]], with two brackets"),
        (HEAD + '[[http]]\nname = "web"', '[[http]] "web" url is missing; allowed: http://HOST[:PORT]/PATH or https://'),
        (HEAD + '[[http]]\nname = "web"\nurl = "http://h"\nintervall = 5', '"web" intervall is not known; allowed:'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\ninterval = 0', '[[tcp]] "x" interval is 0; allowed: a number from'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\ninterval = true', '"x" interval is true; allowed: a number from 1'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h"', '[[tcp]] "x" address is "h"; allowed: "HOST:PORT"'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:99999"', '[[tcp]] "x" address is "h:99999"; allowed: "HOST:PORT"'),
        (HEAD + '[[tcp]]\nname = "X!"\naddress = "h:1"', '[[tcp]] "X!" name is "X!"; allowed: 1 to 60 small letters'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\nfailures = 4', '"x" failures is 4; allowed: at most `of`, 3'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\ninterval = 2', '"x" retry is 5; allowed: at most `interval`, 2'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\ndepends_on = ["y"]', '"x" depends_on is "y"; allowed: names of'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\ndepends_on = ["x"]', '"x" depends_on is a circle; allowed:'),
        (HEAD + '[[tcp]]\nname = "x"\naddress = "h:1"\n' * 2, 'name "x" is used twice; allowed: a name of its own'),
        (HEAD + '[[peer]]\nname = "b"\nurl = "http://b:1"', "[group] secret is missing; allowed: the same secret in all"),
        (HEAD + '[notify]\nurls = ["${HOOK}"]', "[notify] urls is ${HOOK}, which is not set; allowed: a variable"),
        (HEAD + 'timezone = "Brazil/Nowhere"', '[watch] timezone is "Brazil/Nowhere"; allowed: a timezone such as'),
        (HEAD + '[[heartbeat]]\nname = "j"\nkey = "0123456789abcdef"', '"j" schedule is missing; allowed: either `schedule`'),
        (HEAD + '[[heartbeat]]\nname = "j"\nkey = "0123456789abcdef"\nschedule = "0 25 * * *"', 'schedule is "0 25 * * *"'),
        (HEAD + '[[maintenance]]\nprobes = ["x"]', "[[maintenance]] number 1 is missing; allowed: either `begin` and"),
        (HEAD + '[[maintenance]]\nprobes = ["x"]\nbegin = 2026-03-02T00:00:00\nend = 2026-03-01T00:00:00', "later than"),
        (HEAD + "[[tcp]]\n" + "\n[[tcp]]\n".join(f'name = "x{n}"\naddress = "h:1"' for n in range(501)), "at most 500"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(tmp_path: Path, text: str, problem: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1, found
    assert problem in found[0]


def test_all_problems_are_said_at_once_and_secrets_are_not_shown(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        HEAD + '[group]\nsecret = "short"\n[[heartbeat]]\nname = "j"\nkey = "geheim"\nevery = 60\n'
        '[[postgres]]\nname = "db"\nurl = "mysql://u:geheim@h/d"\n',
    )  # fmt: skip
    assert len(found) == 3
    assert not [line for line in found if "geheim" in line or "short" in line]


def test_the_example_is_well_and_each_has_secrets_of_its_own(tmp_path: Path) -> None:
    assert problems(tmp_path, example_file()) == []
    assert example_file() != example_file()
    uncommented = example_file().replace("\n# ", "\n").replace("# All options", "").partition("[watch]")[2]
    uncommented = "\n".join(line for line in f"[watch]{uncommented}".splitlines() if not line.startswith("Slack"))
    assert problems(tmp_path, uncommented, DATABASE_URL="postgresql://h/d") == []
    assert "ExecStart=" in systemd_unit(tmp_path / "watch.toml")


@pytest.mark.parametrize("page", ["watch.md", "vigia.md"])
def test_the_files_of_the_guides_are_well(tmp_path: Path, page: str) -> None:
    blocks = re.findall(
        r"^ *```toml.*?\n(.*?)^ *```", (DOCS / "how-to" / page).read_text(encoding="utf-8"), re.M | re.S
    )
    text = "\n".join(textwrap.dedent(block) for block in blocks)
    names = re.findall(r"\$\{(\w+)\}", text)
    variables = {name: "postgresql://h/d" if name == "DATABASE_URL" else "0123456789abcdef" for name in names}
    assert len(text) > 500
    assert problems(tmp_path, text, **variables) == []


def test_the_reference_is_that_of_the_tables_that_read_the_file() -> None:
    assert (DOCS / "reference/watch.md").read_text(encoding="utf-8") == reference_page(), "run `make docs`"
