// Keeps the listening test in the browser; where it cannot, the teacher's address is shown.
(place, kept, notKept) => (opened) => {
  const note = (words) => `<p class="ra-note">${words}</p>`;
  try {
    if (opened) localStorage.setItem(place, JSON.stringify(opened));
    else localStorage.removeItem(place);
    return opened ? note(kept) : "";
  } catch {
    if (!opened) return "";
    const [token, key] = [opened.token, opened.key].map(encodeURIComponent);
    const address = new URL(`listen/${token}/teacher#${key}`, document.baseURI).href;
    return note(`${notKept} <code class="ra-address">${address}</code>`);
  }
}
