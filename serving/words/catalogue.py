"""The catalogues of the other languages: collects every message of the product, and keeps the .po files in step.

::

    python -m serving.words.catalogue            # bring the files up to date
    python -m serving.words.catalogue --check    # say what is wrong with them, one line each; exit 1 if anything is

A file says nothing that changes by itself: no date, no line number, messages in the order of their English words. A
message that is new stands there without a translation, one whose English words changed is a new one, and one that
nobody says any more is gone: nothing is ever guessed.
"""

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.plurals import get_plural
from babel.messages.pofile import PoFileError, read_po, write_po
from jinja2 import Environment, nodes

from models.warning_rule_list import WARNING_RULES
from serving.words.speech import CATALOGUES, DOMAIN, KEYWORDS, LANGUAGES

ROOT = Path(__file__).parents[2]
#: Folders whose modules may say something.
SPEAKERS = ("serving", "pipelines")
#: A keyword is a name that a module has from here: anything else of that name is something else.
_WORDS = "serving.words"

_HEADER = """\
# {language}: what Kizashi says. Brought up to date by `make messages`; only the lines of msgstr are written by hand.
msgid ""
msgstr ""
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {forms}\\n"

"""

#: The English words of a message; those for one and for many where it is counted.
Id = str | tuple[str, str]
#: Message -> the files that say it.
Said = Mapping[Id, tuple[str, ...]]


def place_of(language: str, catalogues: Path = CATALOGUES) -> Path:
    """The file of a language."""
    return catalogues / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def collected(root: Path = ROOT) -> dict[Id, tuple[str, ...]]:
    """Every message that the product says, with the files that say it.

    The meanings of the warning rules have their home in :mod:`models.warning_rule_list`, which knows no words.
    """
    found: dict[Id, set[str]] = {}
    for path in sorted(path for folder in SPEAKERS for path in (root / folder).rglob("*.py")):
        with path.open("rb") as file:
            for _line, message, _comments, _context in extract(_marked, file, KEYWORDS):
                words = message if isinstance(message, str) else (message[0], message[1])
                found.setdefault(words, set()).add(path.relative_to(root).as_posix())
    for path in sorted((root / "serving").rglob("*.html")):
        for words in _laid_out(path.read_text("utf-8")):
            found.setdefault(words, set()).add(path.relative_to(root).as_posix())
    for rule in WARNING_RULES:
        found.setdefault(rule.meaning, set()).add("models/warning_rule_list.py")
    return {message: tuple(sorted(places)) for message, places in sorted(found.items(), key=lambda item: key(item[0]))}


def key(message: str | Sequence[str]) -> str:
    """What a catalogue finds a message by: its words for one."""
    return message if isinstance(message, str) else message[0]


def read(path: Path, language: str) -> Catalog:
    """A file as a catalogue; an empty one where there is no file.

    Raises
    ------
    PoFileError
        If a line of it cannot be read, or a message has more plural forms than the language.
    """
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def write(catalogue: Catalog, path: Path) -> None:
    """Write a catalogue, always in the same way; whoever reads meanwhile finds the whole old file or the whole new."""
    body = BytesIO()
    write_po(body, catalogue, width=0, omit_header=True, sort_output=True, ignore_obsolete=True, include_lineno=False)
    language = str(catalogue.locale)
    header = _HEADER.format(language=language, forms=_forms(language))
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_bytes(header.encode() + body.getvalue())
    half.replace(path)


def updated(old: Catalog, said: Said) -> Catalog:
    """The catalogue of what is said now, with the translations that still fit."""
    fresh = Catalog(locale=old.locale)
    for message, places in said.items():
        known = old.get(key(message))
        kept = known if known is not None and known.id == message else None
        fresh.add(
            message,
            None if kept is None else kept.string,
            locations=[(place, 0) for place in places],
            flags={"fuzzy"} & set(kept.flags if kept else ()),
            user_comments=kept.user_comments if kept else (),
        )
    return fresh


