"""The story of one customer on one page: a single HTML file that needs no script, no network and no colour to be read.

The templates in ``pages`` hold no words; they lay out what :mod:`serving.story_sections` says.
"""

from gettext import NullTranslations

from serving.pages.templating import templates
from serving.story import Story
from serving.story_sections import Sections
from serving.words.speech import Language


def story_page(story: Story, locale: str = "en") -> str:
    """The page of one customer as HTML: one file, dark and light, for screens of all sizes and for paper.

    Raises
    ------
    SettingsError
        If there is no such locale, or a code of the story has no words.
    """
    sections = Sections(story, locale)
    return templates().get_template("story.html").render(lang=_tag(sections.words), **sections.whole())


def _tag(words: Language) -> str:
    """The language that the page is written in, for its ``lang``: English where there is no catalogue."""
    translated = words.locale.language == "en" or type(words.catalogue) is not NullTranslations
    return str(words.locale).replace("_", "-") if translated else "en"
