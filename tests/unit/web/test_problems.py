"""The page lists the problems that there are, and the document has them at every route."""

import ast
import re
from pathlib import Path

from app.gateway.openapi import document
from app.signing import Reason

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| `([a-z-]+)` \| (\d{3}) \|", re.MULTILINE)
# What the framework itself refuses, by whatever status it has for it; what is said in a helper.
DYNAMIC = {("bad-request", 400), ("not-standing-by", 409)}


def raised(path: Path) -> set[tuple[str, int]]:
    """The problems that a module answers with: the end of the type, and the status."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in {"problem", "ProblemError"} or len(node.args) < 2:
            continue
        match node.args[:2]:
            case [ast.Constant(value=int(status)), ast.Constant(value=str(kind))]:
                found.add((kind, status))
    return found


def test_the_page_lists_every_problem_with_its_status_and_no_other() -> None:
    page = (ROOT / "docs/api.md").read_text().partition("## Problems")[2]
    listed = {(kind, int(status)) for kind, status in ROW.findall(page)}
    modules = (path for part in ("gateway", "web") for path in (ROOT / "app" / part).glob("*.py"))
    there = set().union(*map(raised, modules), DYNAMIC, {(reason, 401) for reason in Reason})
    assert listed == there


def test_every_route_of_the_api_documents_its_refusals_and_that_it_is_signed() -> None:
    operations = [
        (f"{method} {path}", operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/api/")
    ]
    assert operations
    for name, operation in operations:
        assert operation["security"] == [{"HTTP Message Signature": []}], name
        assert {"401", "403", "413", "415", "422", "429", "503"} <= set(operation["responses"]), (
            name
        )
        problem = operation["responses"]["401"]["content"]
        assert list(problem) == ["application/problem+json"], name
