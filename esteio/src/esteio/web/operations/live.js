// Renews the page whenever the server says that there is something newer. Without this script the page renews itself whole.
const stream = new EventSource(document.body.dataset.stream);
let busy = false;

async function renew() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    const old = document.querySelector("main");
    if (!fresh) return;
    // What is the same stays: a screen reader says the verdict again only when it is another one.
    const verdicts = [old, fresh].map((main) => main.querySelector(".verdict"));
    if (verdicts[0].outerHTML !== verdicts[1].outerHTML) verdicts[0].replaceWith(verdicts[1].cloneNode(true));
    old.querySelector(".age").textContent = fresh.querySelector(".age").textContent;
    const [before, after] = [old, fresh].map((main) => [...main.querySelectorAll("section")]);
    before.forEach((section, at) => {
      if (section.contains(document.activeElement)) return; // whoever reads a table with the keyboard keeps it
      if (after[at] && section.innerHTML !== after[at].innerHTML) section.replaceWith(after[at]);
    });
  } catch {
    // The server is away: the stream comes back by itself, and with it the next renewal.
  } finally {
    busy = false;
  }
}

stream.addEventListener("look", renew);
document.addEventListener("visibilitychange", renew);
