"""What people read where the code has a name: fields, states, roles, actions."""

from __future__ import annotations

from sispat.kernel.permissions import Papel
from sispat.kernel.states import Conservacao, Posse, Situacao

__all__ = ["ACTIONS", "CONSERVACOES", "ENTITIES", "FIELDS", "PAPEIS", "POSSES", "SITUACOES", "SORTS"]

FIELDS = {
    "numero": "Número",
    "descricao": "Descrição",
    "classe_id": "Classe",
    "valor": "Valor",
    "data_aquisicao": "Data de aquisição",
    "data_disponivel": "Em uso desde",
    "conservacao": "Conservação",
    "situacao": "Situação",
    "posse": "Posse",
    "marca": "Marca",
    "modelo": "Modelo",
    "numero_serie": "Número de série",
    "fornecedor_doc": "CPF ou CNPJ do fornecedor",
    "nota_fiscal": "Nota fiscal",
    "empenho": "Empenho",
    "licitacao": "Licitação",
    "observacao": "Observação",
    "setor_id": "Setor",
    "local_id": "Local",
    "agente_id": "Agente responsável",
    "quantidade": "Quantidade",
    "codigo": "Código",
    "nome": "Nome",
    "pai_id": "Setor superior",
    "ativo": "Em uso no cadastro",
    "matricula": "Matrícula",
    "cargo": "Cargo",
    "cpf": "CPF",
    "cep": "CEP",
    "logradouro": "Logradouro",
    "complemento": "Complemento",
    "bairro": "Bairro",
    "cidade": "Cidade",
    "uf": "UF",
    "conta": "Conta contábil",
    "vida_util_meses": "Vida útil (meses)",
    "residual_pct": "Valor residual (%)",
    "depreciavel": "Sofre depreciação",
    "email": "E-mail",
    "password": "Senha",
    "q": "Busca",
    "setor": "Setor",
    "local": "Local",
    "classe": "Classe",
    "agente": "Agente responsável",
    "sort": "Ordem",
    "pagina": "Página",
}
SITUACOES = {
    Situacao.EM_USO.value: "Em uso",
    Situacao.EM_MANUTENCAO.value: "Em manutenção",
    Situacao.EMPRESTADO.value: "Emprestado",
    Situacao.EM_TRANSFERENCIA.value: "Em transferência",
    Situacao.NAO_LOCALIZADO.value: "Não localizado",
    Situacao.BAIXADO.value: "Baixado",
}
CONSERVACOES = {
    Conservacao.OTIMO.value: "Ótimo",
    Conservacao.BOM.value: "Bom",
    Conservacao.REGULAR.value: "Regular",
    Conservacao.RUIM.value: "Ruim",
    Conservacao.INSERVIVEL.value: "Inservível",
}
POSSES = {
    Posse.PROPRIO.value: "Bem próprio",
    Posse.CESSAO.value: "Recebido em cessão",
    Posse.COMODATO.value: "Recebido em comodato",
}
PAPEIS = {
    Papel.ADMINISTRADOR.value: "Administrador",
    Papel.GESTOR.value: "Gestor",
    Papel.RESPONSAVEL.value: "Responsável",
    Papel.CONSULTA.value: "Consulta",
}
ACTIONS = {
    "criar": "Cadastrou",
    "editar": "Editou",
    "trocar_carga": "Trocou a carga",
    "excluir": "Excluiu",
    "entrar": "Entrou",
    "sair": "Saiu",
    "liberar": "Liberou",
}
ENTITIES = {
    "patrimonio": "Bem",
    "setor": "Setor",
    "local": "Local",
    "agente": "Agente",
    "classe": "Classe",
    "usuario": "Usuário",
    "demo": "Demonstração",
    "bloqueio": "Bloqueio",
}
SORTS = {
    "numero": "Número, do menor ao maior",
    "-numero": "Número, do maior ao menor",
    "descricao": "Descrição, de A a Z",
    "-descricao": "Descrição, de Z a A",
    "valor": "Valor, do menor ao maior",
    "-valor": "Valor, do maior ao menor",
    "data_aquisicao": "Aquisição, da mais antiga à mais nova",
    "-data_aquisicao": "Aquisição, da mais nova à mais antiga",
}
