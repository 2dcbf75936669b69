// The teacher's page: link and QR code, what the class has answered so far, export, the end.
// The key stands in the address after #, which browsers do not send, and travels in a header.
(() => {
  const EVERY_S = 3;
  const base = location.pathname.replace(/\/teacher\/?$/, "");
  const link = location.origin + base;
  const $ = (id) => document.getElementById(id);
  const headers = { "X-Teacher": location.hash.slice(1), "Content-Type": "application/json" };
  const LOOPBACK = /^(localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])$/;
  let shown = ""; // the results that are drawn, as text: they are drawn anew only when they change
  let away = false; // what the notice says is that the server was not reached

  async function ask(path, told) {
    const options = told ? { method: "POST", body: JSON.stringify(told) } : {};
    const response = await fetch(`${base}/${path}`, { ...options, headers });
    if (!response.ok) {
      const { error } = await response.json();
      throw Object.assign(new Error(error), { status: response.status });
    }
    return response;
  }

  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function card(result) {
    const made = element("div", "");
    made.className = "card";
    made.append(element("h2", result.name), element("p", result.sentence));
    if (result.curve) made.insertAdjacentHTML("beforeend", result.curve);
    return made;
  }

  function render(state) {
    $("open").hidden = false;
    $("title").textContent = state.title;
    $("expires").textContent = state.demo
      ? `A demonstration: in memory only, until ${new Date(state.expires).toLocaleString()}`
      : `Deleted at ${new Date(state.expires).toLocaleString()}`;
    $("begun").textContent = state.begun;
    $("finished").textContent = state.finished;
    $("given").textContent = state.answers;
    $("remarks").textContent = state.remarks.join(" ");
    $("csv").hidden = $("json").hidden = state.demo;
    const results = JSON.stringify(state.results);
    if (results === shown) return;
    shown = results;
    $("results").replaceChildren(...state.results.map(card));
  }

  async function poll() {
    try {
      render(await (await ask("pooled")).json());
      if (away) $("notice").textContent = "";
      away = false;
    } catch (error) {
      away = true;
      $("notice").textContent = error.status ? error.message : "The server does not answer.";
      if ([403, 404, 410].includes(error.status)) {
        $("open").hidden = true;
        return; // there is nothing to come back to
      }
    }
    setTimeout(poll, 1000 * EVERY_S);
  }

  async function save(path, name) {
    const url = URL.createObjectURL(await (await ask(path)).blob());
    const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
    anchor.click();
    URL.revokeObjectURL(url);
  }

  const trying = (action) => async () => {
    $("notice").textContent = "";
    try {
      await action();
    } catch (error) {
      $("notice").textContent = error.message;
    }
  };

  $("loopback").hidden = !LOOPBACK.test(location.hostname);
  $("link").textContent = link;
  $("link").href = link;
  $("qr").src = `${base}/qr.svg?link=${encodeURIComponent(link)}`;
  $("copy").onclick = trying(async () => {
    try {
      await navigator.clipboard.writeText(link);
      $("copy").textContent = "Copied";
    } catch { // browsers have no clipboard for pages over plain http
      getSelection().selectAllChildren($("link"));
      $("notice").textContent = "The link is selected: copy it with Ctrl+C, or ⌘C.";
    }
  });
  $("csv").onclick = trying(() => save("export/csv", "rows.csv"));
  $("json").onclick = trying(() => save("export/json", "rows.json"));
  $("study").onclick = trying(() => save("export/study", "study.json"));
  $("hour").onclick = trying(async () => render(await (await ask("expire", { hours: 1 })).json()));
  $("week").onclick = trying(async () => render(await (await ask("expire", { hours: 168 })).json()));
  $("close").onclick = trying(async () => {
    if (!confirm("Delete every answer of this study now?")) return;
    await ask("close", {});
    $("open").hidden = true;
    $("notice").textContent = "The study is closed and its answers are deleted.";
  });
  poll();
})();
