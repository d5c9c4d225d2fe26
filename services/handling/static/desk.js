// The desk by keyboard: j and k move through the list, / goes to the search.
// The slider of a case says, while it moves, which moment it is at.
"use strict";

const rows = () => [...document.querySelectorAll("[data-row] a")];

const writing = (target) =>
  target.matches("input, select, textarea, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "j" || event.key === "k") {
    const links = rows();
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const step = event.key === "j" ? 1 : -1;
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next].focus();
  }
});

document.addEventListener("input", (event) => {
  const slider = event.target;
  if (!slider.matches("[data-moments] [type=range]")) return;
  const stop = slider.list.options[slider.valueAsNumber - 1];
  if (!stop) return;
  slider.setAttribute("aria-valuetext", stop.label);
  slider.form.querySelector("output").textContent = stop.label;
});
