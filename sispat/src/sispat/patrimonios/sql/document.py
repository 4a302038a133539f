"""The JSON document of an asset, as SQL: short in lists, whole on its card; its members come from the table of fields."""

from __future__ import annotations

from sispat.kernel.json_sql import json_object, member, nullable
from sispat.patrimonios.fields import PATRIMONIO

__all__ = ["JOINS", "NET", "SHORT", "WHOLE"]

# Of `p`, an asset's row, and what JOINS brings beside it.
_REFERENCES = {"classe": "c.referencia", "setor": "s.referencia", "local": "l.referencia", "agente": "a.referencia"}
NET = """(select d.bruto - d.acumulada - d.perda from depreciacao d
    where d.patrimonio_id = p.id and not d.saiu and d.fechamento =
        (select f.numero from fechamento f where f.reaberto_em is null order by f.competencia desc limit 1))"""
_OWN = {"valor_liquido": nullable("valor_liquido", f"{NET}::text")}
_MEMBERS = {name: _OWN.get(name) or member(spec, "p", _REFERENCES) for name, spec in PATRIMONIO.fields.items()}

SHORT = json_object(*(each for name, each in _MEMBERS.items() if name not in PATRIMONIO.unlisted))
WHOLE = json_object(*_MEMBERS.values())
JOINS = """
    join classe c on c.id = p.classe_id join setor s on s.id = p.setor_id
    join local l on l.id = p.local_id join agente a on a.id = p.agente_id"""
