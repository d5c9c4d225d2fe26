// What every page may use: counters under text fields, and buttons that print.
"use strict";

for (const count of document.querySelectorAll("[data-count-for]")) {
  const field = document.getElementById(count.dataset.countFor);
  const limit = Number(field.dataset.limit);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const tell = () => {
    const used = [...field.value].length; // code points, as the server counts
    count.classList.toggle("over", used > limit);
    count.textContent = count.dataset.words
      .replace("{used}", number.format(used))
      .replace("{limit}", number.format(limit));
  };
  field.addEventListener("input", tell);
  tell();
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
