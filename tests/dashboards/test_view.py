"""Parts of the page that are built when they are needed."""

from dashboards.views.view import Later


def test_parts_are_built_once_when_they_are_first_needed():
    built = []

    def build():
        built.append("part")
        return built

    later = Later(build, margin=0)

    assert (built, len(later.__panel__())) == ([], 0)
    later.fill()
    later.fill()
    assert (built, len(later.__panel__())) == (["part"], 1)
