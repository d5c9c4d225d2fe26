// Takes a dropped file, says at once what would be refused, and shows how much is sent.
// Without this file the form is sent by its button.
"use strict";

(() => {
  const form = document.querySelector("form[data-import]");
  if (!form) return;

  const place = form.querySelector("[data-drop]");
  const input = form.querySelector("input[type=file]");
  const fault = document.getElementById("file-fault");
  const sending = form.querySelector("[data-sending]");
  const bar = sending.querySelector("progress");
  const told = document.getElementById("sent");
  const button = form.querySelector("button");
  const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });

  form.querySelector("[data-droppable]").hidden = false;

  function tell(words) {
    fault.textContent = words;
    fault.hidden = !words;
    place.classList.toggle("wrong", Boolean(words));
    input.toggleAttribute("aria-invalid", Boolean(words));
  }

  function wrong() {
    const [file] = input.files;
    if (!file || file.size === 0) return form.dataset.sayEmpty;
    return file.size > Number(form.dataset.largest) ? form.dataset.sayLarge : "";
  }

  function send() {
    const words = wrong();
    tell(words);
    if (words) {
      input.focus();
      return;
    }
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      bar.value = event.loaded / event.total;
      told.textContent = form.dataset.saySending.replace(
        "{percent}",
        percent.format(bar.value),
      );
    });
    request.addEventListener("load", () => {
      if (request.status < 400) {
        location.assign(request.responseURL);
        return;
      }
      // The answer is a page of ours that says what is wrong.
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      const said = page.querySelector("[role=alert] strong, main p");
      again(said ? said.textContent : form.dataset.sayFailed);
    });
    request.addEventListener("error", () => again(form.dataset.sayFailed));
    sending.hidden = false;
    button.disabled = true;
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.send(new FormData(form));
  }

  function again(words) {
    sending.hidden = true;
    button.disabled = false;
    tell(words);
    input.focus();
  }

  for (const name of ["dragenter", "dragover"]) {
    document.addEventListener(name, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      place.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) place.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    place.classList.remove("over");
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    send();
  });
  input.addEventListener("change", () => tell(input.files.length ? wrong() : ""));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
})();
