// Draws the plots from the numbers that lie beside them in the page.
"use strict";

const light = window.matchMedia("print"); // paper is drawn in the colours for light
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const SERIES = 8;
const COLUMN = 5; // pixels; where there is less room areas stay readable and quick
const LETTER = 6.6; // pixels, about, at the size of labels
const KEY = 34; // pixels of a legend's colour and the gaps around it
const NARROW = 640; // pixels
const charts = new Map();

const language = document.documentElement.lang;
const integer = new Intl.NumberFormat(language);
const percent = new Intl.NumberFormat(language, {
  style: "percent",
  maximumFractionDigits: 1,
});

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"),
    soft: of("--soft"),
    line: of("--line"),
    sheet: of("--sheet"),
    rest: of("--series-rest"),
    series: Array.from({ length: SERIES }, (_, at) => of(`--series-${at + 1}`)),
  };
}

// Rich text instead of HTML: the page's content policy allows no inline style.
function frame(colour) {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      axisPointer: { type: "shadow" },
      backgroundColor: colour.sheet,
      borderColor: colour.line,
      textStyle: { color: colour.ink, fontSize: 12 },
    },
  };
}

function axis(colour) {
  return {
    axisLine: { lineStyle: { color: colour.line } },
    axisTick: { lineStyle: { color: colour.line } },
    axisLabel: { color: colour.soft },
    splitLine: { lineStyle: { color: colour.line } },
  };
}

const cut = (text, most) =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

// A path of codes on two lines: where it leads to below, whence above.
function stacked(path, room) {
  const most = Math.floor(room / LETTER);
  const at = path.lastIndexOf("/");
  const leaf = `{leaf|${cut(path.slice(at + 1), most)}}`;
  return at < 0 ? leaf : `${cut(path.slice(0, at), most)}\n${leaf}`;
}

function legendRows(names, width) {
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const needed = Math.min(width, name.length * LETTER + KEY);
    if (used > 0 && used + needed > width) {
      rows += 1;
      used = 0;
    }
    used += needed;
  }
  return rows;
}

function overTime(plot, colour, width) {
  const many = plot.periods.length * COLUMN > width;
  const split = plot.series.length > 1;
  const most = width < NARROW ? 34 : 60;
  const series = plot.series.map((each, at) => {
    const own = at < SERIES ? colour.series[at] : colour.rest;
    return {
      name: each.name,
      data: each.values,
      color: own,
      stack: "all",
      ...(many
        ? {
            type: "line",
            symbol: "none",
            lineStyle: { width: split ? 0 : 1.5 },
            areaStyle: { opacity: split ? 0.9 : 0.35 },
          }
        : { type: "bar", barMaxWidth: 36 }),
    };
  });
  const named = (name) => cut(name, width < NARROW ? 38 : 42);
  const narrow = width < NARROW;
  const names = plot.series.map(({ name }) => named(name));
  const rows = split ? (narrow ? names.length : legendRows(names, width)) : 0;
  return {
    ...frame(colour),
    legend: {
      show: split,
      orient: narrow ? "vertical" : "horizontal",
      left: 0,
      top: 0,
      itemWidth: 14,
      itemHeight: 10,
      textStyle: { color: colour.ink },
      formatter: named,
    },
    tooltip: {
      ...frame(colour).tooltip,
      formatter: (points) => {
        const shown = points.filter((point) => point.value > 0 || !split);
        const lines = shown.map(
          (point) => `${cut(point.seriesName, most)}  ${integer.format(point.value)}`,
        );
        return [points[0].axisValueLabel, ...lines].join("\n");
      },
    },
    grid: { left: 8, right: 16, top: 20 + rows * 22, bottom: 8, containLabel: true },
    xAxis: { ...axis(colour), type: "category", data: plot.periods, boundaryGap: !many },
    yAxis: {
      ...axis(colour),
      type: "value",
      minInterval: 1,
      axisLabel: { color: colour.soft, formatter: (value) => integer.format(value) },
    },
    series,
    height: 320 + rows * 22,
  };
}

function pareto(plot, colour, width, words) {
  const room = Math.round(width * (width < NARROW ? 0.34 : 0.42));
  const deep = plot.names.some((name) => name.includes("/"));
  const bar = deep ? 36 : 26;
  return {
    ...frame(colour),
    tooltip: {
      ...frame(colour).tooltip,
      formatter: ([{ dataIndex: at }]) =>
        [
          cut(plot.names[at], width < NARROW ? 40 : 80),
          `${words.count}  ${integer.format(plot.counts[at])}`,
          `${words.cumulative}  ${percent.format(plot.cumulative[at])}`,
        ].join("\n"),
    },
    legend: {
      left: 0,
      top: 0,
      textStyle: { color: colour.ink },
      itemWidth: 14,
      itemHeight: 10,
      selectedMode: false,
    },
    grid: { left: room + 12, right: 20, top: 62, bottom: 24 },
    yAxis: {
      ...axis(colour),
      type: "category",
      inverse: true,
      data: plot.names,
      axisTick: { show: false },
      axisLabel: {
        color: colour.soft,
        interval: 0,
        lineHeight: 14,
        formatter: (name) => stacked(name, room),
        rich: { leaf: { color: colour.ink, lineHeight: 14 } },
      },
    },
    xAxis: [
      {
        ...axis(colour),
        type: "value",
        minInterval: 1,
        splitNumber: 3,
        axisLabel: { color: colour.soft, formatter: (value) => integer.format(value) },
      },
      {
        ...axis(colour),
        type: "value",
        position: "top",
        min: 0,
        max: 1,
        interval: 0.5,
        splitLine: { show: false },
        axisLabel: { color: colour.soft, formatter: (value) => percent.format(value) },
      },
    ],
    series: [
      {
        type: "bar",
        name: words.count,
        data: plot.counts,
        color: colour.series[0],
        barMaxWidth: 18,
      },
      {
        type: "line",
        name: words.cumulative,
        data: plot.cumulative,
        color: colour.series[1],
        xAxisIndex: 1,
        symbolSize: 5,
      },
    ],
    height: 92 + bar * Math.max(plot.names.length, 2),
  };
}

function draw(place) {
  const plot = JSON.parse(place.dataset.plot);
  place.dataset.drawn = "";
  const width = place.clientWidth;
  const colour = colours();
  const { height, ...option } =
    plot.kind === "pareto"
      ? pareto(plot, colour, width, JSON.parse(place.dataset.words))
      : overTime(plot, colour, width);
  let chart = charts.get(place);
  if (chart === undefined) {
    chart = echarts.init(place, null, { renderer: "svg", width, height });
    charts.set(place, chart);
    watcher.observe(place);
  }
  place.style.height = `${height}px`;
  chart.resize({ width, height });
  chart.setOption(option, { notMerge: true });
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

drawAll();
dark.addEventListener("change", drawAll);
light.addEventListener("change", drawAll);
document.body.addEventListener("htmx:afterSettle", drawAll);
document.body.addEventListener("htmx:pushedIntoHistory", keepQuestion);
