"""Make docs/imagens/operacao.png: the operations page at a desk and the public page on a phone, over an invented history.

Needs Debian's chromium and the development dependencies; run from the repository's root:

    PYTHONPATH=esteio/src:sispat/src:sispat/tests python docs/imagens/operacao.py
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from servida import CHROMIUM, servir

from esteio.health._history import History, Observation
from esteio.health.series import SERVICE, Mark, State
from esteio.testing.postgres import PostgresServer
from sispat.demo import populate
from sispat.kernel.schema import migrate

DESTINO = Path(__file__).with_name("operacao.png")
LIMITE = 300_000  # bytes
MESA, TELEFONE = {"width": 1100, "height": 1250}, {"width": 390, "height": 780}
DIA, HORA = 86_400.0, 3_600.0
SERIES = ("web:responseTime", "postgres:responseTime", "disk:free", "backup:age")

MONTAGEM = """<!doctype html><style>
body {{ margin: 0; width: 1480px; height: 1000px; background: #dfe7f3; position: relative; overflow: hidden }}
img {{ position: absolute; border-radius: 10px; box-shadow: 0 12px 32px rgb(7 29 65 / 28%), 0 0 0 1px rgb(7 29 65 / 14%) }}
img.telefone {{ border-radius: 22px; border: 7px solid #071d41; box-sizing: border-box }}
</style>
<img src="{mesa}" style="left: 40px; top: 40px; width: 980px">
<img class="telefone" src="{telefone}" style="left: 1075px; top: 150px; width: 350px">"""


def inventar(arquivo: Path) -> None:
    """Ninety days with three outages, a busy day, and what happened in it."""
    sorte, agora = random.Random(1), time.time()  # noqa: S311 - invented numbers, each time the same
    historia = History(arquivo, gap=DIA)
    quedas = ((61 * DIA, 0.4 * HORA), (23 * DIA, 1.2 * HORA), (7 * HORA, 0.3 * HORA))
    momentos = [agora - 90 * DIA + passo * HORA for passo in range(89 * 24)]
    momentos += [agora - DIA + passo * 300 for passo in range(289)]
    for inicio, duracao in quedas:
        momentos += [agora - inicio, agora - inicio + duracao]
    observacoes = []
    for momento in sorted(momentos):
        antes = agora - momento
        caiu = any(0 <= inicio - antes < duracao for inicio, duracao in quedas)
        estado = State.DOWN if caiu else State.UP
        estados = dict.fromkeys(SERIES, (State.UP, ""))
        estados |= {SERVICE: (estado, ""), "postgres:responseTime": (estado, "")}
        ritmo = 6 + 5 * (1 if 8 <= time.localtime(momento).tm_hour < 18 else 0) + sorte.random() * 2
        valores = {
            "requests.rate": ritmo, "requests.errors": 30.0 if caiu else sorte.random() * 0.2,
            "requests.p50": 6 + sorte.random() * 2, "requests.p95": 22 + sorte.random() * 8,
            "requests.p99": 60 + sorte.random() * 40,
        }  # fmt: skip
        observacoes.append(Observation(momento, valores, estados))
    maquina = {
        "host.cpu": 9.0, "host.memory": 41.0, "host.load": 0.3, "disk:free/days left": 212.0, "clock:offset": 0.01,
        "replication:lag/esteio_wal": 0.0,
    }  # fmt: skip
    marcas = [
        Mark(agora - 11 * HORA, "version", "1.4.2"), Mark(agora - 11 * HORA, "roll", "2"),
        Mark(agora - 7 * HORA, "service", "PostgreSQL"), Mark(agora - 3 * HORA, "circuit", "viacep/viacep", "open"),
        Mark(agora - 2.9 * HORA, "circuit", "viacep/viacep", "closed"),
    ]  # fmt: skip
    for primeira in range(0, len(observacoes), 1000):  # more at once than wait for a full disk
        historia.observe(*observacoes[primeira : primeira + 1000])
    historia.observe(Observation(agora, maquina, {}, marcas))
    historia.close()


def fotografar(navegador: Browser, endereco: str) -> tuple[str, str]:
    """The operations page at a desk and the public one on a phone, as data addresses."""
    mesa = navegador.new_context(viewport=MESA, java_script_enabled=False, locale="pt-BR")
    pagina = mesa.new_page()
    pagina.goto(f"{endereco}/operacao")
    pagina.get_by_label("E-mail").fill("admin@demo.local")
    pagina.get_by_label("Senha").fill("demo")
    pagina.get_by_role("button", name="Entrar").click()
    pagina.get_by_role("heading", name="Serviços").wait_for()
    primeira = pagina.screenshot()
    mesa.close()  # with two windows open, Chromium may refuse to picture one of them
    pagina = navegador.new_context(viewport=TELEFONE, java_script_enabled=False, locale="pt-BR").new_page()
    pagina.goto(f"{endereco}/situacao")
    return _dados(primeira), _dados(pagina.screenshot())


def _dados(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def main() -> None:
    """Take the pictures and put them together."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium não está instalado: apt-get install chromium")
    banco = PostgresServer()
    with tempfile.TemporaryDirectory() as pasta:
        try:
            banco.start()
            dsn = banco.create_database("imagens")
            migrate(dsn)
            populate(dsn, size=500)
            inventar(Path(pasta, "health.sqlite"))
            estado = {"at": time.time() + 60, "active": True, "found": [], "amiss": []}
            Path(pasta, "operator.json").write_text(json.dumps(estado))
            with servir(dsn, data_dir=Path(pasta)) as endereco, sync_playwright() as navegadores:
                navegador = navegadores.chromium.launch(executable_path=chromium, args=list(CHROMIUM))
                mesa, telefone = fotografar(navegador, endereco)
                pagina = navegador.new_page(viewport={"width": 1480, "height": 1000})
                pagina.set_content(MONTAGEM.format(mesa=mesa, telefone=telefone))
                imagem = pagina.screenshot()
                navegador.close()
        finally:
            banco.stop()
    if len(imagem) > LIMITE:
        sys.exit(f"a imagem tem {len(imagem)} bytes; o limite é {LIMITE}. Nada foi gravado.")
    DESTINO.write_bytes(imagem)


if __name__ == "__main__":
    main()
