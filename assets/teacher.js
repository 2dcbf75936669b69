// The teacher's page: link and QR code, what the class has answered so far, export, the end.
// The key stands in the address after #, which browsers do not send, and travels in a header.
(() => {
  if (!window.HTMLDialogElement || !Element.prototype.replaceChildren) return; // a line says so
  document.getElementById("old-browser").hidden = true;
  const EVERY_S = 3;
  const base = location.pathname.replace(/\/teacher\/?$/, "");
  const link = location.origin + base;
  const $ = (id) => document.getElementById(id);
  const headers = { "X-Teacher": location.hash.slice(1), "Content-Type": "application/json" };
  const LOOPBACK = /^(localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])$/;
  const GONE = [403, 404, 410]; // there is nothing to come back to
  const WHEN = { dateStyle: "long", timeStyle: "short" }; // of the teacher's clock
  let shown = ""; // the results that are drawn, as text: they are drawn anew only when they change
  let away = false; // what the notice says is that the server was not reached
  let over = false; // nothing is asked any more
  let timer = 0;

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

  const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);
  const notice = (text) => ($("notice").textContent = sentence(text));

  function card(result) {
    const made = element("div", "");
    made.className = "card";
    made.append(element("h2", result.name), element("p", result.sentence));
    if (result.picture) made.insertAdjacentHTML("beforeend", result.picture);
    return made;
  }

  function render(state) {
    $("open").hidden = false;
    $("title").textContent = state.title;
    const until = new Date(state.expires).toLocaleString("en-GB", WHEN);
    const ends = state.demo
      ? `A demonstration: in memory only, until ${until}`
      : `Answers are deleted on ${until}`;
    $("expires").textContent = state.closed ? sentence(state.closed) : ends;
    $("begun").textContent = state.begun;
    $("finished").textContent = state.finished;
    $("given").textContent = state.answers;
    $("remarks").textContent = state.remarks.join(" ");
    $("csv").hidden = $("json").hidden = state.demo;
    const results = JSON.stringify(state.results);
    if (results === shown) return;
    shown = results;
    $("results").replaceChildren(...state.results.map(card));
    $("legend").textContent = state.legend;
  }

  async function poll() {
    const found = await ask("pooled").then((response) => response.json()).catch((error) => error);
    if (over) return; // closed while this was on its way
    const failed = found instanceof Error;
    if (failed && GONE.includes(found.status)) return end(found.message);
    if (failed) notice(found.status ? found.message : "The server does not answer.");
    else {
      if (away) notice("");
      render(found);
    }
    away = failed;
    timer = setTimeout(poll, 1000 * EVERY_S);
  }

  function end(words) {
    over = true;
    clearTimeout(timer);
    $("open").hidden = true;
    $("expires").textContent = "";
    notice(words);
  }

  async function save(path, name) {
    const url = URL.createObjectURL(await (await ask(path)).blob());
    const title = $("title").textContent.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "");
    const anchor = Object.assign(document.createElement("a"), {
      href: url, download: `${title}-${name}`,
    });
    anchor.click();
    URL.revokeObjectURL(url);
  }

  const trying = (action) => async () => {
    notice("");
    try {
      await action();
    } catch (error) {
      notice(error.message);
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
      notice("The link is selected: copy it with Ctrl+C, or ⌘C.");
    }
  });
  $("csv").onclick = trying(() => save("export/csv", "rows.csv"));
  $("json").onclick = trying(() => save("export/json", "rows.json"));
  $("study").onclick = trying(() => save("export/study", "study.json"));
  $("hour").onclick = trying(async () => render(await (await ask("expire", { hours: 1 })).json()));
  $("week").onclick = trying(async () => render(await (await ask("expire", { hours: 168 })).json()));
  $("close").onclick = () => {
    $("sure").returnValue = "";
    $("sure").showModal(); // confirm() is refused inside another site's frame, as on a Space
  };
  $("sure").onclose = trying(async () => {
    if (!$("sure").returnValue) return;
    await ask("close", {});
    end("The study is closed, and its answers are deleted.");
  });
  poll();
})();
