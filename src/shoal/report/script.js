"use strict";
// The page works on the data in the element #report-data: no network, no library. Texts of users are set as
// textContent, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes = {}, text = null) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== null) element.textContent = text;
    return element;
  };
  const draw = (tag, attributes, parent, text = null) => {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== null) element.textContent = text;
    parent.append(element);
    return element;
  };
  const figures = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(4))));
  const colour = (place, count) => {
    const few = [205, 25, 135, 285, 50, 345, 175, 95];
    return count <= few.length ? `hsl(${few[place]} 62% 47%)` : `hsl(${260 - (230 * place) / (count - 1)} 62% 48%)`;
  };

  // --- tables: a click on a heading sorts ---------------------------------------------------------
  const order = (a, b) => {
    const [x, y] = [a.trim(), b.trim()];
    if (x === "" || y === "") return x === y ? 0 : x === "" ? Infinity : -Infinity;
    const [m, n] = [Number(x.replaceAll(",", "")), Number(y.replaceAll(",", ""))];
    return Number.isNaN(m) || Number.isNaN(n) ? x.localeCompare(y, undefined, { numeric: true }) : m - n;
  };
  const sort = (table, column, descending) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row, place) => [row, row.cells[column].textContent, place]);
    rows.sort((a, b) => {
      const found = order(a[1], b[1]);
      if (found === 0) return a[2] - b[2];
      if (Math.abs(found) === Infinity) return found > 0 ? 1 : -1; // empty cells come last both ways
      return descending ? -found : found;
    });
    body.append(...rows.map(([row]) => row));
    [...table.tHead.rows[0].cells].forEach((cell, place) => {
      if (place === column) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = make("button", { type: "button" }, cell.textContent);
      button.addEventListener("click", () => sort(table, column, cell.getAttribute("aria-sort") === "ascending"));
      cell.replaceChildren(button);
    });
  }

  // --- curves -------------------------------------------------------------------------------------
  const [W, H, L, R, T, B] = [960, 400, 62, 14, 12, 34];
  const curves = (root) => {
    const { quantities, epochs, curves: members } = data.series;
    const names = data.names;
    const shown = names.map(() => true);
    const state = { quantity: quantities[0], log: true, train: true, validation: true, view: null };
    const svg = root.querySelector("svg");
    const readout = root.querySelector(".readout");
    const value = (member, split) => (member.values[state.quantity] || {})[split] || [];

    const points = () => {
      const found = [];
      members.forEach((member) => {
        if (!shown[member.run]) return;
        for (const split of ["t", "v"]) {
          if (!(split === "t" ? state.train : state.validation)) continue;
          value(member, split).forEach((y, i) => {
            if (y !== null && (!state.log || y > 0)) found.push([epochs[member.epochs][i], y]);
          });
        }
      });
      return found;
    };
    const whole = () => {
      const found = points();
      if (!found.length) return [1, 2, 0.1, 1];
      const ys = found.map((p) => p[1]).sort((a, b) => a - b);
      const at = (q) => ys[Math.min(ys.length - 1, Math.max(0, Math.round(q * (ys.length - 1))))];
      let [low, high] = ys.length > 200 ? [at(0.005), at(0.99)] : [ys[0], ys[ys.length - 1]];
      if (state.log) return [1, lastEpoch(found), low / 1.15, high * 1.15];
      const room = 0.04 * (high - low || Math.abs(high) || 1);
      return [1, lastEpoch(found), low - room, high + room];
    };
    const lastEpoch = (found) => Math.max(2, found.reduce((most, p) => Math.max(most, p[0]), 1));

    let view = whole();
    const scaleY = (y) => (state.log ? Math.log10(y) : y);
    const px = (x) => L + ((x - view[0]) / (view[1] - view[0])) * (W - L - R);
    const py = (y) => H - B - ((scaleY(y) - scaleY(view[2])) / (scaleY(view[3]) - scaleY(view[2]))) * (H - T - B);
    const epochAt = (pixel) => view[0] + ((pixel - L) / (W - L - R)) * (view[1] - view[0]);
    const valueAt = (pixel) => {
      const t = scaleY(view[2]) + ((H - B - pixel) / (H - T - B)) * (scaleY(view[3]) - scaleY(view[2]));
      return state.log ? 10 ** t : t;
    };
    const ticks = (low, high, count) => {
      const step = 10 ** Math.floor(Math.log10((high - low) / count));
      const wide = [1, 2, 5, 10].map((m) => m * step).find((s) => (high - low) / s <= count) || step * 10;
      const found = [];
      for (let t = Math.ceil(low / wide) * wide; t <= high + wide * 1e-9; t += wide) found.push(Number(t.toPrecision(12)));
      return found;
    };
    const logTicks = (low, high) => {
      const [a, b] = [Math.log10(low), Math.log10(high)];
      if (b - a < 1.2) return ticks(low, high, 6).filter((t) => t > 0);
      const every = Math.max(1, Math.round((b - a) / 7));
      const found = [];
      for (let p = Math.ceil(a); p <= b; p += every) found.push(Number((10 ** p).toPrecision(6)));
      return found;
    };
    const path = (member, split) => {
      const xs = epochs[member.epochs];
      let text = "", pen = false;
      value(member, split).forEach((y, i) => {
        if (y === null || (state.log && y <= 0)) { pen = false; return; }
        text += `${pen ? "L" : "M"}${px(xs[i]).toFixed(1)} ${py(y).toFixed(1)}`;
        pen = true;
      });
      return text && !text.includes("L") ? `${text}h.1` : text; // a dot where there is one point
    };
    const render = () => {
      view = state.view || whole();
      svg.replaceChildren();
      draw("title", {}, svg, `${state.quantity.replaceAll("_", " ")} over the epochs`);
      draw("desc", {}, svg, svg.getAttribute("aria-label"));
      const clip = draw("clipPath", { id: "inside" }, draw("defs", {}, svg));
      draw("rect", { x: L - 6, y: T - 6, width: W - L - R + 12, height: H - T - B + 6 }, clip);
      for (const y of state.log ? logTicks(view[2], view[3]) : ticks(view[2], view[3], 6)) {
        draw("line", { class: "axis", x1: L, x2: W - R, y1: py(y), y2: py(y) }, svg);
        draw("text", { x: L - 6, y: py(y) + 4, "text-anchor": "end" }, svg, figures(y));
      }
      for (const x of ticks(view[0], view[1], 10)) {
        if (!Number.isInteger(x)) continue;
        draw("line", { class: "axis", x1: px(x), x2: px(x), y1: H - B, y2: H - B + 4 }, svg);
        draw("text", { x: px(x), y: H - B + 16, "text-anchor": "middle" }, svg, String(x));
      }
      draw("text", { x: (L + W - R) / 2, y: H - 3, "text-anchor": "middle" }, svg, "epoch");
      const group = draw("g", { "clip-path": "url(#inside)" }, svg);
      const many = members.length > 30;
      members.forEach((member) => {
        if (!shown[member.run]) return;
        const stroke = colour(member.run, names.length);
        if (state.train) draw("path", { class: "curve", d: path(member, "t"), stroke, "stroke-width": 1, "stroke-opacity": many ? 0.35 : 0.65, "stroke-dasharray": many ? "none" : "4 3" }, group);
        if (state.validation) draw("path", { class: "curve", d: path(member, "v"), stroke, "stroke-width": many ? 1.1 : 1.9, "stroke-opacity": many ? 0.6 : 1 }, group);
        const best = (member.at || {})[state.quantity];
        if (!many && state.validation && best !== undefined && best !== null && (!state.log || best > 0))
          draw("circle", { cx: px(member.best), cy: py(best), r: 3.5, fill: "var(--ground)", stroke, "stroke-width": 1.6 }, group);
      });
      marker = draw("circle", { r: 4, fill: "none", stroke: "var(--ink)", visibility: "hidden" }, group);
      selection = draw("rect", { class: "selection", y: T, height: H - T - B, visibility: "hidden" }, svg);
      root.dataset.view = view.map((v) => Number(v.toPrecision(4))).join(" ");
    };
    let marker, selection;

    // --- zoom: a dragged range of epochs, buttons, keys
    const zoom = (factor, centre = (view[0] + view[1]) / 2) => {
      const [low, high] = whole();
      const half = ((view[1] - view[0]) * factor) / 2;
      if (half * 2 >= high - low) state.view = null;
      else {
        const from = Math.max(low, Math.min(centre - half, high - 2 * half));
        state.view = fitted(from, from + 2 * half);
      }
      render();
    };
    const fitted = (from, to) => {
      const inside = points().filter((p) => p[0] >= from && p[0] <= to).map((p) => p[1]);
      if (!inside.length) return [from, to, view[2], view[3]];
      const [low, high] = [inside.reduce((a, b) => Math.min(a, b)), inside.reduce((a, b) => Math.max(a, b))];
      const room = 0.05 * (high - low || Math.abs(high) || 1);
      return state.log ? [from, to, low / 1.1, high * 1.1] : [from, to, low - room, high + room];
    };
    const pan = (share) => {
      if (!state.view) return;
      const [low, high] = whole();
      const wide = view[1] - view[0];
      const from = Math.max(low, Math.min(view[0] + share * wide, high - wide));
      state.view = fitted(from, from + wide);
      render();
    };
    const position = (event) => {
      const box = svg.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * W, ((event.clientY - box.top) / box.height) * H];
    };
    let start = null;
    svg.addEventListener("pointerdown", (event) => {
      start = position(event)[0];
      try { svg.setPointerCapture(event.pointerId); } catch { /* a pointer that a program made up */ }
    });
    svg.addEventListener("pointermove", (event) => {
      const [x, y] = position(event);
      if (start !== null) {
        selection.setAttribute("x", Math.max(L, Math.min(start, x)));
        selection.setAttribute("width", Math.max(0, Math.min(W - R, Math.max(start, x)) - Math.max(L, Math.min(start, x))));
        selection.setAttribute("visibility", "visible");
      } else hover(x, y);
    });
    svg.addEventListener("pointerup", (event) => {
      const [from, to] = [start, position(event)[0]].sort((a, b) => a - b).map(epochAt);
      const moved = start !== null && Math.abs(position(event)[0] - start) > 8;
      start = null;
      if (moved) state.view = fitted(Math.max(view[0], from), Math.min(view[1], to));
      render();
    });
    svg.addEventListener("dblclick", () => { state.view = null; render(); });
    svg.addEventListener("keydown", (event) => {
      const keys = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => zoom(Infinity), ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25) };
      if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
    });
    const hover = (x, y) => {
      let nearest = null, least = 900;
      members.forEach((member) => {
        if (!shown[member.run]) return;
        for (const split of ["t", "v"]) {
          if (!(split === "t" ? state.train : state.validation)) continue;
          value(member, split).forEach((v, i) => {
            if (v === null || (state.log && v <= 0)) return;
            const epoch = epochs[member.epochs][i];
            const far = (px(epoch) - x) ** 2 + (py(v) - y) ** 2;
            if (far < least) { least = far; nearest = [member, split, epoch, v]; }
          });
        }
      });
      marker.setAttribute("visibility", nearest ? "visible" : "hidden");
      if (!nearest) { readout.textContent = `epoch ${Math.round(epochAt(x))}, ${figures(valueAt(y))}`; return; }
      const [member, split, epoch, v] = nearest;
      marker.setAttribute("cx", px(epoch));
      marker.setAttribute("cy", py(v));
      const kind = member.values[state.quantity].v ? (split === "t" ? "training " : "validation ") : "";
      const which = names[member.run] + (data.members[member.run] > 1 ? `, member ${member.member}` : "");
      readout.textContent = `${which}: ${kind}${state.quantity.replaceAll("_", " ")} ${figures(v)} at epoch ${epoch}`;
    };

    // --- controls and legend
    const quantity = root.querySelector("select");
    quantities.forEach((name) => quantity.append(make("option", { value: name }, name.replaceAll("_", " "))));
    const log = root.querySelector("[name=log]");
    quantity.addEventListener("change", () => {
      state.quantity = quantity.value;
      state.log = log.checked = ["loss", "learning_rate", "gradient_norm", "penalty", "log_loss"].includes(quantity.value);
      state.view = null;
      render();
    });
    log.addEventListener("change", () => { state.log = log.checked; state.view = null; render(); });
    for (const split of ["train", "validation"])
      root.querySelector(`[name=${split}]`).addEventListener("change", (event) => { state[split] = event.target.checked; render(); });
    const legend = root.querySelector(".legend");
    const entries = names.map((name, place) => {
      const entry = make("button", { type: "button", "aria-pressed": "true", title: name }, "");
      const dot = make("i");
      dot.style.background = colour(place, names.length);
      entry.append(dot, document.createTextNode(name));
      entry.addEventListener("click", () => toggle(place, !shown[place], true));
      legend.append(entry);
      return entry;
    });
    const toggle = (place, on, now) => {
      shown[place] = on;
      entries[place].setAttribute("aria-pressed", String(on));
      if (now) render();
    };
    const all = (on) => { names.forEach((_, place) => toggle(place, on, false)); render(); };
    const actions = { in: () => zoom(0.5), out: () => zoom(2), reset: () => zoom(Infinity), all: () => all(true), none: () => all(false) };
    for (const [name, act] of Object.entries(actions)) root.querySelector(`[data-do=${name}]`).addEventListener("click", act);
    render();
  };
  const place = document.getElementById("curves");
  if (place) curves(place);

  // --- health: a small image for each signal, stretched by the browser -----------------------------
  const ramps = {
    log: [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]],
    share: [[255, 245, 240], [252, 187, 161], [251, 106, 74], [203, 24, 29], [103, 0, 13]],
    signed: [[5, 48, 97], [146, 197, 222], [247, 247, 247], [244, 165, 130], [103, 0, 31]],
  };
  const shade = (ramp, t) => {
    const at = Math.min(0.9999, Math.max(0, t)) * (ramp.length - 1), i = Math.floor(at);
    return ramp[i].map((c, k) => Math.round(c + (ramp[i + 1][k] - c) * (at - i)));
  };
  const range = (map) => {
    const found = map.values.flat().filter((v) => v !== null && (map.scale !== "log" || v > 0));
    if (map.scale === "share") return [0, 1];
    if (!found.length) return [0.1, 1];
    const [low, high] = [found.reduce((a, b) => Math.min(a, b)), found.reduce((a, b) => Math.max(a, b))];
    const limit = Math.max(-low, high) || 1;
    return map.scale === "signed" ? [-limit, limit] : [low, high];
  };
  const heat = (map, epochs) => {
    const [low, high] = range(map);
    const t = (v) => (map.scale === "log" ? Math.log(v / low) / Math.log(high / low || 1) : (v - low) / (high - low || 1));
    const ramp = ramps[map.scale] || ramps.log;
    const figure = make("figure");
    const caption = make("figcaption", {}, map.signal.replaceAll("_", " ") + (map.scale === "log" ? " (log scale)" : ""));
    const canvas = make("canvas", { width: epochs.length, height: map.layers.length, role: "img", tabindex: 0, "aria-label": `${caption.textContent}: ${map.layers.length} layers over epochs ${epochs[0]} to ${epochs[epochs.length - 1]}, from ${figures(low)} to ${figures(high)}` });
    canvas.style.height = `${18 * map.layers.length}px`;
    const brush = canvas.getContext("2d");
    map.values.forEach((row, y) => row.forEach((v, x) => {
      const missing = v === null || (map.scale === "log" && v <= 0);
      brush.fillStyle = missing ? "#9aa0a6" : `rgb(${shade(ramp, t(v)).join(" ")})`;
      brush.fillRect(x, y, 1, 1);
    }));
    const list = make("ul");
    map.layers.forEach((name) => list.append(make("li", { title: name }, name)));
    const box = make("div", { class: "map" });
    box.append(list, canvas);
    const key = make("div", { class: "key" });
    const bar = make("canvas", { width: 60, height: 1, "aria-hidden": "true" });
    for (let i = 0; i < 60; i += 1) {
      const pen = bar.getContext("2d");
      pen.fillStyle = `rgb(${shade(ramp, i / 59).join(" ")})`;
      pen.fillRect(i, 0, 1, 1);
    }
    const said = make("span", { "aria-live": "polite" });
    key.append(make("span", {}, figures(low)), bar, make("span", {}, figures(high)), said);
    canvas.addEventListener("pointermove", (event) => {
      const area = canvas.getBoundingClientRect();
      const x = Math.min(epochs.length - 1, Math.floor(((event.clientX - area.left) / area.width) * epochs.length));
      const y = Math.min(map.layers.length - 1, Math.floor(((event.clientY - area.top) / area.height) * map.layers.length));
      if (x >= 0 && y >= 0) said.textContent = `${map.layers[y]}, epoch ${epochs[x]}: ${figures(map.values[y][x])}`;
    });
    figure.append(caption, box, key);
    return figure;
  };
  const health = document.getElementById("health");
  if (health) {
    const choice = health.querySelector("select"), maps = health.querySelector(".maps");
    const show = () => {
      const chosen = data.health[Number(choice.value)];
      maps.replaceChildren(...chosen.maps.map((map) => heat(map, chosen.epochs)));
    };
    data.health.forEach((entry, i) => choice.append(make("option", { value: i }, entry.name)));
    choice.addEventListener("change", show);
    show();
  }
  document.documentElement.dataset.ready = "true";
})();
