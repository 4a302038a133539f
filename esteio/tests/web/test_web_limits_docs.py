"""The page on limiting requests runs, and tells of every field of a rule."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from django_site import wsgi_application

from esteio.web import Rule

PAGE = (Path(__file__).parents[3] / "docs/how-to/limit-requests.md").read_text(encoding="utf-8")


def test_the_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 7
    wsgi_application()  # the page's Django has settings already, as in a project of theirs
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"limit-requests.md, example {number}", "exec"), names)


def test_each_field_of_a_rule_is_explained() -> None:
    table = PAGE.partition("## What a rule can say")[2].partition("\n## ")[0]
    for field in fields(Rule):
        if field.init:
            assert re.search(rf"^\|[^|]*`{field.name}`", table, re.MULTILINE), field.name
