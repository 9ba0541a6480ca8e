"""The section of the settings about notices; what each value means stands in ``kizashi.toml``."""

from pipelines.sections import Flag, Section


class Notices(Section):
    """What a notice may say."""

    names: Flag = False
