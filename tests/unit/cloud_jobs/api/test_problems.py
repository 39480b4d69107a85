"""The page lists the problems that there are, and the document has them at every route."""

from pathlib import Path

from app.signing import Reason
from cloud_jobs.api.openapi import document
from tests.unit.web.test_problems import DYNAMIC, ROOT, ROW, raised


def listed(page: str) -> set[tuple[str, int]]:
    """The problems of a page's table, with their statuses."""
    text = (ROOT / "docs" / page).read_text().partition("## Problems")[2]
    return {(kind, int(status)) for kind, status in ROW.findall(text)}


def of(*folders: str) -> set[tuple[str, int]]:
    """The problems that the modules of folders answer with."""
    modules = (path for folder in folders for path in Path(ROOT / folder).glob("*.py"))
    return set().union(*map(raised, modules))


def test_the_page_lists_what_the_cloud_adds_and_no_other() -> None:
    everywhere = of("app/web") | DYNAMIC | {(str(reason), 401) for reason in Reason}
    assert listed("cloud-api.md") == of("cloud_jobs/api") - everywhere
    assert everywhere <= listed("api.md")


def test_every_route_documents_its_refusals_and_that_it_is_signed() -> None:
    operations = [
        (f"{method} {path}", operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    ]
    assert len(operations) == 14
    for name, operation in operations:
        assert operation["security"] == [{"HTTP Message Signature": []}], name
        wanted = {"401", "403", "413", "415", "422", "429", "503"}
        assert wanted <= set(operation["responses"]), name
        problem = operation["responses"]["401"]["content"]
        assert list(problem) == ["application/problem+json"], name
