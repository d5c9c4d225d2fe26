// Keeps a complaint on this device until it has a number, and sends it until it has one.
// Without this file the form works as well: it is then sent once, by its button.
"use strict";

(() => {
  const SHELF = "amends.complaint";
  const FIRST = 2_000; // milliseconds until the second attempt; doubles each time
  const LONGEST = 30_000;

  const shelf = {
    read() {
      try {
        return JSON.parse(localStorage.getItem(SHELF));
      } catch {
        return null; // forbidden, or not ours
      }
    },
    write(kept) {
      try {
        localStorage.setItem(SHELF, JSON.stringify(kept));
      } catch {
        // Forbidden or full: the page itself still holds the words.
      }
    },
    clear() {
      try {
        localStorage.removeItem(SHELF);
      } catch {
        // As above: then there is nothing to remove.
      }
    },
  };

  const receipt = document.getElementById("receipt");
  if (receipt) {
    if (shelf.read()?.key === receipt.dataset.key) shelf.clear();
    return;
  }
  const form = document.getElementById("complaint");
  if (!form) return;

  const notices = {
    sending: document.getElementById("sending"),
    kept: document.getElementById("kept"),
    large: document.getElementById("large"),
  };
  const button = form.querySelector("button:not([type])");
  let timer = null; // set while an attempt is due
  let wait = FIRST;
  let busy = false; // while an attempt is under way

  const typed = () =>
    [...new FormData(form)].filter(
      ([name, value]) => name !== "csrf" && name !== "key" && typeof value === "string",
    );
  const keep = (sending) =>
    shelf.write({ key: form.elements.key.value, fields: typed(), sending });
  const show = (name, shown) => {
    notices[name].hidden = !shown;
  };

  function restore(kept) {
    form.elements.key.value = kept.key;
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
    for (const [name, value] of kept.fields) {
      if (name === "files") {
        form.dispatchEvent(new CustomEvent("uploaded", { detail: { name, value } }));
        continue;
      }
      const field = form.elements[name];
      if (!field) continue;
      const boxes = field instanceof RadioNodeList ? [...field] : null;
      if (boxes) {
        for (const box of boxes) if (box.value === value) box.checked = true;
      } else {
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }
  }

  function again(reason) {
    for (const each of notices.sending.querySelectorAll("[data-reason]")) {
      each.hidden = each.dataset.reason !== reason;
    }
    show("sending", true);
    timer = setTimeout(send, wait);
    wait = Math.min(wait * 2, LONGEST);
  }

  // Ask in the background until the server has decided. Then let the browser send the
  // form itself: the same key gives the same number, and the answer is an ordinary page.
  async function send() {
    if (busy) return;
    clearTimeout(timer);
    timer = null;
    busy = true;
    button.disabled = true;
    keep(true);
    show("large", false);
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        redirect: "error",
      });
      if (answer.status === 413) {
        keep(false);
        show("sending", false);
        show("large", true);
        button.disabled = false;
      } else if (answer.status === 429 || answer.status >= 500) {
        again("busy");
      } else {
        form.submit();
      }
    } catch {
      again("network");
    } finally {
      busy = false;
    }
  }

  form.addEventListener("submit", (event) => {
    if (form.enctype === "multipart/form-data") return; // files go with the form itself
    event.preventDefault();
    wait = FIRST;
    send();
  });
  form.addEventListener("input", () => keep(busy || timer !== null));
  notices.sending.querySelector("[data-again]").addEventListener("click", send);
  window.addEventListener("online", () => {
    if (timer !== null) send();
  });
  notices.kept.querySelector("[data-discard]").addEventListener("click", () => {
    shelf.clear();
    location.assign(location.pathname);
  });

  const kept = shelf.read();
  if ("answered" in form.dataset) {
    keep(false); // the page shows what was sent, perhaps under a new key
  } else if (kept && kept.fields.some(([name, value]) => name !== "currency" && value)) {
    restore(kept);
    show("kept", true);
    if (kept.sending) send();
  }
})();
