// A plot as a file: SVG or PNG, with its title, filters, definition and position in it.
"use strict";

const IMAGE = { width: 960, edge: 24, title: 20, small: 12, scale: 2 };

const text = (place) => place.textContent.replace(/\s+/g, " ").trim();

// What the reader of the image has to know, in lines.
function caption(section) {
  const chips = [...document.querySelectorAll("#chips .chip")].map(text);
  const told = [...section.querySelectorAll(".definition li")].map(text);
  const counters = [...section.querySelectorAll(".totals .total")].map(text);
  const known = text(section.querySelector(".known"));
  return [counters.join(" · "), chips.join(" · "), told.join(" "), known].filter(Boolean);
}

// Break a line where it has no more room: at spaces, or between Chinese letters.
function wrapped(line, face, room) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = face;
  const found = [];
  let current = "";
  for (const part of line.match(/[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*|\s+/g) ?? []) {
    if (current && pen.measureText(current + part).width > room) {
      found.push(current.trim());
      current = "";
    }
    current += part;
  }
  return [...found, current.trim()];
}

const escaped = (said) =>
  said.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

function lettered(lines, { x, y, size, weight, colour, font }) {
  const written = lines.map(
    (line, at) => `<tspan x="${x}" y="${y + (at + 1) * size * 1.4}">${escaped(line)}</tspan>`,
  );
  return (
    `<text font-family="${escaped(font)}" font-size="${size}" font-weight="${weight}"` +
    ` fill="${colour}">${written.join("")}</text>`
  );
}

// Drawn anew in the colours for paper, at one width on every screen.
function picture(place) {
  const section = place.closest("section");
  const { width, edge, title, small } = IMAGE;
  const room = width - 2 * edge;
  const colour = colours(document.querySelector(".paper"));
  const { height, option } = drawing(JSON.parse(place.dataset.plot), colour, room);
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: room, height });
  chart.setOption(option);
  const plot = chart.renderToSVGString();
  chart.dispose();
  const font = family();
  const heading = wrapped(text(section.querySelector("h2")), `700 ${title}px ${font}`, room);
  const below = caption(section).flatMap((line) =>
    wrapped(line, `${small}px ${font}`, room),
  );
  const top = edge + heading.length * title * 1.4 + 12;
  const foot = top + height + 8;
  const tall = Math.ceil(foot + below.length * small * 1.4 + edge);
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${tall}"` +
    ` viewBox="0 0 ${width} ${tall}"><rect width="100%" height="100%" fill="${colour.sheet}"/>` +
    lettered(heading, { x: edge, y: edge, size: title, weight: 700, colour: colour.ink, font }) +
    `<g transform="translate(${edge} ${top})">${plot}</g>` +
    lettered(below, { x: edge, y: foot, size: small, weight: 400, colour: colour.soft, font }) +
    "</svg>";
  return { svg, width, height: tall };
}

async function bitmap({ svg, width, height }) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width * IMAGE.scale;
  canvas.height = height * IMAGE.scale;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

async function save(place, kind) {
  const drawn = picture(place);
  const file =
    kind === "png" ? await bitmap(drawn) : new Blob([drawn.svg], { type: "image/svg+xml" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${place.closest("section").dataset.file}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-image]");
  if (button) save(button.closest(".figure").querySelector("[data-plot]"), button.dataset.image);
});
