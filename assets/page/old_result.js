// The note beside a result: empty where `held`, the values that the result was asked with, are the
// values of now. A field counts `when` the first one that has no `when` but decides, the chooser,
// is among the names given.
(fields, dimmed, again) => (held, ...values) => {
  if (!held) return "";
  const plain = (value) => JSON.stringify(value?.path ?? value ?? null);
  const number = (value) => String(value).replace("-", "\u2212");
  const escaped = (text) => {
    const p = document.createElement("p");
    p.textContent = text;
    return p.innerHTML;
  };
  const chosen = (from, field) => !field.when || field.when.includes(from[field.by]);
  const shown = (field, value) => field.names[plain(value)] ?? (value === true ? "on" :
    value === false ? "off" : value === null ? "none" : number(value));
  const changed = fields.filter((field, at) =>
    (chosen(held, field) || chosen(values, field)) && plain(held[at]) !== plain(values[at]));
  if (!changed.length) return "";
  const was = fields.filter((field) => changed.includes(field) && chosen(held, field))
    .map((field) => `${field.label} ${shown(field, held[fields.indexOf(field)])}`);
  const style = `${dimmed.map((id) => `#${id}`).join(",")} { opacity: 0.4; }`;
  return `<p class="ra-old" role="status">Old result, for ${escaped(was.join(", "))}. `
    + `Press ${again} again.</p><style>${style}</style>`;
}
