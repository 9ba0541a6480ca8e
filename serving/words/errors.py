"""What is said to people where something cannot be done: a headline in their language, then the error's own line.

The line says what was expected, what was found and what to do; it is made where the mistake is met, names columns and
settings as they are spelled, and stays in English.
"""

from features.errors import KizashiError
from serving.words.speech import language, text

#: Class of error -> its headline; a class without one is told by the nearest class above it.
HEADLINES: dict[str, str] = {
    "KizashiError": text("This cannot be done."),
    "SourceError": text("A source of data cannot be read."),
    "ColumnsMissing": text("Columns are missing in the data."),
    "QuarantineLimit": text("Too many rows of the data are faulty; nothing was written."),
    "TooLittleData": text("There are not enough data for this."),
    "SettingsError": text("A setting or an entry is not right."),
    "FeatureError": text("A figure about the customers cannot be worked out."),
    "EngineError": text("The computers that share the work cannot go on."),
    "ArtefactError": text("The model is missing, was altered, or is of another version."),
    "InvalidPredictions": text("These predictions cannot be compared with what happened."),
    "DataRefused": text("The new data are not like those that the model in use was made for."),
    "PromotionRefused": text("The new model did not pass its tests; the one in use stays."),
    "UnknownNotice": text("There are no words for a notice."),
    "StoreError": text("This contradicts what is already on record."),
    "Stale": text("Somebody else has changed this in the meantime."),
    "KeyReused": text("This request came before, with other contents."),
}


def error_headline(error: KizashiError, locale: str = "en") -> str:
    """What kind of mistake it is, as a sentence in the reader's language.

    Raises
    ------
    SettingsError
        If there is no such locale.
    """
    nearest = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in HEADLINES)
    return language(locale).words(HEADLINES[nearest])


def error_text(error: KizashiError, locale: str = "en") -> str:
    """The headline in the reader's language, and after it the line as it was raised.

    Raises
    ------
    SettingsError
        If there is no such locale.
    """
    return f"{error_headline(error, locale)} {error}"
