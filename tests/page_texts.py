"""What a browser would make of a page."""

from html.parser import HTMLParser

#: Elements that have no end.
EMPTY = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Reader(HTMLParser):
    """The elements of a page, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self._open), data))

    @property
    def text(self) -> str:
        return "".join(data for _, data in self.texts)

    def outside(self, *tags: str) -> str:
        """The texts that stand in none of some elements."""
        return "".join(data for opened, data in self.texts if not set(tags) & set(opened))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a name."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def active(self) -> list[str]:
        """Whatever could run, load from elsewhere or look otherwise than our own files say."""
        found = []
        for tag, attributes in self.elements:
            found += [f"<{tag} {name}>" for name in attributes if name == "style" or name.startswith("on")]
            if tag in ("style", "iframe", "object", "embed", "base", "img"):
                found.append(f"<{tag}>")
            if tag == "script" and not (attributes.get("src") or "").startswith("/static/"):
                found.append(f"<script {attributes}>")
            found += [f"<{tag} {value}>" for value in attributes.values() if "script:" in (value or "").lower()]
        return found
