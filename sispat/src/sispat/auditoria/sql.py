"""The statements of the seals: up to where can be sealed now, and what a seal covers."""

from __future__ import annotations

__all__ = ["BEGUN", "CUT", "HASH", "SETTLED", "STALE"]

# A transaction takes the number of its record just before its own: a minute later, every number handed out before the cut
# belongs to a transaction that has begun, or that came to nothing.
CUT = """
insert into auditoria_corte (ate_id) select max(id) from evento having max(id) is not null
on conflict (unico) do update set ate_id = excluded.ate_id, em = now(), transacao = null"""
BEGUN = """
update auditoria_corte set transacao = pg_snapshot_xmax(pg_current_snapshot())
where transacao is null and em < now() - interval '1 minute'"""
# After a restore of a dump the numbers of transactions begin anew: such a cut says nothing.
STALE = "delete from auditoria_corte where transacao > pg_snapshot_xmax(pg_current_snapshot())"
SETTLED = "select ate_id from auditoria_corte where transacao <= pg_snapshot_xmin(pg_current_snapshot())"
HASH = """
select count(*), max(id), sha256(%s || string_agg(hash_do_evento(e), ''::bytea order by id))
from (select * from evento where id > %s and id <= %s order by id limit %s) e"""