def problems(catalogue: Catalog, said: Said) -> list[str]:
    """What is wrong with a catalogue, one line each; empty if all is well."""
    language = str(catalogue.locale)
    forms = get_plural(language).num_plurals
    found = _clashes(said)
    if catalogue.plural_forms != _forms(language):
        found.append(f"{language}: its Plural-Forms are {catalogue.plural_forms!r}; expected {_forms(language)!r}.")
    for message in said:
        entry = catalogue.get(key(message))
        if entry is None or entry.id != message:
            found.append(f"{language}: missing: {key(message)!r}. Run make messages, and translate it.")
        else:
            found += [f"{language}: {fault}: {key(message)!r}." for fault in _faults(entry, forms)]
    kept = [*(entry.id for entry in catalogue if entry.id), *(entry.id for entry in catalogue.obsolete.values())]
    gone = sorted(key(entry) for entry in kept if entry not in said)
    return found + [f"{language}: obsolete: {message!r}. Run make messages." for message in gone]


def placeholders(message: str) -> Counter[str]:
    """How often each placeholder stands in a message.

    Raises
    ------
    ValueError
        If its braces do not match.
    """
    return Counter(name for _text, name, _spec, _conversion in Formatter().parse(message) if name is not None)


def main(arguments: Collection[str] | None = None, catalogues: Path = CATALOGUES) -> int:
    """Bring the catalogues up to date, or check them; returns the exit code."""
    asked = argparse.ArgumentParser(prog="python -m serving.words.catalogue", description="Keep the catalogues.")
    asked.add_argument("--check", action="store_true", help="change nothing; say what is wrong, and exit 1")
    check = asked.parse_args(None if arguments is None else list(arguments)).check
    said = collected()
    wrong: dict[str, None] = {}
    for language in LANGUAGES[1:]:
        path = place_of(language, catalogues)
        try:
            catalogue = read(path, language)
        except PoFileError as fault:
            wrong[f"{language}: {path} cannot be read: {fault}."] = None
            continue
        if check:
            wrong |= dict.fromkeys(problems(catalogue, said))
            continue
        catalogue = updated(catalogue, said)
        write(catalogue, path)
        todo = sum(not _translated(entry) for entry in catalogue if entry.id)
        print(f"{language}: {len(said)} messages, {todo} to be translated")
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


def _marked(file: Any, keywords: Any, *_tags: Any, **_options: Any) -> Iterator[Any]:
    """Calls of the keywords in a module, in the way of a Babel extraction method; words in a variable are nobody's."""
    tree = ast.parse(file.read())
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_WORDS)
        for alias in node.names
        if alias.name in keywords
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            words = [_constant(argument) for argument in node.args]
            yield node.lineno, names[node.func.id], words, []


def _laid_out(template: str) -> Iterator[Id]:
    """What a template says: ``say("...")``, and ``count("one", "many", n)``."""
    for node in Environment(autoescape=True).parse(template).find_all(nodes.Call):
        if isinstance(node.node, nodes.Name) and node.node.name in ("say", "count"):
            first, *more = [one.value for one in node.args if isinstance(one, nodes.Const)] or [None]
            if isinstance(first, str):
                yield (first, str(more[0])) if node.node.name == "count" else first


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _forms(language: str) -> str:
    return get_plural(language).plural_forms


def _clashes(said: Said) -> list[str]:
    """Messages that a catalogue cannot tell apart: the same words with another plural, or with and without one."""
    counted = Counter(key(message) for message in said)
    return [f"said both in one way and in another: {words!r}." for words, n in counted.items() if n > 1]


def strings(entry: Message) -> tuple[str, ...]:
    """The translations of a message, one for each plural form; empty ones are missing."""
    return (entry.string or "",) if isinstance(entry.string, str | None) else tuple(entry.string)


def _translated(entry: Message) -> bool:
    return all(strings(entry)) and not entry.fuzzy


def _faults(entry: Message, forms: int) -> list[str]:
    """What is wrong with the translation of one message."""
    source: tuple[str, ...] = (entry.id,) if isinstance(entry.id, str) else tuple(entry.id)
    said = strings(entry)
    found = ["fuzzy"] if entry.fuzzy else []
    if len(said) != (forms if len(source) > 1 else 1):
        return [*found, f"found {len(said)} plural forms, expected {forms}"]
    if not all(said):
        return [*found, "missing"]
    try:
        wanted = [placeholders(words) for words in source]
        told = [placeholders(words) for words in said]
    except ValueError:
        return [*found, "braces that do not match"]
    # A form for one may leave out the number, as the English one may; the form for many says what the English says.
    if told[-1] != wanted[-1] or any(form not in wanted for form in told):
        found.append("other placeholders")
    return found


if __name__ == "__main__":
    sys.exit(main())
