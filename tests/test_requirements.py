"""The pins: one set of versions, and an install by pip alone that lacks nothing."""

import re
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.test_packaging import PROJECT
from xai_tf.packages import EXTRAS

PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*( ; [a-z_]+ [^;]+)?")


def read(name):
    """The requirements in a file."""
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def version_of(pin):
    (specifier,) = pin.specifier
    return specifier.version


def applies(requirement, extra=""):
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


CPU = read("cpu.txt")
HERE = {pin.name: version_of(pin) for pin in CPU if applies(pin)}
OVERRIDES = {requirement.name: requirement for requirement in read("cpu-overrides.txt")}


def overridden(requirement):
    """The requirement that stands in place of one, as for `make setup`."""
    return OVERRIDES.get(canonicalize_name(requirement.name), requirement)


def needed():
    """What the project needs with all extras for users, and what that needs, on this machine.

    Yields (the dependent, its requirement).
    """
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["cpu"]]
    asked += [text for extra in EXTRAS for text in extras[extra]]
    waiting = [("xai-tf", Requirement(text)) for text in asked]
    seen = set()
    while waiting:
        dependent, requirement = waiting.pop()
        requirement = overridden(requirement)
        if not applies(requirement):
            continue
        yield dependent, requirement
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            for text in requires(requirement.name) or ():
                inner = Requirement(text)
                if applies(inner, extra) and (not extra or not applies(inner)):
                    inner.marker = None
                    waiting.append((requirement.name, inner))


@pytest.mark.parametrize("name", ["cpu.txt", "constraints.txt"])
def test_pins_name_exact_versions_and_no_address(name):
    comment, *lines = (ROOT / "requirements" / name).read_text().splitlines()

    assert comment.startswith("# ")
    assert [line for line in lines if not PIN.fullmatch(line)] == []


def test_the_pins_for_pip_are_those_that_are_tested():
    tested = {(pin.name, version_of(pin)) for pin in read("constraints.txt")}

    assert [str(pin) for pin in CPU if (pin.name, version_of(pin)) not in tested] == []


def test_the_pins_for_pip_hold_all_that_is_needed():
    found = list(needed())
    lacking = {
        f"{dependent} needs {requirement}"
        for dependent, requirement in found
        if not requirement.specifier.contains(
            HERE.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
        or canonicalize_name(requirement.name) not in HERE
    }

    assert len(found) > 100
    assert lacking == set()


def test_the_pins_for_pip_bring_no_cuda_and_nothing_for_developers():
    names = {pin.name for pin in CPU}

    assert not {name for name in names if "nvidia" in name or "cuda" in name}
    assert not names & {"pytest", "mypy", "mkdocs", "playwright", "ipykernel"}
