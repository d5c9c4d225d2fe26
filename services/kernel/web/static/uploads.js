// Uploads chosen files while the form is filled in, and goes on after a break.
// Without this file they are sent in the form itself.
"use strict";

(() => {
  const RETRIES = [0, 1_000, 3_000, 5_000, 10_000, 20_000, 30_000]; // milliseconds

  const place = document.querySelector("[data-uploads]");
  if (!place || typeof tus === "undefined" || !tus.isSupported) return;

  const form = place.closest("form");
  const input = place.querySelector("input[type=file]");
  const list = place.querySelector("[data-list]");
  const status = place.querySelector("[data-status]");
  const name = place.dataset.uploads;
  const say = (what) => place.dataset[`say${what[0].toUpperCase()}${what.slice(1)}`];
  const number = new Intl.NumberFormat(document.documentElement.lang, {
    style: "percent",
  });
  const sending = new Set();
  let waits = false; // the form was sent before its files were there

  const headers = () => {
    const receipt = form.elements.number;
    return receipt
      ? { Authorization: `Receipt ${receipt.value} ${form.elements.code.value}` }
      : {};
  };

  input.removeAttribute("name"); // the form names uploads, it holds no file
  form.enctype = "application/x-www-form-urlencoded";
  place.querySelector("[data-plain]").hidden = true;

  function row(label) {
    const item = document.createElement("li");
    const named = item.appendChild(document.createElement("bdi"));
    named.textContent = label;
    const state = item.appendChild(document.createElement("span"));
    state.className = "meta";
    const remove = button(say("remove"), label);
    item.append(" ", remove);
    list.append(item);
    return { item, named, state, remove };
  }

  function button(words, label) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "second small";
    made.textContent = words;
    made.setAttribute("aria-label", `${words}: ${label}`);
    return made;
  }

  // The bytes are there: the form names the upload from now on.
  function arrived(line, id, fingerprint) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = id;
    line.item.dataset.upload = id;
    line.item.append(field);
    line.state.textContent = ` ✓ ${say("there")} · ${say("fingerprint")} `;
    const code = line.state.appendChild(document.createElement("code"));
    code.textContent = fingerprint.slice(0, 16);
    status.textContent = `${line.named.textContent}: ${say("there")}`;
    changed();
  }

  function removable(line, id) {
    line.remove.addEventListener("click", () => {
      if (id) {
        const address = `${place.dataset.endpoint}/${id}`;
        const how = { ...headers(), "Tus-Resumable": "1.0.0" };
        fetch(address, { method: "DELETE", headers: how }).catch(() => {});
      }
      line.item.remove();
      input.focus();
      changed();
    });
  }

  function changed() {
    form.dispatchEvent(new Event("input", { bubbles: true }));
    if (waits && sending.size === 0) {
      waits = false;
      form.requestSubmit();
    }
  }

  function failed(line, words) {
    line.item.classList.add("wrong");
    line.state.textContent = ` ${words}`;
    status.textContent = `${line.named.textContent}: ${words}`;
    waits = false;
  }

  function start(file) {
    const line = row(file.name);
    if (file.size > Number(place.dataset.largest)) {
      failed(line, say("large"));
      removable(line);
      return;
    }
    if (file.size === 0) {
      failed(line, say("empty"));
      removable(line);
      return;
    }
    if (list.children.length > Number(place.dataset.most)) {
      failed(line, say("many"));
      removable(line);
      return;
    }
    const bar = line.item.insertBefore(document.createElement("progress"), line.state);
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", file.name);
    const upload = new tus.Upload(file, {
      endpoint: place.dataset.endpoint,
      metadata: { filename: file.name },
      headers: headers(),
      retryDelays: RETRIES,
      removeFingerprintOnSuccess: true,
      onProgress(sent, size) {
        bar.value = size ? sent / size : 1;
        line.state.textContent = ` ${say("sending")}, ${number.format(bar.value)}`;
      },
      onSuccess({ lastResponse }) {
        sending.delete(upload);
        bar.remove();
        const id = upload.url.split("/").pop();
        removable(line, id);
        arrived(line, id, lastResponse.getHeader("Amends-Fingerprint") ?? "");
      },
      onError(error) {
        sending.delete(upload);
        const answered = error.originalResponse?.getStatus() ?? 0;
        if (answered === 422) {
          bar.remove();
          failed(line, say("refused"));
          return;
        }
        failed(line, say("failed"));
        const again = button(say("again"), file.name);
        line.item.insertBefore(again, line.remove);
        again.addEventListener("click", () => {
          again.remove();
          line.item.classList.remove("wrong");
          sending.add(upload);
          upload.start();
          input.focus();
        });
      },
    });
    line.remove.addEventListener("click", () => {
      if (!sending.delete(upload)) return;
      upload.abort(true).catch(() => {});
      line.item.remove();
      input.focus();
      changed();
    });
    sending.add(upload);
    line.state.textContent = ` ${say("sending")}`;
    upload.findPreviousUploads().then((known) => {
      if (known.length) upload.resumeFromPreviousUpload(known[0]);
      upload.start();
    });
  }

  // Show an upload that the form had before: after an answer, or kept on this device.
  async function known(id, item) {
    const how = { ...headers(), "Tus-Resumable": "1.0.0" };
    const told = await fetch(`${place.dataset.endpoint}/${id}`, {
      method: "HEAD",
      headers: how,
    }).catch(() => null);
    item?.remove();
    const fingerprint = told?.headers.get("Amends-Fingerprint");
    if (!told?.ok || !fingerprint) return;
    const [, coded] = (told.headers.get("Upload-Metadata") ?? "").split(" ");
    const bytes = Uint8Array.from(atob(coded ?? ""), (each) => each.charCodeAt(0));
    const line = row(new TextDecoder().decode(bytes));
    removable(line, id);
    arrived(line, id, fingerprint);
  }

  input.addEventListener("change", () => {
    for (const file of input.files) start(file);
    input.value = "";
  });
  form.addEventListener(
    "submit",
    (event) => {
      if (sending.size === 0) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      waits = true;
      status.textContent = say("sending");
    },
    true,
  );
  let before = Promise.resolve(); // one after the other, in the order of the form
  for (const item of list.querySelectorAll("[data-upload]")) {
    before = before.then(() => known(item.dataset.upload, item));
  }
  form.addEventListener("uploaded", (event) => {
    const there = list.querySelector(`[data-upload="${event.detail.value}"]`);
    if (event.detail.name === name && !there) {
      before = before.then(() => known(event.detail.value));
    }
  });
})();
