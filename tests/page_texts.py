"""What a browser would make of a page."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """The elements of a page, and the texts between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

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
