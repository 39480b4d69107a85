"""The words and links of an HTML mail, laid out in lines and cells as a reader sees them."""

from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

# An HTML5 parser's time grows with the square of the depth of tags that nobody closed: 10,000 of
# them take it 0.3 s. The largest mails of Airbnb have about 5,000.
MOST_TAGS = 10_000
MOST_CHARACTERS = 500_000

_LINES = frozenset(
    {"address", "article", "aside", "blockquote", "br", "center", "dd", "div", "dl", "dt"}
    | {"footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav"}
    | {"ol", "p", "pre", "section", "table", "tbody", "tr", "ul"}
)
_CELLS = frozenset({"td", "th"})
# How the source is laid out says nothing of how the page is.
_SPACES = str.maketrans("\t\r\n\f", "    ")
_UNSEEN = ["head", "script", "style", "template", "title", "noscript"]


@dataclass(frozen=True)
class Page:
    text: str = ""
    links: tuple[str, ...] = ()


def page(html: str) -> Page:
    """Empty for what is too big to be read, and for what isn't HTML."""
    if not html.strip() or len(html) > MOST_CHARACTERS or html.count("<") > MOST_TAGS:
        return Page()
    tree = LexborHTMLParser(html)
    tree.strip_tags(_UNSEEN)
    if tree.body is None:
        return Page()
    words: list[str] = []
    links: list[str] = []
    for node in _walk(tree.body):
        if isinstance(node, str):
            words.append(node)
        elif link := node.attributes.get("href"):
            links.append(link)
    return Page("".join(words), tuple(links))


def _walk(body: LexborNode) -> Iterator[str | LexborNode]:
    """Text, line ends and tabs in their order, and the links. By hand: a recursion would end at
    the thousandth tag, and the parser's own walk doesn't say where a tag closes."""
    node: LexborNode | None = body
    depth = 0
    while node is not None:
        yield from _entered(node)
        if (child := node.first_child) is not None:
            node, depth = child, depth + 1
            continue
        while node is not None and depth and node.next is None:
            node, depth = node.parent, depth - 1
            if node is not None and node.tag in _LINES:
                yield "\n"
        node = node.next if node is not None and depth else None


def _entered(node: LexborNode) -> Iterator[str | LexborNode]:
    if node.tag == "-text":
        yield node.text(deep=False).translate(_SPACES)
    elif node.tag in _LINES:
        yield "\n"
    elif node.tag in _CELLS:
        yield "\t"
    elif node.tag == "a":
        yield node
