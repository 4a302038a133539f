"""What every group of settings is made of: the types that values have, and the model they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from sispat.kernel.i18n import gettext_noop
from sispat.settings._readers import Quota, read_bool, read_duration, read_quota, read_quota_or_no, read_size

__all__ = ["OR_NO", "Bytes", "Group", "Limit", "LimitOrNo", "Seconds", "UserPath", "YesNo", "auto_yes_or_no"]

YesNo = Annotated[bool, BeforeValidator(read_bool)]
Seconds = Annotated[float, BeforeValidator(read_duration)]
Bytes = Annotated[int, BeforeValidator(read_size)]
Limit = Annotated[Quota, BeforeValidator(read_quota)]
LimitOrNo = Annotated[Quota | None, BeforeValidator(read_quota_or_no)]
OR_NO = gettext_noop("de 1 a 1000000 por 1s a 1d, como 100/15min; não para desligar")
UserPath = Annotated[Path, BeforeValidator(lambda value: Path(value).expanduser())]


class Group(BaseModel):
    """Settings of one subject: frozen; durations in seconds, sizes in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True)


def auto_yes_or_no(value: object) -> str:
    """`auto`, `sim` or `não`."""
    return "auto" if value == "auto" else "sim" if read_bool(value) else "não"
