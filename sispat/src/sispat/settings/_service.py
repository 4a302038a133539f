"""The service itself: where it listens, keeps its data, how it starts and ends, how it shows things."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, StringConstraints

from sispat.kernel.i18n import SOURCE, Language
from sispat.settings._readers import (
    DURATION,
    SIZE,
    read_language,
    read_networks,
    read_object_store,
    read_size_or_no,
    read_timezone,
    read_url,
    read_url_or_no,
)
from sispat.settings._types import Bytes, Group, Seconds, UserPath, YesNo
from sispat.settings._variable import Variable

__all__ = ["ServiceSettings"]


class ServiceSettings(Group):
    """The service itself: where it listens, keeps its data, how it starts and ends, how it shows things."""

    data_dir: Annotated[
        UserPath,
        Variable(
            "SISPAT_DATA_DIR",
            "Onde ficam os dados desta máquina: o PostgreSQL embutido e a trava contra um segundo início.",
            accepts="uma pasta em que se possa gravar",
            default="a pasta de dados do usuário (no Linux, ~/.local/share/sispat)",
        ),
    ] = Field(default_factory=lambda: user_data_path("sispat", appauthor=False))
    host: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=253, pattern=r"^\S+$"),
        Variable(
            "SISPAT_HOST",
            "Endereço em que o serviço escuta: 127.0.0.1 só esta máquina, 0.0.0.0 toda a rede.",
            accepts="um endereço IP ou nome desta máquina",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535),
        Variable("SISPAT_PORT", "Porta em que o serviço escuta; 0 escolhe uma livre.", unit="porta TCP"),
    ] = 8000
    public_url: Annotated[
        str | None,
        BeforeValidator(read_url("http", "https")),
        Variable(
            "SISPAT_PUBLIC_URL",
            "Endereço com que as pessoas chegam ao serviço; `sispat doctor` confere o certificado dele.",
            accepts="https://patrimonio.cidade.gov.br, ou http://",
        ),
    ] = None
    workers: Annotated[
        int,
        Field(ge=1, le=64),
        Variable("SISPAT_WORKERS", "Quantos processos atendem.", unit="processos"),
    ] = 2
    jobs: Annotated[
        int,
        Field(ge=0, le=16),
        Variable(
            "SISPAT_JOBS",
            "Quantas tarefas (importações e outros trabalhos demorados) esta máquina faz ao mesmo tempo; 0: nenhuma, outra "
            "máquina as faz.",
            unit="tarefas",
        ),
    ] = 2
    job_memory: Annotated[
        Bytes,
        Field(ge=256 * 1024**2, le=64 * 1024**3),
        Variable(
            "SISPAT_JOB_MEMORY",
            "Quanta memória o processo de uma tarefa pode usar; a que precisa de mais falha, e nada mais falha com ela "
            "(no Linux).",
            unit=SIZE,
        ),
    ] = 1024**3
    worker_timeout: Annotated[
        Seconds,
        Field(ge=1, le=600),
        Variable(
            "SISPAT_WORKER_TIMEOUT",
            "Um processo que não dá sinal por este tempo é encerrado e substituído.",
            unit=DURATION,
        ),
    ] = 10.0
    start_timeout: Annotated[
        Seconds,
        Field(ge=5, le=3600),
        Variable(
            "SISPAT_START_TIMEOUT",
            "Quanto um processo novo pode levar até atender, migração incluída; numa troca de versão, a anterior fica depois "
            "disso.",
            unit=DURATION,
        ),
    ] = 60.0
    worker_memory: Annotated[
        Annotated[int, Field(ge=128 * 1024**2, le=64 * 1024**3)] | None,
        BeforeValidator(read_size_or_no),
        Variable(
            "SISPAT_WORKER_MEMORY",
            "Um processo que ocupa mais memória do que isto é trocado por outro sem perder pedidos; com o dobro, na hora. "
            "Só no Linux.",
            unit=SIZE,
            accepts="de 128MB a 65536MB; não para desligar",
        ),
    ] = 512 * 1024**2
    graceful_timeout: Annotated[
        Seconds,
        Field(ge=1, le=3600),
        Variable(
            "SISPAT_GRACEFUL_TIMEOUT",
            "Ao encerrar, quanto se espera pelos pedidos em andamento; depois são interrompidos.",
            unit=DURATION,
        ),
    ] = 30.0
    drain_delay: Annotated[
        Seconds,
        Field(ge=0, le=300),
        Variable(
            "SISPAT_DRAIN_DELAY",
            "Ao encerrar, por quanto tempo ainda se aceitam pedidos enquanto /api/health/ready já diz não; "
            "para uso atrás de um balanceador.",
            unit=DURATION,
        ),
    ] = 0.0
    body_limit: Annotated[
        Bytes,
        Field(ge=16 * 1024, le=100 * 1024**2),
        Variable(
            "SISPAT_BODY_LIMIT",
            "Maior corpo aceito num pedido; acima disso a resposta é 413. 1MB são 1024 x 1024 bytes.",
            unit=SIZE,
        ),
    ] = 1024**2
    forwarded_allow_ips: Annotated[
        str,
        BeforeValidator(read_networks),
        Variable(
            "SISPAT_FORWARDED_ALLOW_IPS",
            "Proxies em cujos cabeçalhos X-Forwarded-* se acredita; * acredita em todos (só atrás de um proxy).",
            accepts="endereços IP e redes separados por vírgulas, ou *",
        ),
    ] = "127.0.0.1,::1"
    tls_certificate: Annotated[
        UserPath | None,
        Variable(
            "SISPAT_TLS_CERTIFICATE",
            "Certificado com que o próprio serviço atende por HTTPS, sem proxy; trocado o arquivo, o novo vale em segundos.",
            accepts="um arquivo PEM, com os certificados intermediários; junto com SISPAT_TLS_KEY",
        ),
    ] = None
    tls_key: Annotated[
        UserPath | None,
        Variable(
            "SISPAT_TLS_KEY",
            "A chave desse certificado.",
            accepts="um arquivo PEM sem senha, que a conta do serviço possa ler; junto com SISPAT_TLS_CERTIFICATE",
        ),
    ] = None
    documents_dir: Annotated[
        UserPath | None,
        Variable(
            "SISPAT_DOCUMENTS_DIR",
            "Onde ficam os documentos enviados; entram em cada cópia de segurança, e voltam com ela.",
            accepts="uma pasta",
            default="SISPAT_DATA_DIR/documentos",
        ),
    ] = None
    documents_store: Annotated[
        str | None,
        BeforeValidator(read_object_store),
        Variable(
            "SISPAT_DOCUMENTS_STORE",
            "Armazém em que ficam os documentos enviados, para que várias máquinas tenham os mesmos; sem ele, a pasta. "
            "Credenciais como as do bucket das cópias: AWS_ACCESS_KEY_ID e AWS_SECRET_ACCESS_KEY, GOOGLE_..., AZURE_...",
            accepts="s3://bucket/pasta?endpoint=..., gs://bucket, az://conta/contêiner",
        ),
    ] = None
    upload_size: Annotated[
        Bytes,
        Field(ge=64 * 1024, le=1024**3),
        Variable("SISPAT_UPLOAD_SIZE", "Maior arquivo que se pode anexar.", unit=SIZE),
    ] = 20 * 1024**2
    upload_total: Annotated[
        Bytes,
        Field(ge=128 * 1024, le=2 * 1024**3),
        Variable(
            "SISPAT_UPLOAD_TOTAL",
            "Maior envio de arquivos, todos juntos; acima disso a resposta é 413 e nada é lido.",
            unit=SIZE,
        ),
    ] = 100 * 1024**2
    upload_files: Annotated[
        int,
        Field(ge=1, le=100),
        Variable("SISPAT_UPLOAD_FILES", "Arquivos num mesmo envio.", unit="arquivos"),
    ] = 10
    documents_per_record: Annotated[
        int,
        Field(ge=1, le=1000),
        Variable(
            "SISPAT_DOCUMENTS_PER_RECORD", "Fotos e documentos de um bem, imóvel ou movimentação.", unit="arquivos"
        ),
    ] = 50
    city_name: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=120),
        Variable("SISPAT_CITY_NAME", "Nome no alto das telas.", accepts="de 1 a 120 letras"),
    ] = "Prefeitura Municipal"
    timezone: Annotated[
        str,
        BeforeValidator(read_timezone),
        Variable(
            "SISPAT_TIMEZONE",
            "Fuso em que datas e horas são mostradas.",
            accepts="um nome da base IANA, como America/Sao_Paulo ou America/Manaus",
        ),
    ] = "America/Sao_Paulo"
    lang: Annotated[
        Language,
        BeforeValidator(read_language),
        Variable(
            "SISPAT_LANG",
            "Idioma de quem não pede outro: nas telas e na API valem antes a escolha da pessoa, no rodapé, e o que o "
            "navegador pede; nos comandos, sem esta variável, vale o idioma do terminal (LC_ALL, LC_MESSAGES, LANG).",
            accepts="pt-BR ou en",
        ),
    ] = SOURCE
    cep_url: Annotated[
        str | None,
        BeforeValidator(read_url_or_no("http", "https")),
        Variable(
            "SISPAT_CEP_URL",
            "Serviço ViaCEP que preenche endereços pelo CEP; sem resposta dele, o endereço é digitado à mão.",
            accepts="http:// ou https://, ou não para desligar a consulta",
        ),
    ] = "https://viacep.com.br"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda value: str(value).strip().lower()),
        Variable("SISPAT_LOG_LEVEL", "A partir de que gravidade se registra.", accepts="debug, info, warning ou error"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        BeforeValidator(lambda value: str(value).strip().lower()),
        Variable("SISPAT_LOG_FORMAT", "Registro para pessoas (text) ou para programas (json).", accepts="text ou json"),
    ] = "text"
    debug: Annotated[YesNo, Variable("SISPAT_DEBUG", "Mostra o erro técnico completo nos comandos.")] = False

    @property
    def scheme(self) -> Literal["http", "https"]:
        """What the service speaks itself."""
        return "https" if self.tls_certificate is not None else "http"

    @property
    def documents(self) -> Path:
        """Where documents lie."""
        return self.documents_dir or self.data_dir / "documentos"
