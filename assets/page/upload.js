// The box takes any sound, and a file that is not taken is answered with a sentence.
// The listeners stand on the document: they are asked before Gradio's own on the box.
(mostBytes, accept) => () => {
  const INPUT = "#upload input[type=file]";
  const passed = new WeakSet(); // events of our own
  let box = null; // in which a file was chosen last

  const sound = (file) => file.type.startsWith("audio/")
    ? file : new File([file], file.name, { type: "audio/x-any" });
  const bagOf = (list) => {
    const bag = new DataTransfer();
    for (const file of list) bag.items.add(sound(file));
    return bag;
  };
  const report = (...words) => {
    const field = document.querySelector("#too-large textarea, #too-large input");
    if (!field) return false;
    field.value = JSON.stringify([...words, Date.now()]); // always another
    field.dispatchEvent(new Event("input", { bubbles: true }));
    return true;
  };
  const tooLarge = (list) => {
    const file = [...list].find((file) => file.size > mostBytes);
    if (file) report(file.name, file.size);
    return Boolean(file);
  };
  document.addEventListener("click", ({ target }) => {
    if (target.matches?.(INPUT)) target.accept = accept;
  }, true);
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.(INPUT) || !input.files.length) return;
    if (tooLarge(input.files)) event.stopImmediatePropagation();
    else input.files = bagOf(input.files).files;
  }, true);
  document.addEventListener("drop", (event) => {
    const into = event.target.closest?.("#upload");
    if (!into || passed.has(event) || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const list = event.dataTransfer.files;
    const dataTransfer = bagOf(tooLarge(list) ? [] : list);
    const again = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer });
    passed.add(again);
    event.target.dispatchEvent(again);
  }, true);

  // a server that takes no file says why; Gradio's boxes say "Error"
  const chosen = ({ target }) => {
    box = target.closest?.(".block") ?? box;
    box?.querySelector(".ra-not-taken")?.remove();
  };
  for (const event of ["change", "drop", "click"]) document.addEventListener(event, chosen, true);
  const say = (sentence) => {
    if ((!box || box.closest("#upload")) && report(sentence)) return;
    const note = document.createElement("p");
    note.className = "ra-note ra-not-taken";
    note.role = "alert";
    note.textContent = sentence;
    box?.append(note);
  };
  const { fetch } = window;
  window.fetch = async (...asked) => {
    const answer = await fetch.apply(window, asked);
    const { pathname } = new URL(asked[0]?.url ?? asked[0], document.baseURI);
    if (!answer.ok && pathname.endsWith("/gradio_api/upload")) say(await answer.clone().text());
    return answer;
  };
}
