"""What each city decides about its assets."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from sispat.kernel.i18n import _
from sispat.settings._readers import QUOTA, Quota
from sispat.settings._types import OR_NO, Group, LimitOrNo, UserPath, YesNo
from sispat.settings._variable import Variable

__all__ = ["AssetSettings"]


_SHOWABLE = ("descricao", "classe", "setor")


def _public_shows(value: object) -> str:
    given = [part.strip() for part in str(value).lower().split(",") if part.strip()]
    for part in given:
        if part not in _SHOWABLE:
            raise ValueError(_("“%(part)s” não pode ser mostrado; só %(all)s", part=part, all=", ".join(_SHOWABLE)))
    return ",".join(given)


class AssetSettings(Group):
    """What each city decides about its assets."""

    commission_members: Annotated[
        int,
        Field(ge=1, le=20),
        Variable(
            "SISPAT_COMMISSION_MEMBERS",
            "Quantos membros, no mínimo, tem a comissão de uma baixa que exige comissão.",
            unit="pessoas",
        ),
    ] = 3
    city_arms: Annotated[
        UserPath | None,
        Variable(
            "SISPAT_CITY_ARMS",
            "Brasão da cidade, no alto dos papéis; cada termo guarda o que valia quando foi emitido.",
            accepts="um arquivo SVG, PNG ou JPEG de até 1 MB",
        ),
    ] = None
    click_signing: Annotated[
        YesNo,
        Variable(
            "SISPAT_CLICK_SIGNING",
            "Termos podem ser assinados na tela por quem eles nomeiam, além de no papel; a cidade decide se isso lhe basta.",
        ),
    ] = False
    public_shows: Annotated[
        str,
        BeforeValidator(_public_shows),
        Variable(
            "SISPAT_PUBLIC_SHOWS",
            "O que a página pública de um bem mostra além da plaqueta; nunca pessoas, valores nem números de série. A "
            "descrição é texto livre, em que alguém pode ter escrito um nome: a cidade decide se a abre.",
            accepts="descricao, classe e setor, separados por vírgulas, ou nada",
        ),
    ] = "classe,setor"
    public_contact: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=200),
        Variable(
            "SISPAT_PUBLIC_CONTACT",
            "A quem avisar quem acha um bem fora do lugar; aparece na página pública dele.",
            accepts="um telefone ou e-mail, até 200 letras",
        ),
    ] = ""
    open_data: Annotated[
        YesNo,
        Variable(
            "SISPAT_OPEN_DATA",
            "Publica, uma vez por dia e sem pedir senha, os bens, os imóveis e os saldos por conta (/dados-abertos), sem "
            "nenhum dado de pessoas.",
        ),
    ] = False
    limit_public: Annotated[
        LimitOrNo,
        Variable(
            "SISPAT_LIMIT_PUBLIC",
            "Pedidos às páginas públicas de bens e termos (/b, /t, /dados-abertos e /api/publico), por endereço.",
            unit=QUOTA,
            accepts=OR_NO,
        ),
    ] = Quota(60, 60.0)
