// A slider reads an emptied number as 0, which its range may not even hold: the last one comes back.
() => () => {
  let last = "";
  const number = (event) => event.target.matches?.("input[type=number][data-testid=number-input]");
  document.addEventListener("focusin", (event) => {
    if (number(event)) last = event.target.value;
  });
  document.addEventListener("blur", (event) => {
    if (!number(event) || event.target.value !== "") return;
    event.target.value = last;
    event.target.dispatchEvent(new Event("input", { bubbles: true }));
  }, true);
}
