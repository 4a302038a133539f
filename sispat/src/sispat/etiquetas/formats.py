"""Sheets and rolls that labels come on. Pure.

Sizes of labels, and how many a sheet has, are those that Pimaco and Avery print on their packages; the grid lies in the
middle of the sheet, as their own templates have it (Avery 5160 and 5167 as in gLabels' avery-us-templates.xml: left
margins of 0.1875 and 0.28125 in). What a printer shifts is corrected by `ajuste_x` and `ajuste_y` of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sispat.kernel.labelled import Labelled

__all__ = ["FORMATS", "Formato", "LabelFormat"]

_A4, _LETTER = (210.0, 297.0), (215.9, 279.4)  # mm


class Formato(Labelled):
    """What is in the printer."""

    CARTA_30 = "carta-30", "Carta, 30 por folha: 66,7 × 25,4 mm (Pimaco 6180, Avery 5160)"
    CARTA_80 = "carta-80", "Carta, 80 por folha: 44,5 × 12,7 mm (Pimaco 6187, Avery 5167)"
    A4_21 = "a4-21", "A4, 21 por folha: 63,5 × 38,1 mm (Pimaco A4360, Avery L7160)"
    A4_33 = "a4-33", "A4, 33 por folha: 63,5 × 25,4 mm (Pimaco A4356)"
    A4_65 = "a4-65", "A4, 65 por folha: 38,1 × 21,2 mm (Pimaco A4351, Avery L7651)"
    ROLO_50X25 = "rolo-50x25", "Rolo, 50 × 25 mm"
    ROLO_60X40 = "rolo-60x40", "Rolo, 60 × 40 mm"
    ROLO_100X50 = "rolo-100x50", "Rolo, 100 × 50 mm"


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """A grid in the middle of a sheet; lengths in mm. `gap_x`: between two columns."""

    sheet: tuple[float, float]
    columns: int
    rows: int
    width: float
    height: float
    gap_x: float = 0.0

    @property
    def per_sheet(self) -> int:
        """How many labels a sheet has."""
        return self.columns * self.rows

    @property
    def data(self) -> dict[str, Any]:
        """As the template reads it."""
        across = self.columns * self.width + (self.columns - 1) * self.gap_x
        return {
            "folha_largura": self.sheet[0], "folha_altura": self.sheet[1], "colunas": self.columns, "linhas": self.rows,
            "largura": self.width, "altura": self.height, "esquerda": (self.sheet[0] - across) / 2,
            "alto": (self.sheet[1] - self.rows * self.height) / 2, "passo_x": self.width + self.gap_x, "passo_y": self.height,
        }  # fmt: skip


def _roll(width: float, height: float) -> LabelFormat:
    return LabelFormat((width, height), 1, 1, width, height)


FORMATS = {
    Formato.CARTA_30: LabelFormat(_LETTER, 3, 10, 66.675, 25.4, 3.175),
    Formato.CARTA_80: LabelFormat(_LETTER, 4, 20, 44.45, 12.7, 7.9375),
    Formato.A4_21: LabelFormat(_A4, 3, 7, 63.5, 38.1, 2.5),
    Formato.A4_33: LabelFormat(_A4, 3, 11, 63.5, 25.4, 2.5),
    Formato.A4_65: LabelFormat(_A4, 5, 13, 38.1, 21.2, 2.5),
    Formato.ROLO_50X25: _roll(50, 25),
    Formato.ROLO_60X40: _roll(60, 40),
    Formato.ROLO_100X50: _roll(100, 50),
}
