// Once a page has been offline, Gradio drops its States an hour after they were last set.
(everyMs) => () => {
  const tell = () => document.querySelector("#still-here")?.click();
  setInterval(tell, everyMs);
  document.addEventListener("visibilitychange", () => document.hidden || tell());
}
