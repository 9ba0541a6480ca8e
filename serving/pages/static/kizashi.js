// Small comforts; every page works without this file.
"use strict";

// Arrow keys, Home and End go through the rows of a list while one of them has the focus.
document.addEventListener("keydown", (event) => {
  const row = event.target.closest && event.target.closest("[data-rows] [data-row]");
  if (!row || event.target !== row.querySelector("[data-open]") || event.altKey || event.ctrlKey || event.metaKey) return;
  const rows = [...row.closest("[data-rows]").querySelectorAll("[data-row]")];
  const place = rows.indexOf(row);
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (to === undefined || !rows[to]) return;
  event.preventDefault();
  rows[to].querySelector("[data-open]").focus();
});

// A filter acts as soon as it is chosen; without this file its button does.
document.addEventListener("change", (event) => {
  const form = event.target.closest && event.target.closest("form[data-quick]");
  if (form && event.target.matches("select")) form.requestSubmit();
});

// A form that is on its way is not sent twice; its key would make the second one a repetition anyway.
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});
