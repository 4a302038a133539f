"""Files that people send, and files that are sent to do harm."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import pikepdf
from PIL import Image

__all__ = ["bomba_png", "docx", "jpeg", "ods", "pdf", "png"]

GPS = {1: "S", 2: (22.0, 54.0, 30.0), 3: "W", 4: (43.0, 10.0, 20.0)}


def jpeg(largura: int = 400, altura: int = 300, orientacao: int = 1, cor: str = "teal", **mais: Any) -> bytes:
    """A photo as a phone makes it: turned by its EXIF, with the place where it was taken and a comment."""
    imagem = Image.new("RGB", (largura, altura), cor)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientacao, "FabricanteSecreto"
    exif[0x8825] = GPS
    saida = io.BytesIO()
    imagem.save(saida, "JPEG", exif=exif, comment=b"comentario secreto", **mais)
    return saida.getvalue()


def png(modo: str = "RGBA", lado: int = 64, cor: Any = 0) -> bytes:
    saida = io.BytesIO()
    Image.new(modo, (lado, lado), cor).save(saida, "PNG")
    return saida.getvalue()


def bomba_png(lado: int = 30_000) -> bytes:
    """A PNG of `lado` x `lado` points that is small: all of them are black."""

    def pedaco(tipo: bytes, dados: bytes) -> bytes:
        return struct.pack(">I", len(dados)) + tipo + dados + struct.pack(">I", zlib.crc32(tipo + dados))

    linha = b"\0" * (1 + lado // 8)
    dados = zlib.compress(linha * 1000, 9)
    cabecalho = struct.pack(">IIBBBBB", lado, lado, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + pedaco(b"IHDR", cabecalho) + pedaco(b"IDAT", dados) + pedaco(b"IEND", b"")


def pdf(**raiz: Any) -> bytes:
    """One page; `raiz` goes into the catalogue of the document."""
    documento = pikepdf.new()
    documento.add_blank_page()
    for nome, valor in raiz.items():
        documento.Root[f"/{nome}"] = documento.make_indirect(valor) if isinstance(valor, pikepdf.Object) else valor
    saida = io.BytesIO()
    documento.save(saida, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    return saida.getvalue()


def _zip(partes: dict[str, bytes], metodo: int = zipfile.ZIP_DEFLATED) -> bytes:
    saida = io.BytesIO()
    with zipfile.ZipFile(saida, "w", metodo) as arquivo:
        for nome, conteudo in partes.items():
            arquivo.writestr(nome, conteudo, zipfile.ZIP_STORED if nome == "mimetype" else metodo)
    return saida.getvalue()


_PRINCIPAL = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def docx(principal: str = _PRINCIPAL, **partes: bytes) -> bytes:
    tipos = f'<Types><Override PartName="/word/document.xml" ContentType="{principal}"/></Types>'
    base = {"[Content_Types].xml": tipos.encode(), "word/document.xml": b"<w:document/>"}
    return _zip(base | {nome.replace("__", "/"): dados for nome, dados in partes.items()})


def ods(**partes: bytes) -> bytes:
    base = {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b"<x/>"}
    return _zip(base | {nome.replace("__", "/"): dados for nome, dados in partes.items()})
