// How far a count is, while its page is open: the service says when something changed (server-sent events). Without it, or when
// too many people look, the page shows what it showed when it was loaded.

const box = document.querySelector("[data-eventos]");
const number = new Intl.NumberFormat(document.documentElement.lang);

function show(counts) {
  let total = 0;
  for (const each of box.querySelectorAll("[data-estado]")) {
    const state = each.dataset.estado;
    const found = counts[state] ?? 0;
    each.textContent = number.format(found);
    if (state !== "sem_decisao") total += found;
  }
  const bar = box.querySelector("progress");
  bar.max = total || 1;
  bar.value = total - (counts.nao_verificado ?? 0);
}

if (box) {
  const stream = new EventSource(box.dataset.eventos);
  stream.addEventListener("progresso", (event) => show(JSON.parse(event.data)));
  addEventListener("pagehide", () => stream.close());
}
