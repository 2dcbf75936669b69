// The listening test that this browser keeps; its storage may refuse any use.
(place) => () => {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch {
    return null;
  }
}
