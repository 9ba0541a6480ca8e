"""Every mistake that Kizashi can tell a person about.

::

    KizashiError                  one line: what was expected, what was found, what to do
    |-- SourceError               a folder, file or database that cannot be read
    |   `-- ColumnsMissing        required columns that are not there and not mapped
    |-- QuarantineLimit           more bad rows than the settings allow
    |-- TooLittleData             not enough customers, orders or history for what was asked
    |-- SettingsError             a setting that is unknown or out of range
    |-- FeatureError              a declared feature that cannot be computed
    |-- EngineError               a cluster that cannot go on (in features/engines.py)
    |-- ArtefactError             a model that is missing, altered or of another version
    |-- InvalidPredictions        predictions that cannot be evaluated (in models/figures.py)
    |-- DataRefused               data that are not as the champion's were (in pipelines/data_gate.py)
    |-- PromotionRefused          a model that did not pass the gate (in pipelines/promotion.py)
    |-- UnknownNotice             a notice that nobody has words for (in serving/notices.py)
    `-- StoreError                results that contradict what is already published
        |-- Stale                 a change of what somebody else has changed since (in serving/projection.py)
        `-- KeyReused             a request's key that came with another request (in serving/idempotency.py)

The command line prints the message without a traceback and exits with 2.
"""


class KizashiError(Exception):
    """A mistake that the user can mend; its message is one line that says how."""


class SourceError(KizashiError):
    """A folder, file or database that cannot be read as the contract asks."""


class ColumnsMissing(SourceError):
    """Required columns that are neither in the source nor mapped."""


class QuarantineLimit(KizashiError):
    """More rows break the contract than the settings allow; nothing was written."""


class TooLittleData(KizashiError):
    """The data cannot answer what was asked: too few customers, orders or past."""


class SettingsError(KizashiError):
    """A setting, option or argument that is unknown or out of range."""


class FeatureError(KizashiError):
    """A feature, mostly of the user's own, whose expression or function fails."""


class ArtefactError(KizashiError):
    """A model artefact that is missing, altered, or of another version."""


class StoreError(KizashiError):
    """Results that contradict what is already published for the same date."""
