// What a plot looks like: from the numbers that lie beside it in the page to an option.
"use strict";

const SERIES = 8;
const COLUMN = 5; // pixels; where there is less room areas stay readable and quick
const LETTER = 6.6; // pixels, about, at the size of labels
const KEY = 34; // pixels of a legend's colour and the gaps around it
const NARROW = 640; // pixels

const language = document.documentElement.lang;
const integer = new Intl.NumberFormat(language);
const percent = new Intl.NumberFormat(language, {
  style: "percent",
  maximumFractionDigits: 1,
});
const TIMES = [
  { unit: "day", seconds: 86400, from: 172800 },
  { unit: "hour", seconds: 3600, from: 5400 },
  { unit: "minute", seconds: 60, from: 0 },
];

// How the numbers of a plot are said; durations all in the unit of the longest.
function said(plot) {
  if (plot.unit === "share") return (value) => percent.format(value);
  if (plot.unit !== "seconds") return (value) => integer.format(value);
  const longest = Math.max(...plot.series.flatMap(({ values }) => values));
  const { unit, seconds } = TIMES.find(({ from }) => longest >= from);
  const time = new Intl.NumberFormat(language, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: 1,
  });
  return (value) => time.format(value / seconds);
}

// Axes of durations have their lines at whole days, hours or minutes.
function steps(plot) {
  const most = Math.max(...plot.series.flatMap(({ values }) => values));
  if (plot.unit === "share") return { min: 0, ...(most > 0.5 ? { max: 1 } : {}) };
  if (plot.unit !== "seconds") return { minInterval: 1 };
  const { seconds } = TIMES.find(({ from }) => most >= from);
  const rough = most / 4 / seconds;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const nice = [1, 2, 5, 10].find((each) => each * power >= rough) * power;
  const interval = Math.max(nice, 1) * seconds;
  return { interval, max: Math.max(Math.ceil(most / interval), 1) * interval };
}

// The colours of the page as it is shown, or as they are inside `place`.
function colours(place = document.documentElement) {
  const style = getComputedStyle(place);
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

// In single quotes: echarts writes it into an attribute as it is.
const family = () => getComputedStyle(document.body).fontFamily.replaceAll('"', "'");

// Rich text instead of HTML: the page's content policy allows no inline style.
function frame(colour) {
  return {
    animation: false,
    textStyle: { fontFamily: family() },
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

const WIDE = /[\u2e80-\uffff]/g; // Chinese letters take the room of two
const lettersOf = (name) => name.length + (name.match(WIDE) ?? []).length;

function legendRows(names, width) {
  let rows = 1;
  let used = 0;
  for (const name of names) {
    const needed = Math.min(width, lettersOf(name) * LETTER + KEY);
    if (used > 0 && used + needed > width) {
      rows += 1;
      used = 0;
    }
    used += needed;
  }
  return rows;
}

function legend(plot, colour, width) {
  const named = (name) => cut(name, width < NARROW ? 38 : 42);
  const names = plot.series.map(({ name }) => named(name));
  const show = names.length > 1;
  const rows = show ? legendRows(names, width) : 0;
  return {
    rows,
    option: {
      show,
      orient: rows < names.length ? "horizontal" : "vertical",
      left: 0,
      top: 0,
      itemWidth: 14,
      itemHeight: 10,
      textStyle: { color: colour.ink },
      formatter: named,
    },
  };
}

function tooltip(plot, colour, width) {
  const number = said(plot);
  const most = width < NARROW ? 34 : 60;
  const one = plot.series.length === 1;
  return {
    ...frame(colour).tooltip,
    formatter: (points) => {
      const shown = points.filter(({ value }) => value > 0 || one);
      const lines = shown.map(
        (point) =>
          `${cut(point.seriesName, most)}  ${point.value == null ? "–" : number(point.value)}`,
      );
      return [cut(points[0].axisValueLabel, most), ...lines].join("\n");
    },
  };
}

const own = (colour, at) => (at < SERIES ? colour.series[at] : colour.rest);

function overTime(plot, colour, width) {
  const many = plot.periods.length * COLUMN > width;
  const split = plot.series.length > 1;
  const number = said(plot);
  const area = {
    type: "line",
    symbol: "none",
    lineStyle: { width: split ? 0 : 1.5 },
    areaStyle: { opacity: split ? 0.9 : 0.35 },
  };
  const line = { type: "line", symbolSize: 6, lineStyle: { width: 2 } };
  const bar = { type: "bar", barMaxWidth: 36 };
  const series = plot.series.map((each, at) => ({
    name: each.name,
    data: each.values,
    color: own(colour, at),
    ...(plot.stacked ? { stack: "all", ...(many ? area : bar) } : line),
  }));
  const { rows, option } = legend(plot, colour, width);
  return {
    ...frame(colour),
    legend: option,
    tooltip: tooltip(plot, colour, width),
    grid: { left: 8, right: 16, top: 20 + rows * 22, bottom: 8, containLabel: true },
    xAxis: { ...axis(colour), type: "category", data: plot.periods, boundaryGap: !many },
    yAxis: {
      ...axis(colour),
      type: "value",
      ...steps(plot),
      axisLabel: { color: colour.soft, formatter: number },
    },
    series,
    height: 320 + rows * 22,
  };
}

// Lines by their names from above, one bar of each series in each, or all in one bar.
function bars(plot, colour, width) {
  const longest = Math.max(...plot.names.map(lettersOf));
  const most = Math.round(width * (width < NARROW ? 0.34 : 0.42));
  const room = Math.min(most, longest * LETTER + 8);
  const number = said(plot);
  const each = plot.stacked ? 30 : 14 + 16 * plot.series.length;
  const { rows, option } = legend(plot, colour, width);
  const series = plot.series.map((one, at) => ({
    type: "bar",
    name: one.name,
    data: one.values,
    color: own(colour, at),
    barMaxWidth: 18,
    ...(plot.stacked ? { stack: "all" } : {}),
  }));
  return {
    ...frame(colour),
    legend: option,
    tooltip: tooltip(plot, colour, width),
    grid: { left: room + 12, right: 28, top: 8 + rows * 22, bottom: 26 },
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
    xAxis: {
      ...axis(colour),
      type: "value",
      splitNumber: 4,
      ...steps(plot),
      axisLabel: { color: colour.soft, formatter: number, hideOverlap: true },
    },
    series,
    height: 42 + rows * 22 + each * Math.max(plot.names.length, 2),
  };
}

function pareto(plot, colour, width) {
  const { words } = plot;
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

const DRAWINGS = { time: overTime, bars, pareto };

// What echarts draws, and in what height.
function drawing(plot, colour, width) {
  const { height, ...option } = DRAWINGS[plot.kind](plot, colour, width);
  return { height, option };
}
