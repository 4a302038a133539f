"""What the demo city is made of: names of people and places, the federal classes, what a city hall buys.

Promises: plain text without tabs, line breaks or backslashes, within the lengths of the schema. Useful life and
residual are those of the federal table (SIAFI macrofunção 020330), as defaults to be confirmed by each city.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CLASSES", "FIRST_NAMES", "JOB_TITLES", "LAST_NAMES", "SETORES", "Classe", "Item", "Setor"]


class Item(NamedTuple):
    """One kind of thing: `text` takes a variante in {}; prices in whole reais."""

    text: str
    variants: tuple[str, ...]
    marcas: tuple[tuple[str, tuple[str, ...]], ...]
    lowest: int
    highest: int


class Classe(NamedTuple):
    """A class of the chart of accounts; `serie` = such things carry a serial number."""

    key: str
    conta: str
    nome: str
    years: int
    residual: int
    depreciavel: bool
    serie: bool
    items: tuple[Item, ...]


class Setor(NamedTuple):
    """A unit: the code of its superior, its share of the assets, where things stand, what it holds most."""

    code: str
    nome: str
    parent: str | None
    weight: int
    locais: tuple[str, ...]
    classes: dict[str, int]


_COLOURS = ("preto", "cinza", "azul", "branco", "bege")
_NO_BRAND = (("", ("",)),)
_FURNITURE = (("Fortline", ("FL-120", "FL-200", "Corporate")), ("Marzo Vitorino", ("Slim", "Premium")),
           ("Cavaletti", ("Start", "Flip", "Essence")), ("Móveis Belo", ("MB-10", "MB-40")))  # fmt: skip

CLASSES = (
    Classe("informatica", "1.2.3.1.1.02.01", "Equipamentos de processamento de dados", 5, 10, True, True, (
        Item("Microcomputador {}, teclado e mouse", ("Core i3, 8 GB, SSD 240 GB", "Core i5, 8 GB, SSD 256 GB",
             "Core i5, 16 GB, SSD 512 GB", "Core i7, 16 GB, SSD 1 TB", "Ryzen 5, 16 GB, SSD 480 GB"),
             (("Dell", ("OptiPlex 3080", "OptiPlex 7010", "Vostro 3681")), ("Lenovo", ("ThinkCentre M70q", "M720s")),
              ("HP", ("ProDesk 400 G6", "EliteDesk 800")), ("Positivo", ("Master D3400", "Master D550"))), 2300, 6800),
        Item("Monitor LED {}", ("18,5 polegadas", "21,5 polegadas", "23,8 polegadas", "27 polegadas"),
             (("LG", ("22MP410", "24MP400")), ("Samsung", ("T350", "S3")), ("AOC", ("22B1H", "24B1XHM")),
              ("Dell", ("P2219H", "E2422H"))), 480, 1700),
        Item("Notebook {}", ("14 polegadas Core i5", "15,6 polegadas Core i5", "15,6 polegadas Core i7",
             "14 polegadas Ryzen 5"), (("Dell", ("Latitude 3420", "Inspiron 15")), ("Acer", ("Aspire 5",)),
              ("Lenovo", ("ThinkPad E14", "IdeaPad 3")), ("Samsung", ("Book X30",))), 2900, 7900),
        Item("Impressora {}", ("laser monocromática", "multifuncional laser", "multifuncional jato de tinta",
             "térmica de etiquetas"), (("Brother", ("DCP-L5652DN", "HL-1202")), ("HP", ("LaserJet M428", "107w")),
              ("Epson", ("EcoTank L3250", "L6270")), ("Zebra", ("ZD220",))), 750, 4200),
        Item("Nobreak {}", ("600 VA", "1200 VA", "1500 VA bivolt", "3000 VA"), (("SMS", ("Station II", "Net4+")),
             ("APC", ("Back-UPS", "Smart-UPS")), ("Ragtech", ("Easy Pro",))), 320, 3900),
        Item("Switch gerenciável {}", ("8 portas", "24 portas gigabit", "48 portas gigabit PoE"),
             (("Intelbras", ("SG 2404", "SG 5204")), ("TP-Link", ("TL-SG3428",)), ("Cisco", ("CBS250",))), 420, 9800),
        Item("Servidor em rack {}", ("Xeon, 32 GB", "Xeon, 64 GB"), (("Dell", ("PowerEdge R350", "PowerEdge T440")),
             ("HPE", ("ProLiant DL20",))), 14500, 68000),
        Item("Tablet {}", ("8 polegadas", "10,4 polegadas com capa"), (("Samsung", ("Galaxy Tab A7", "Tab S6 Lite")),
             ("Multilaser", ("M10",))), 690, 2400),
    )),
    Classe("mobiliario", "1.2.3.1.1.03.03", "Mobiliário em geral", 10, 10, True, False, (
        Item("Cadeira giratória com braços, tecido {}", _COLOURS, _FURNITURE, 290, 980),
        Item("Cadeira fixa empilhável {}", _COLOURS, _FURNITURE, 95, 260),
        Item("Mesa de escritório {}", ("1,20 x 0,60 m com duas gavetas", "1,40 x 0,70 m", "em L 1,60 x 1,60 m"),
             _FURNITURE, 340, 1450),
        Item("Armário de aço {}", ("duas portas", "quatro vãos", "oito vãos para vestiário"),
             (("Pandin", ("PA-120", "PA-90")), ("W3", ("A402",)), ("", ("",))), 520, 1650),
        Item("Arquivo de aço {}", ("quatro gavetas", "três gavetas para pasta suspensa"),
             (("Pandin", ("OF-04",)), ("W3", ("AF4",)), ("", ("",))), 480, 1200),
        Item("Conjunto escolar {}", ("aluno CJA-03", "aluno CJA-04", "aluno CJA-06", "professor CJP-01"),
             (("Delta", ("FNDE",)), ("Metalpox", ("FNDE",)), ("", ("",))), 210, 620),
        Item("Estante de aço {}", ("seis prateleiras", "dupla face para biblioteca"), _NO_BRAND, 180, 1350),
        Item("Longarina {}", ("três lugares", "quatro lugares", "cinco lugares em aço"), _FURNITURE, 430, 1800),
        Item("Quadro branco {}", ("1,20 x 0,90 m", "2,00 x 1,20 m", "3,00 x 1,20 m"), _NO_BRAND, 130, 720),
        Item("Mesa de reunião {}", ("oval oito lugares", "retangular doze lugares"), _FURNITURE, 890, 3900),
    )),
    Classe("domestico", "1.2.3.1.1.03.01", "Aparelhos e utensílios domésticos", 10, 10, True, True, (
        Item("Ar-condicionado split {}", ("9.000 BTU/h", "12.000 BTU/h", "18.000 BTU/h", "24.000 BTU/h inverter"),
             (("Elgin", ("Eco Power", "Eco Inverter")), ("Gree", ("G-Top",)), ("LG", ("Dual Inverter",))), 1450, 6200),
        Item("Geladeira {}", ("260 litros", "340 litros frost free", "450 litros duplex"),
             (("Consul", ("CRA30", "CRM39")), ("Electrolux", ("DC35A", "IF55")), ("Brastemp", ("BRM44",))), 1600, 4300),
        Item("Fogão industrial {}", ("quatro bocas", "seis bocas com forno"), (("Venâncio", ("Cozil", "P4")),
             ("Metalmaq", ("M6",))), 980, 3900),
        Item("Bebedouro {}", ("de coluna", "de pressão", "industrial 100 litros"), (("IBBL", ("BAG40", "GFN2000")),
             ("Esmaltec", ("EGM30",)), ("Knox", ("K100",))), 520, 2900),
        Item("Ventilador de {}", ("parede 60 cm", "coluna 50 cm", "teto três pás"), (("Ventisol", ("New", "Premium")),
             ("Arno", ("Turbo",)), ("Tron", ("Attack",))), 140, 480),
        Item("Micro-ondas {} litros", ("20", "32"), (("Panasonic", ("NN-ST25",)), ("Philco", ("PMO33",))), 420, 890),
        Item("Freezer {}", ("horizontal 300 litros", "vertical 230 litros"), (("Metalfrio", ("DA302",)),
             ("Consul", ("CHB42",))), 1900, 4400),
    )),
    Classe("medico", "1.2.3.1.1.01.03", "Aparelhos e equipamentos médicos e odontológicos", 15, 20, True, True, (
        Item("Cama hospitalar {}", ("fawler manual", "fawler elétrica"), (("Hospimetal", ("HM 2002",)),
             ("Linet", ("Eleganza",))), 2300, 14500),
        Item("Monitor multiparamétrico {}", ("12 polegadas", "15 polegadas"), (("Philips", ("Efficia CM120",)),
             ("Mindray", ("uMEC12", "ePM 12"))), 8900, 32000),
        Item("Autoclave {}", ("21 litros", "42 litros", "75 litros vertical"), (("Cristófoli", ("Vitale 21",)),
             ("Stermax", ("Digital Super",)), ("Phoenix", ("AV-75",))), 3800, 16900),
        Item("Cadeira odontológica {}", ("com equipo acoplado", "com refletor LED"), (("Gnatus", ("G3",)),
             ("Dabi Atlante", ("Croma",)), ("Kavo", ("Unik",))), 11500, 32000),
        Item("Desfibrilador externo {}", ("automático", "bifásico com monitor"), (("Instramed", ("i.on", "Cardiomax")),
             ("Zoll", ("AED Plus",))), 6900, 24500),
        Item("Esfigmomanômetro {}", ("aneroide adulto", "digital de braço", "infantil"), (("Premium", ("ESFHS50",)),
             ("Omron", ("HEM-7122",)), ("BIC", ("AP0345",))), 95, 390),
        Item("Maca {}", ("clínica fixa", "hidráulica com grades", "de transporte"), (("Renascer", ("RN-50",)),
             ("", ("",))), 620, 5200),
        Item("Balança antropométrica {}", ("adulto 200 kg", "pediátrica 15 kg"), (("Welmy", ("W200", "109E")),
             ("Balmak", ("BK-300",))), 890, 2300),
        Item("Ultrassom {}", ("portátil", "com Doppler colorido"), (("GE", ("Logiq V2",)), ("Samsung", ("HS30",))),
             48000, 165000),
    )),
    Classe("comunicacao", "1.2.3.1.1.01.02", "Aparelhos e equipamentos de comunicação", 10, 20, True, True, (
        Item("Telefone {}", ("IP de mesa", "com fio", "sem fio digital"), (("Intelbras", ("TIP 125i", "TS 2510")),
             ("Grandstream", ("GXP1610",))), 85, 690),
        Item("Rádio comunicador {}", ("portátil VHF", "móvel UHF"), (("Motorola", ("DEP450", "DGM5000")),
             ("Hytera", ("BD506",))), 980, 4300),
        Item("Roteador {}", ("Wi-Fi 6", "Wi-Fi dual band"), (("TP-Link", ("Archer AX10", "EAP245")),
             ("Ubiquiti", ("UniFi U6",))), 280, 1650),
        Item("Smartphone {} GB", ("64", "128"), (("Samsung", ("Galaxy A14", "Galaxy A54")),
             ("Motorola", ("Moto G54",))), 890, 2600),
    )),
    Classe("medicao", "1.2.3.1.1.01.01", "Aparelhos de medição e orientação", 15, 10, True, True, (
        Item("Estação total {}", ("5 segundos", "2 segundos com prisma"), (("Leica", ("FlexLine TS03",)),
             ("Topcon", ("GM-105",))), 29000, 74000),
        Item("Receptor GPS {}", ("portátil", "geodésico RTK"), (("Garmin", ("eTrex 32x",)), ("Trimble", ("R2",))),
             1900, 58000),
        Item("Trena a laser {} m", ("50", "100"), (("Bosch", ("GLM 50", "GLM 100")),), 390, 1200),
        Item("Decibelímetro {}", ("digital", "com registrador"), (("Instrutherm", ("DEC-460",)),), 450, 3100),
    )),
    Classe("escritorio", "1.2.3.1.1.03.02", "Máquinas e utensílios de escritório", 10, 10, True, True, (
        Item("Fragmentadora de papel {} folhas", ("10", "15", "20"), (("Aurora", ("AS1015",)),
             ("Menno", ("Secreta 1501",))), 390, 2300),
        Item("Relógio de ponto {}", ("biométrico", "com cartão de proximidade"), (("Henry", ("Prisma",)),
             ("Control iD", ("iDClass",))), 1400, 3200),
        Item("Calculadora de mesa {}", ("12 dígitos", "14 dígitos com bobina"), (("Sharp", ("EL-1801V",)),
             ("Elgin", ("MR-6125",))), 95, 620),
        Item("Encadernadora {}", ("perfuradora espiral", "wire-o"), (("Menno", ("PPI",)), ("Excentrix", ("2x1",))),
             420, 1900),
    )),
    Classe("audiovisual", "1.2.3.1.1.04.05", "Equipamentos para áudio, vídeo e foto", 10, 10, True, True, (
        Item("Projetor multimídia {}", ("3.300 lumens", "4.000 lumens", "interativo curta distância"),
             (("Epson", ("PowerLite X49", "E20")), ("BenQ", ("MS560",))), 1900, 7900),
        Item("Televisor LED {}", ("32 polegadas", "43 polegadas", "55 polegadas 4K"), (("Samsung", ("Crystal",)),
             ("LG", ("UR7800",)), ("Philco", ("PTV43",))), 980, 3900),
        Item("Caixa de som amplificada {} W", ("200", "400", "600"), (("JBL", ("Max 15",)), ("Frahm", ("CM 400",))),
             480, 2100),
        Item("Câmera {}", ("fotográfica digital", "de videomonitoramento IP", "filmadora Full HD"),
             (("Canon", ("EOS T7",)), ("Intelbras", ("VIP 3230",)), ("Sony", ("HDR-CX405",))), 320, 5900),
        Item("Microfone sem fio {}", ("de mão", "duplo"), (("Shure", ("BLX24",)), ("Kadosh", ("K-502M",))), 290, 2800),
    )),
    Classe("veiculo", "1.2.3.1.1.05.03", "Veículos de tração mecânica", 15, 10, True, True, (
        Item("Automóvel {}", ("hatch 1.0 flex", "sedan 1.6 flex", "utilitário 1.4 flex"), (("Fiat", ("Mobi", "Cronos")),
             ("Chevrolet", ("Onix", "Spin")), ("Volkswagen", ("Gol", "Polo"))), 38000, 98000),
        Item("Caminhonete {}", ("cabine dupla 4x4 diesel", "cabine simples flex"), (("Toyota", ("Hilux",)),
             ("Fiat", ("Strada", "Toro")), ("Mitsubishi", ("L200",))), 72000, 245000),
        Item("Ônibus escolar {} lugares", ("29", "44", "59"), (("Volkswagen", ("15.190 ORE3",)),
             ("Iveco", ("10-190 ORE2",))), 210000, 480000),
        Item("Ambulância {}", ("simples remoção", "suporte avançado UTI"), (("Renault", ("Master",)),
             ("Mercedes-Benz", ("Sprinter",))), 128000, 340000),
        Item("Caminhão {}", ("basculante 6 m³", "compactador de lixo 15 m³", "pipa 10.000 litros"),
             (("Volkswagen", ("Constellation 17.190",)), ("Ford", ("Cargo 1719",))), 245000, 520000),
        Item("Motocicleta {} cc", ("150", "300"), (("Honda", ("NXR 160 Bros", "XRE 300")),
             ("Yamaha", ("Crosser",))), 13500, 31000),
    )),
    Classe("industrial", "1.2.3.1.1.01.06", "Máquinas e equipamentos industriais", 20, 10, True, True, (
        Item("Betoneira {} litros", ("150", "400"), (("CSM", ("CS 400",)), ("Menegotti", ("Prime",))), 2300, 6900),
        Item("Compressor de ar {}", ("10 pés", "20 pés"), (("Schulz", ("Pratic Air",)), ("Chiaperini", ("Red",))),
             1650, 7200),
        Item("Motoniveladora {}", ("140 hp", "180 hp"), (("Caterpillar", ("120K",)), ("Case",
             ("845B",))), 580000, 980000),
        Item("Retroescavadeira {}", ("4x2", "4x4"), (("JCB", ("3CX",)), ("Case", ("580N",))), 245000, 460000),
    )),
    Classe("ferramenta", "1.2.3.1.1.01.09", "Máquinas, ferramentas e utensílios de oficina", 10, 10, True, True, (
        Item("Furadeira {}", ("de impacto 750 W", "parafusadeira a bateria 12 V"), (("Bosch", ("GSB 13 RE",)),
             ("Makita", ("HP1640", "DF333"))), 260, 1100),
        Item("Esmerilhadeira angular {}", ("4 1/2 polegadas", "7 polegadas"), (("Makita", ("9557HN",)),
             ("DeWalt", ("DWE4020",))), 280, 1050),
        Item("Lavadora de alta pressão {}", ("1.800 libras", "2.500 libras"), (("Kärcher", ("K3",
             "HD 585")),), 480, 4200),
        Item("Macaco hidráulico {}", ("jacaré 2 toneladas", "garrafa 20 toneladas"), (("Bovenau", ("J2000",)),),
             240, 1900),
        Item("Escada {}", ("de alumínio sete degraus", "extensível de fibra 7 m"), _NO_BRAND, 190, 1700),
    )),
    Classe("agricola", "1.2.3.1.1.01.20", "Máquinas e utensílios agropecuários", 10, 10, True, True, (
        Item("Roçadeira {}", ("costal a gasolina", "articulada para trator"), (("Stihl", ("FS 220", "FS 55")),
             ("Husqvarna", ("236R",))), 980, 16500),
        Item("Trator agrícola {} cv", ("75", "105"), (("Massey Ferguson", ("MF 4275",)), ("Valtra", ("A950",))),
             125000, 310000),
        Item("Motosserra {}", ("35 cc", "60 cc"), (("Stihl", ("MS 170", "MS 361")),), 890, 3600),
        Item("Pulverizador {}", ("costal 20 litros", "tratorizado 600 litros"), (("Jacto", ("PJH",
             "Condor")),), 290, 18500),
    )),
    Classe("livro", "1.2.3.1.1.04.02", "Coleções e materiais bibliográficos", 10, 0, True, False, (
        Item("Coleção de livros {}", ("de literatura brasileira", "de literatura infantil", "de história do Brasil",
             "didáticos de matemática", "didáticos de ciências"), (("Moderna", ("",)), ("Ática", ("",)),
              ("FTD", ("",))), 120, 1800),
        Item("Enciclopédia {}", ("ilustrada dez volumes", "universal vinte volumes"), (("Larousse", ("",)),
             ("Barsa", ("",))), 450, 2900),
        Item("Dicionário {}", ("da língua portuguesa", "de inglês", "de Libras ilustrado"), (("Houaiss", ("",)),
             ("Michaelis", ("",))), 60, 320),
        Item("Código comentado {}", ("de licitações e contratos", "tributário nacional", "de processo civil"),
             (("Forense", ("",)), ("Saraiva", ("",))), 120, 480),
    )),
    Classe("musical", "1.2.3.1.1.04.04", "Instrumentos musicais e artísticos", 20, 10, True, True, (
        Item("Violão {}", ("acústico de nylon", "elétrico de aço"), (("Giannini", ("N-14",)), ("Yamaha", ("C40",))),
             320, 1500),
        Item("Teclado {} teclas", ("61", "88"), (("Yamaha", ("PSR-E373",)), ("Casio", ("CT-S200",))), 1100, 4900),
        Item("Trompete {}", ("em si bemol laqueado", "em si bemol prateado"), (("Weril", ("Regium",)),
             ("Eagle", ("TR504",))), 1200, 5200),
        Item("Caixa clara {} polegadas", ("13", "14"), (("Gope", ("",)), ("Nagano", ("Concert",))), 260, 1200),
    )),
    Classe("armamento", "1.2.3.1.1.09.00", "Armamentos", 20, 15, True, True, (
        Item("Pistola {}", ("calibre .380", "calibre .40"), (("Taurus", ("PT 938", "TH40")),), 2600, 5400),
        Item("Espingarda calibre {}", ("12 pump",), (("CBC", ("Pump Military",)),), 2400, 4800),
        Item("Colete balístico {}", ("nível II-A", "nível III-A"), (("Inbra", ("",)), ("CBC", ("",))), 1200, 3100),
    )),
    Classe("arte", "1.2.3.1.1.04.06", "Obras de arte e peças para exposição", 100, 0, False, False, (
        Item("Quadro a óleo sobre tela, {}", ("paisagem rural", "retrato de ex-prefeito", "fundação da cidade"),
             _NO_BRAND, 900, 48000),
        Item("Escultura em {}", ("bronze", "madeira entalhada", "pedra-sabão"), _NO_BRAND, 1500, 92000),
    )),
)  # fmt: skip

_ORDINARY = {"informatica": 26, "mobiliario": 34, "domestico": 10, "escritorio": 4, "comunicacao": 6, "audiovisual": 4}
_SCHOOL = {"mobiliario": 48, "informatica": 16, "livro": 12, "domestico": 10, "audiovisual": 6, "musical": 2}
_HEALTH = {"medico": 38, "mobiliario": 24, "informatica": 16, "domestico": 10, "comunicacao": 3, "audiovisual": 1}
_WORKS = {"ferramenta": 26, "industrial": 10, "veiculo": 12, "mobiliario": 14, "informatica": 10, "medicao": 6}
_RURAL = {"agricola": 28, "mobiliario": 20, "informatica": 14, "veiculo": 6, "medicao": 5, "ferramenta": 12}
_ROOMS = ("Recepção", "Gabinete", "Sala de reuniões", "Sala administrativa", "Almoxarifado", "Arquivo", "Copa")
_SCHOOLS = tuple(f"EMEF {nome}" for nome in (
    "Monteiro Lobato", "Cecília Meireles", "Machado de Assis", "Anísio Teixeira", "Paulo Freire", "Tiradentes",
    "Castro Alves", "Cora Coralina", "Rui Barbosa", "Santos Dumont", "Rachel de Queiroz", "Dom Pedro II",
    "Mário Quintana", "Zilda Arns"))  # fmt: skip
_NURSERIES = tuple(f"CMEI {nome}" for nome in (
    "Pequeno Príncipe", "Arco-Íris", "Girassol", "Pingo de Gente", "Sementinha", "Mundo Encantado", "Estrela Guia",
    "Beija-Flor"))  # fmt: skip
_UBS = tuple(f"UBS {nome}" for nome in (
    "Centro", "Jardim Primavera", "Vila Nova", "Boa Vista", "São José", "Santa Luzia", "Alto da Serra",
    "Parque das Águas", "Nossa Senhora Aparecida", "Zona Rural"))  # fmt: skip

SETORES = (
    Setor("GABPREF", "Gabinete do Prefeito", None, 2, _ROOMS, {**_ORDINARY, "arte": 2}),
    Setor("PGM", "Procuradoria-Geral do Município", "GABPREF", 2, _ROOMS, {**_ORDINARY, "livro": 10}),
    Setor("CGM", "Controladoria-Geral do Município", "GABPREF", 1, _ROOMS, _ORDINARY),
    Setor("SEMAD", "Secretaria Municipal de Administração", None, 4, _ROOMS, _ORDINARY),
    Setor("SEMAD-TI", "Departamento de Tecnologia da Informação", "SEMAD", 4,
          ("Sala de servidores", "Laboratório", "Suporte", "Almoxarifado"), {"informatica": 70, "comunicacao": 14,
          "mobiliario": 12}),
    Setor("SEMAD-PAT", "Divisão de Patrimônio e Almoxarifado", "SEMAD", 3, ("Depósito central",
         "Depósito de inservíveis",
          "Sala administrativa"), _ORDINARY),
    Setor("SEMFAZ", "Secretaria Municipal da Fazenda", None, 4, (*_ROOMS, "Atendimento ao contribuinte", "Tesouraria"),
          _ORDINARY),
    Setor("SEMED", "Secretaria Municipal de Educação", None, 6, (*_ROOMS, "Biblioteca pública"), {**_SCHOOL,
         "veiculo": 3}),
    Setor("SEMED-EF", "Coordenação do Ensino Fundamental", "SEMED", 24, _SCHOOLS, _SCHOOL),
    Setor("SEMED-EI", "Coordenação da Educação Infantil", "SEMED", 11, _NURSERIES, _SCHOOL),
    Setor("SEMUS", "Secretaria Municipal de Saúde", None, 4, (*_ROOMS, "Farmácia central"), {**_HEALTH, "veiculo": 4}),
    Setor("SEMUS-AB", "Coordenação da Atenção Básica", "SEMUS", 11, _UBS, _HEALTH),
    Setor("SEMUS-UPA", "Unidade de Pronto Atendimento 24 h", "SEMUS", 6, ("Recepção", "Triagem", "Sala vermelha",
          "Observação", "Raio X", "Farmácia", "Almoxarifado"), _HEALTH),
    Setor("SEMOB", "Secretaria Municipal de Obras e Infraestrutura", None, 5, (*_ROOMS, "Garagem", "Oficina",
          "Usina de asfalto"), _WORKS),
    Setor("SEMOB-TR", "Departamento de Trânsito e Transporte", "SEMOB", 2, ("Sede", "Pátio",
         "Terminal rodoviário"), _WORKS),
    Setor("SEMAS", "Secretaria Municipal de Assistência Social", None, 4, (*_ROOMS, "CRAS Norte", "CRAS Sul", "CREAS",
          "Casa de acolhimento"), {**_ORDINARY, "domestico": 22}),
    Setor("SEMAM", "Secretaria Municipal de Meio Ambiente e Agricultura", None, 2, (*_ROOMS, "Viveiro municipal",
         "Patrulha "
          "agrícola"), _RURAL),
    Setor("SEMCULT", "Secretaria Municipal de Cultura e Turismo", None, 2, ("Teatro municipal", "Museu da cidade",
          "Casa da cultura", "Sala administrativa"), {**_ORDINARY, "musical": 16, "arte": 6, "livro": 8,
          "audiovisual": 14}),
    Setor("SEMEL", "Secretaria Municipal de Esporte e Lazer", None, 2, ("Ginásio municipal", "Estádio",
         "Piscina pública",
          "Sala administrativa"), _ORDINARY),
    Setor("GCM", "Guarda Civil Municipal", "GABPREF", 1, ("Base central", "Base norte", "Central de monitoramento",
          "Reserva de armas"), {**_ORDINARY, "comunicacao": 20, "armamento": 14, "veiculo": 8}),
)  # fmt: skip

FIRST_NAMES = (
    "Adriana", "Alessandro", "Aline", "Amanda", "Ana Paula", "André", "Antônio", "Beatriz", "Benedito", "Bruno",
    "Camila", "Carlos", "Cláudia", "Cristiane", "Daniel", "Débora", "Diego", "Edson", "Eduardo", "Elaine", "Fabiana",
    "Fábio", "Fernanda", "Flávio", "Francisco", "Gabriela", "Geraldo", "Gustavo", "Helena", "Inês", "Isabel",
    "Jaqueline",
    "João", "Jorge", "José", "Juliana", "Júlio", "Larissa", "Leandro", "Letícia", "Lúcia", "Luís", "Marcelo", "Márcia",
    "Maria", "Mônica", "Natália", "Nelson", "Patrícia", "Paulo", "Rafael", "Raimunda", "Regina", "Ricardo", "Roberto",
    "Rosângela", "Sandra", "Sérgio", "Simone", "Sônia", "Tatiane", "Thiago", "Valéria", "Vera", "Vinícius", "Wagner",
)  # fmt: skip
LAST_NAMES = (
    "Albuquerque", "Almeida", "Alves", "Andrade", "Araújo", "Azevedo", "Barbosa", "Barros", "Batista", "Borges",
    "Brandão", "Campos", "Cardoso", "Carvalho", "Castro", "Cavalcanti", "Conceição", "Correia", "Costa", "Cunha",
    "Dias",
    "Duarte", "Farias", "Fernandes", "Ferreira", "Fonseca", "Freitas", "Gomes", "Gonçalves", "Guimarães", "Lima",
    "Lopes",
    "Machado", "Magalhães", "Marques", "Martins", "Medeiros", "Melo", "Mendes", "Monteiro", "Moraes", "Moreira",
    "Moura",
    "Nascimento", "Nogueira", "Nunes", "Oliveira", "Pacheco", "Pereira", "Pinto", "Queiroz", "Ramos", "Reis", "Ribeiro",
    "Rocha", "Rodrigues", "Santana", "Santos", "Silva", "Siqueira", "Soares", "Souza", "Tavares", "Teixeira",
    "Vasconcelos",
    "Vieira",
)  # fmt: skip
JOB_TITLES = (
    "Agente administrativo", "Assistente administrativo", "Auxiliar administrativo", "Chefe de divisão",
    "Coordenador", "Diretor de departamento", "Diretor escolar", "Enfermeiro", "Engenheiro civil", "Motorista",
    "Professor", "Secretário escolar", "Técnico de enfermagem", "Técnico de informática", "Almoxarife", "Zelador",
)  # fmt: skip
