// Draws the plots from the numbers that lie beside them in the page.
"use strict";

const light = window.matchMedia("print"); // paper is drawn in the colours for light
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = new Map();

function draw(place) {
  const plot = JSON.parse(place.dataset.plot);
  place.dataset.drawn = "";
  const width = place.clientWidth;
  const { height, option } = drawing(plot, colours(), width);
  let chart = charts.get(place);
  if (chart === undefined) {
    chart = echarts.init(place, null, { renderer: "svg", width, height });
    charts.set(place, chart);
    watcher.observe(place);
  }
  place.style.height = `${height}px`;
  chart.resize({ width, height });
  chart.setOption(option, { notMerge: true });
  place.parentElement.querySelector(".images")?.removeAttribute("hidden");
}

const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = charts.get(target);
    if (target.isConnected && chart && chart.getWidth() !== target.clientWidth) {
      draw(target);
    }
  }
});

function drawAll() {
  for (const [place, chart] of charts) {
    if (!place.isConnected) {
      watcher.unobserve(place);
      chart.dispose();
      charts.delete(place);
    }
  }
  document.querySelectorAll("[data-plot]").forEach(draw);
}

// The other language is asked for with what is asked now.
function keepQuestion() {
  for (const link of document.querySelectorAll(".languages a")) {
    const address = new URL(window.location.href);
    address.searchParams.set("lang", link.hreflang);
    link.href = address.pathname + address.search;
  }
}

// On paper nobody opens what is closed: definitions are printed with their figures.
function unfold(open) {
  for (const each of document.querySelectorAll(".definition")) {
    if (open) each.dataset.was = each.open ? "open" : "";
    each.open = open || each.dataset.was === "open";
  }
}

drawAll();
window.addEventListener("beforeprint", () => unfold(true));
window.addEventListener("afterprint", () => unfold(false));
dark.addEventListener("change", drawAll);
light.addEventListener("change", drawAll);
document.body.addEventListener("htmx:afterSettle", drawAll);
document.body.addEventListener("htmx:pushedIntoHistory", keepQuestion);
