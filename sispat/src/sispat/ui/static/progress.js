// How far a job is, while its page is open: asks the API, often at first and then every second and a half, and loads the page
// again when the job has ended. Without it the page loads itself again every few seconds. Asks less often while the service does not answer.

const box = document.querySelector("[data-tarefa]");
const FIRST = 400; // ms; most jobs are short
const EVERY = 1500; // ms
const LONGEST = 15000; // ms between two questions that nobody answers

const number = new Intl.NumberFormat(document.documentElement.lang);

function show(job) {
  box.querySelector("[data-etapa]").textContent = job.etapa;
  const bar = box.querySelector("[data-barra]");
  const much = box.querySelector("[data-quanto]");
  if (job.total) {
    bar.max = job.total;
    bar.value = job.feito;
    much.textContent = box.dataset.de.replace("{done}", number.format(job.feito)).replace("{total}", number.format(job.total));
  } else {
    bar.removeAttribute("value"); // nobody knows how much there is
    much.textContent = "";
  }
}

async function ask(state, wait) {
  try {
    const answer = await fetch(box.dataset.tarefa, { headers: { Accept: "application/json" } });
    if (answer.status === 401 || answer.status === 404) return location.reload(); // signed out, or the job is gone
    if (!answer.ok) throw new Error(answer.status);
    const job = await answer.json();
    if (job.terminada_em || job.estado !== state) return location.reload();
    show(job);
    wait = Math.min(wait * 1.5, EVERY);
  } catch {
    wait = Math.min(wait * 2, LONGEST);
  }
  setTimeout(ask, wait, state, wait);
}

if (box) setTimeout(ask, FIRST, box.dataset.estado, FIRST);
