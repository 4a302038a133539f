// The page that counts: an outcome puts a reading into the queue of this phone (count_queue.js) instead of sending the form, and
// the page is ready for the next one. The page itself is kept for when there is no network (count_worker.js). Where the browser
// has no IndexedDB, the form is sent as any other.

const root = document.getElementById("contar");
const form = root.querySelector("form");
const field = (name) => form.elements[name];
const text = (name, values = {}) =>
  Object.entries(values).reduce((found, [key, value]) => found.replace(`{${key}}`, value), root.dataset[name]);

const { Queue } = await import(root.dataset.fila);
const { decode, detects, scan } = await import(root.dataset.camera);

const box = document.getElementById("fila");
const say = (sentence) => {
  box.hidden = false;
  box.querySelector("[data-dito]").textContent = sentence;
};
// Without HTTPS there is no randomUUID.
const newId = () => crypto.randomUUID?.() ?? "10000000-1000-4000-8000-100000000000".replace(/[018]/g,
  (c) => (Number(c) ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (Number(c) / 4)))).toString(16));
const called = (row) => row.leitura.codigo || row.leitura.descricao;

const queue = new Queue({
  person: root.dataset.pessoa,
  token: () => field("_csrf").value,
  renew,
  tell(event, row, answer) {
    if (event === "guardada") say(text(navigator.onLine ? "guardada" : "desligado", { what: called(row) }));
    if (event === "recebida") say(text("recebida", { what: `${called(row)} ${answer.descricao}`.trim() }));
    if (event === "recusada") say(text("recusada", { what: called(row), why: answer.motivo }));
    if (event === "entrar") say(text("entrar"));
    show();
  },
});

// A session that was renewed has another token; signed in as somebody else, the page is another one.
async function renew() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("contar");
  if (fresh?.dataset.pessoa !== root.dataset.pessoa) return false;
  field("_csrf").value = fresh.querySelector("[name=_csrf]").value;
  return true;
}

async function show() {
  const { own, others } = await queue.rows();
  const waiting = own.filter((row) => !row.recusa).length;
  const state = [waiting ? text("esperando", { n: waiting }) : text("vazia")];
  if (others.length) state.push(text("outra", { n: others.length }));
  box.hidden = false;
  box.querySelector("[data-fila-estado]").textContent = state.join(" ");
  const refused = own.filter((row) => row.recusa);
  const list = box.querySelector(".recusadas");
  list.hidden = !refused.length;
  list.replaceChildren(...refused.map((row) => Object.assign(document.createElement("li"), {
    textContent: text("recusada", { what: called(row), why: row.recusa }),
  })));
}

form.addEventListener("submit", async (event) => {
  if (event.submitter?.name !== "resultado") return; // such as the search of a place
  event.preventDefault();
  const photo = field("arquivo").files[0];
  const values = Object.fromEntries(["codigo", "local_id", "descricao", "nota"].map((name) => [name, field(name).value.trim()]));
  const result = event.submitter.value;
  if (!values.codigo && photo && result !== "sem_tombo") {
    values.codigo = await decode(photo, root.dataset.codigo, field("_csrf").value).catch(() => "");
    if (!values.codigo) return say(text("semCodigo"));
  }
  if (!values.codigo && !values.descricao) return say(text("falta"));
  const condition = form.querySelector("[name=conservacao]:checked")?.value || null;
  const reading = {
    ...values, id: newId(), resultado: result, local_id: values.local_id || null, conservacao: condition,
    lida_em: new Date().toISOString(),
  };
  await queue.add(root.dataset.api, reading, photo);
  for (const name of ["codigo", "descricao", "nota", "arquivo"]) field(name).value = "";
  for (const each of form.querySelectorAll("[name=conservacao]")) each.checked = false;
  field("codigo").focus();
});

if (detects()) {
  const opener = document.getElementById("camera");
  opener.hidden = false;
  opener.querySelector("button").addEventListener("click", () =>
    scan(document.getElementById("visor"), (code) => (field("codigo").value = code)).catch(() => say(text("cameraNegada"))));
}

if ("serviceWorker" in navigator) {
  const files = [...document.querySelectorAll("link[rel~=stylesheet], link[rel=icon]")].map((each) => each.href);
  const scripts = [...document.querySelectorAll("script[src]")].map((each) => each.src);
  const cache = await caches.open("sispat-contagem");
  await navigator.serviceWorker.register(root.dataset.oficina, { scope: "/inventarios/" });
  // The page as it is for whoever is signed in now; what is below /static never changes at its address.
  await cache.addAll([...files, ...scripts, root.dataset.fila, root.dataset.camera]).catch(() => undefined);
  if (navigator.onLine) await cache.add(new Request(location.pathname)).catch(() => undefined);
}
show();
queue.send();
root.dataset.pronto = "";
