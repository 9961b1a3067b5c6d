// @ts-check
/* The panel: draws a workbench's state and sends its verbs. No dependency, no build step; `panel.css` is its looks.
 *
 * Hosts give it a `Source`: our extension of JupyterLab (`plugins.js`), or a widget (`render`, for anywidget).
 * Everything is made once and then changed in place: focus, scroll positions and selected text stay. Whatever is
 * shown is set as text, never as HTML.
 */

/**
 * What the panel shows and whom it asks.
 * @typedef {object} Source
 * @property {() => any} state the state document, null before the first
 * @property {(listener: () => void) => () => void} subscribe be told of changes; returns what ends that
 * @property {(verb: string, args?: object) => Promise<any>} send ask for a verb; fails with `{code, message, hint}`
 * @property {(device: string) => Promise<void>} choose compute on a device that has a kernel
 * @property {() => Notebook | null} notebook the notebook that the device switch is for
 * @property {() => Link} [link] how it stands with the server; always `online` without
 * @property {() => Promise<void>} [save] save all notebooks, where the host can
 * @property {string} [base] the server's address in this page, with a slash at its end; else what the state says
 *
 * @typedef {{name: string, device: string | null}} Notebook
 * @typedef {"online" | "coming" | "stopped" | "lost"} Link
 * @typedef {{node: HTMLElement, draw: (view: View) => void}} Part
 * @typedef {{doc: any, link: Link, notebook: Notebook | null, canAct: boolean}} View
 */

export const DEVICES = ["cpu", "gpu"];
const SAMPLES = 60;
const LINES = 1000;
/** Lines of a log that are asked for. */
const TAIL = 200;
/** Seconds after which nobody needs to be told any more that something went well. */
const PASSING = 15;

/* ---- words and numbers ---- */

/** Bytes in powers of 1000: `1.2 GB`. @param {number | null} number */
export function size(number) {
  if (number === null) return "–";
  let left = number;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (left < 1000) return `${left >= 100 || unit === "B" ? left.toFixed(0) : left.toFixed(1)} ${unit}`;
    left /= 1000;
  }
  return `${left.toFixed(1)} TB`;
}

/** Seconds, roughly: `20 s`, `3 min`, `2 h 5 min`, `4 d 1 h`. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const [large, small, unit, part] = whole < 86400 ? [3600, 60, "h", "min"] : [86400, 3600, "d", "h"];
  return `${Math.floor(whole / large)} ${unit} ${Math.floor((whole % large) / small)} ${part}`;
}

const ago = (moment) => duration(Date.now() / 1000 - moment);
const percent = (share) => `${Math.round(100 * share)} %`;
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What an action is called while it is under way. @param {any} action */
export function doing(action) {
  if (action.verb === "set_device") return action.device === "gpu" ? "Moving to the GPU" : "Moving to the CPU";
  if (action.verb === "restart_service") return `Restarting ${action.service}`;
  return { restart: "Restarting", rebuild: "Rebuilding", stop: "Stopping" }[action.verb] ?? capital(action.verb);
}

/**
 * An action with what it is at.
 * @param {any} action @param {string} [text] @param {string} [between]
 */
export function telling(action, text = action.text, between = ": ") {
  const what = doing(action);
  return capital(text) === what ? what : `${what}${between}${text}`;
}

/** What became of an action. @param {any} last */
export function outcome(last) {
  const moved = last.device === "gpu" ? "on the GPU now" : "on the CPU now";
  const service = `restarted ${last.service}`;
  const done =
    { restart: "restarted", rebuild: "rebuilt", set_device: moved, stop: "stopped", restart_service: service }[
      last.verb
    ] ?? "done";
  const message = last.message || (last.ok ? capital(`${done}.`) : `${doing(last)} failed.`);
  return [message, last.hint].filter(Boolean).join(" ");
}

/**
 * What asks before it is done: its title, what it does, what is lost.
 * @param {any} doc @param {string} verb @param {any} [args] @param {boolean} [saves]
 */
export function question(doc, verb, args = {}, saves = true) {
  const box = doc.workbench.engine === "local" ? "server" : "container";
  const remade = verb === "rebuild" || verb === "set_device";
  const means = {
    restart: [`Restart the ${box}?`, `The ${box} stops and starts again.`, "Restart"],
    stop: ["Stop the workbench?", "`run-notebook` in the project's folder starts it again.", "Stop"],
    rebuild: ["Rebuild?", `The packages are installed anew, then the ${box} is made anew.`, "Rebuild"],
    set_device:
      args.device === "gpu"
        ? ["Move to the GPU?", `The ${box} is made anew, with the GPU.`, "Move to the GPU"]
        : ["Release the GPU?", `The ${box} is made anew, without the GPU.`, "Release the GPU"],
  }[verb];
  const kernels = doc.kernels.length;
  const packages = doc.packages?.length ?? 0;
  const lost = [
    kernels && `${count(kernels, "kernel")} ${kernels === 1 ? "loses its" : "lose their"} variables.`,
    saves ? "Notebooks are saved first." : "Save your notebooks first.",
    packages && `Packages installed by hand (${packages}) are ${remade ? "lost" : "kept"}.`,
  ];
  return { title: means[0], does: means[1], lost: lost.filter(Boolean).join(" "), accept: means[2] };
}

/**
 * Lines of `fresh` that are not yet in `known`, both tails of one log.
 * @param {string[]} known @param {string[]} fresh
 */
export function added(known, fresh) {
  for (let start = Math.max(0, known.length - fresh.length); start < known.length; start++) {
    if (fresh.slice(0, known.length - start).every((line, index) => line === known[start + index]))
      return fresh.slice(known.length - start);
  }
  return fresh;
}

/** How a service is, in a word or two. @param {any} service */
export function condition(service) {
  if (service.state === "running") return service.health || "running";
  return service.exit_code ? `exit code ${service.exit_code}` : (service.state ?? "unknown");
}

/** The same as the colour of a dot. @param {any} service */
function colour(service) {
  const found = condition(service);
  if (found === "running" || found === "healthy") return "online";
  if (found === "starting" || found === "created") return "busy";
  // A job that has done its work is no trouble.
  const harmless = found === "unknown" || (found === "stopped" && service.exit_code === 0);
  return harmless ? "off" : "lost";
}

/** The state with its newest numbers in its history, once. @param {any} doc */
export function remembered(doc) {
  const history = doc.history ?? { seconds: 2, cpu: [], memory: [], gpu: [] };
  if (!doc.usage || doc.usage.at === history.at) return { ...doc, history };
  const busiest = doc.gpus?.length ? Math.max(...doc.gpus.map((gpu) => gpu.load ?? 0)) : null;
  const append = (samples, value) => (value === null ? samples : [...samples, value].slice(-SAMPLES));
  return {
    ...doc,
    history: {
      ...history,
      at: doc.usage.at,
      cpu: append(history.cpu, doc.usage.cpu),
      memory: append(history.memory, doc.usage.memory),
      gpu: append(history.gpu, busiest),
    },
  };
}

/* ---- making and changing nodes ---- */

const SVG = "http://www.w3.org/2000/svg";

/**
 * A node with attributes and children; functions are listeners, texts become text.
 * @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const node = ["svg", "path"].includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else set(node, name, value);
  }
  node.append(...children);
  return node;
}

/** Set an attribute where it is not so yet; null and false remove it. */
function set(node, name, value) {
  const wanted = value === null || value === undefined || value === false ? null : String(value);
  if (node.getAttribute(name) === wanted) return;
  if (wanted === null) node.removeAttribute(name);
  else node.setAttribute(name, wanted);
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set a text in which backquotes mark commands. @param {HTMLElement} node @param {string} text */
export function prose(node, text) {
  if (node.dataset.said === text) return;
  node.dataset.said = text;
  node.replaceChildren(...text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part)));
}

function show(node, shown) {
  node.hidden = !shown;
}

/**
 * Keep a node for each item of a list, in its order.
 * @template T @param {HTMLElement} parent @param {T[]} items @param {(item: T) => string} key
 * @param {(item: T) => any} create @param {(node: any, item: T) => void} change
 */
function each(parent, items, key, create, change) {
  const known = new Map([...parent.children].map((node) => [/** @type {any} */ (node).dataset.key, node]));
  items.forEach((item, index) => {
    const name = key(item);
    const node = known.get(name) ?? create(item);
    known.delete(name);
    node.dataset.key = name;
    change(node, item);
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  known.forEach((node) => node.remove());
}

/** A button that keeps the focus when it is switched off. */
function button(label, act, kind = "") {
  const node = make("button", { type: "button", class: `wb-button ${kind}` }, label);
  node.addEventListener("click", () => node.getAttribute("aria-disabled") !== "true" && act(node));
  return node;
}

function able(node, can, why = "") {
  set(node, "aria-disabled", can ? null : "true");
  set(node, "title", why || null);
}

/** A titled section. @param {string} title @param {...any} children */
function section(title, ...children) {
  return make("section", { class: "wb-section", "aria-label": title }, make("h3", {}, title), ...children);
}

/** Label and value in a row. */
function row(label) {
  const value = make("dd");
  const node = make("div", { class: "wb-row" }, make("dt", {}, label), value);
  return { node, value };
}

/* ---- the switch, which the notebooks' toolbars have too ---- */

/**
 * CPU or GPU. The arrows move, Enter and Space choose: to choose costs a kernel.
 * @param {(device: string) => void} choose
 */
export function deviceSwitch(choose) {
  const options = DEVICES.map((device) => button(device.toUpperCase(), () => choose(device), "wb-option"));
  const looks = { class: "wb-switch", role: "radiogroup", "aria-label": "Device" };
  const node = make("div", { ...looks, keydown: move }, ...options);
  options.forEach((option, index) => {
    set(option, "role", "radio");
    option.dataset.device = DEVICES[index];
  });

  function move(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    options[(options.indexOf(event.target) + step + options.length) % options.length].focus();
  }

  /** @param {string | null} current @param {string | null} coming @param {(device: string) => string} refusal */
  function draw(current, coming, refusal) {
    DEVICES.forEach((device, index) => {
      const option = options[index];
      set(option, "aria-checked", String(device === current));
      set(option, "tabindex", device === (current ?? "cpu") ? 0 : -1);
      set(option, "aria-busy", device === coming ? "true" : null);
      const why = device === current ? "" : refusal(device);
      able(option, !why, why);
    });
  }
  return { node, draw };
}

/** Why a device cannot be chosen now; empty when it can. @param {View} view @param {string} device */
export function refusal(view, device) {
  const { doc, link } = view;
  if (link !== "online") return "The server does not answer.";
  if (doc.action) return `${doing(doc.action)} …`;
  if (doc.device.kernels[device]) return "";
  if (!doc.device.possible && device === "gpu") return doc.device.why || "There is no GPU to be had.";
  return doc.agent.connected ? "" : doc.agent.why;
}

/** What a source shows at this moment. @param {Source} source @returns {View} */
export function look(source) {
  const doc = source.state();
  const link = source.link?.() ?? "online";
  const canAct = link === "online" && !!doc?.agent.connected && !doc.action;
  return { doc, link, notebook: source.notebook(), canAct };
}

/* ---- the parts ---- */

/** @returns {Part} */
function header() {
  const dot = make("span", { class: "wb-dot" });
  const name = make("h2");
  const engine = make("span");
  const image = make("div", { class: "wb-muted wb-clip" });
  const head = make("div", { class: "wb-title" }, dot, name);
  const node = make("header", { class: "wb-header" }, head, make("div", { class: "wb-muted" }, engine), image);
  const STATES = { online: "Running", coming: "Coming back", stopped: "Stopped", lost: "No answer" };
  return {
    node,
    draw({ doc, link }) {
      const bench = doc.workbench;
      set(dot, "data-state", link === "online" && doc.action ? "coming" : link);
      write(name, bench.project || bench.name);
      set(name, "title", bench.name);
      const up = link === "online" ? ` for ${ago(bench.started ?? bench.server_started)}` : "";
      const dock = bench.dock ? `on ${bench.dock}` : "";
      write(engine, [STATES[link] + up, engineOf(bench), dock].filter(Boolean).join(" · "));
      const age = bench.image_created ? `, made ${ago(bench.image_created)} ago` : "";
      write(image, bench.image + age);
      set(image, "title", bench.image);
      show(image, !!bench.image && bench.engine !== "local");
    },
  };
}

/** Engine and version, without what a distribution appends. */
function engineOf({ engine, engine_version: version }) {
  return engine === "local" ? "no container" : `${capital(engine)} ${version?.split("+")[0] ?? ""}`.trim();
}

/** Action under way, the last one's outcome, the agent, what has changed. @param {Panel} panel @returns {Part} */
function notices(panel) {
  let dismissed = 0;
  const bar = make("div", { class: "wb-bar" });
  const progress = make("div", { class: "wb-progress", role: "progressbar", "aria-valuemin": 0 }, bar);
  const words = make("span", { class: "wb-grow" });
  const cancel = button("Cancel", () => panel.ask("cancel"), "wb-small");
  const busy = make("div", { class: "wb-notice wb-busy" }, make("div", { class: "wb-line" }, words, cancel), progress);

  const said = make("span", { class: "wb-grow" });
  const close = button("✕", dismiss, "wb-icon");
  set(close, "aria-label", "Dismiss");
  const ended = make("div", { class: "wb-notice" }, make("div", { class: "wb-line" }, said, close));

  const alone = make("div", { class: "wb-notice wb-warn" });
  const changed = make("div", { class: "wb-notice wb-warn" });
  const node = make("div", { class: "wb-notices", role: "status" }, busy, ended, alone, changed);

  function dismiss() {
    dismissed = panel.view.doc.last?.at ?? 0;
    panel.refuse(null);
    panel.draw();
  }

  function drawBusy({ doc: { action }, link }) {
    const shown = !!action && (link === "online" || link === "coming");
    show(busy, shown);
    if (!shown) return;
    write(words, telling(action, link === "coming" ? "waiting for the server" : action.text));
    set(progress, "aria-label", doing(action));
    set(progress, "aria-valuenow", action.total ? action.done : null);
    set(progress, "aria-valuemax", action.total || null);
    bar.style.width = action.total ? percent(action.done / action.total).replace(" ", "") : "";
    show(cancel, !!action.can_cancel && link === "online");
  }

  function drawOutcome({ doc }) {
    const last = panel.refused ?? doc.last;
    const passed = !panel.refused && last?.ok && Date.now() / 1000 - last.at > PASSING;
    show(ended, !!last && !doc.action && !passed && (!!panel.refused || last.at > dismissed));
    if (!last) return;
    set(ended, "data-ok", String(!!last.ok));
    prose(said, outcome(last));
  }

  return {
    node,
    draw(view) {
      const { doc, link } = view;
      drawBusy(view);
      drawOutcome(view);
      show(alone, link === "online" && !doc.agent.connected);
      prose(alone, [doc.agent.why, doc.agent.hint].filter(Boolean).join(" "));
      show(changed, doc.changes.length > 0);
      prose(changed, changes(doc.changes));
    },
  };
}

const LISTS = /(requirements|pyproject|environment\.ya?ml|setup\.|lock)\S* (changed|is)/i;

/** What is not as it was at the start, and how it is applied. @param {string[]} found */
function changes(found) {
  if (!found.length) return "";
  const all = found.map((change) => change.replace(/ changed$/, "")).join(", ");
  const mend = found.every((change) => LISTS.test(change)) ? "Rebuild" : "`run-notebook --restart`";
  return `Changed since the start: ${all}. ${mend} applies it.`;
}

/** A question within the panel. Escape and Cancel close it. @returns {Part & {ask: Function}} */
function confirmation() {
  /** @type {((yes: boolean) => void) | null} */
  let settle = null;
  const title = make("h3", { id: `wb-question-${crypto.randomUUID?.() ?? Math.random()}` });
  const does = make("p");
  const lost = make("p", { class: "wb-muted" });
  const accept = button("", () => settle?.(true), "wb-accept");
  const cancel = button("Cancel", () => settle?.(false));
  const node = make(
    "div",
    { class: "wb-confirm", role: "alertdialog", "aria-labelledby": title.id, keydown: onKey, hidden: true },
    ...[title, does, lost, make("div", { class: "wb-buttons" }, cancel, accept)],
  );

  function onKey(event) {
    if (event.key !== "Escape" || !settle) return;
    event.stopPropagation();
    settle(false);
  }

  /** @returns {Promise<boolean>} */
  async function ask(words) {
    settle?.(false);
    const before = document.activeElement;
    write(title, words.title);
    prose(does, words.does);
    write(lost, words.lost);
    write(accept, words.accept);
    show(node, true);
    cancel.focus();
    const yes = await new Promise((resolve) => (settle = resolve));
    settle = null;
    show(node, false);
    /** @type {any} */ (before)?.focus?.();
    return yes;
  }
  return { node, ask, draw: () => {} };
}

/** @param {Panel} panel @returns {Part} */
function device(panel) {
  const choice = deviceSwitch((wanted) => panel.choose(wanted));
  const whose = make("span", { class: "wb-muted wb-clip" });
  const gpus = make("div", { class: "wb-gpus" });
  const why = make("div", { class: "wb-muted" });
  const release = button("Release the GPU", () => panel.change("set_device", { device: "cpu" }), "wb-link");
  const node = section("Device", make("div", { class: "wb-line" }, choice.node, whose), gpus, why, release);
  return {
    node,
    draw(view) {
      const { doc, notebook, canAct } = view;
      choice.draw(current(view), doc.action?.device ?? null, (device) => refusal(view, device));
      write(whose, notebook ? notebook.name : "new kernels");
      set(whose, "title", notebook ? `The kernel of ${notebook.name}` : "What new kernels start on");
      each(gpus, doc.gpus ?? [], (gpu) => String(gpu.index), gpuRow, drawGpu);
      const bare = !doc.device.kernels.gpu && !doc.gpus?.length;
      show(why, bare);
      const offer = doc.device.possible ? "A GPU is at hand: the container is made anew to have it." : "";
      prose(why, offer || doc.device.why || "There is no GPU.");
      show(release, !!doc.device.kernels.gpu && doc.workbench.engine !== "local");
      able(release, canAct);
    },
  };
}

const current = ({ doc, notebook }) => (notebook ? notebook.device : doc.device.selected);

function gpuRow() {
  return make("div", { class: "wb-gpu" }, make("span", { class: "wb-clip" }), make("span", { class: "wb-muted" }));
}

function drawGpu(node, gpu) {
  const [name, numbers] = node.children;
  write(name, gpu.name);
  const load = gpu.load === null ? "" : `${percent(gpu.load)} busy`;
  write(numbers, [`${size(gpu.memory_used)} of ${size(gpu.memory)}`, load].filter(Boolean).join(" · "));
}

/** A number with its history. */
function gauge(label) {
  const value = make("span", { class: "wb-value" });
  const detail = make("span", { class: "wb-muted wb-clip" });
  const area = make("path", { class: "wb-area" });
  const line = make("path", { class: "wb-curve" });
  const curve = make("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" }, area, line);
  const numbers = make("div", { class: "wb-gauge-head" }, value, detail);
  const name = make("span", { class: "wb-muted" }, label);
  const node = make("div", { class: "wb-gauge", "data-gauge": label }, name, numbers, curve);

  function draw(text, more, samples, most) {
    write(value, text);
    write(detail, more);
    const points = curveOf(samples, most);
    set(line, "d", points && `M${points}`);
    set(area, "d", points && `M${points} L100,30 L${points.split(",")[0]},30 Z`);
  }
  return { node, draw };
}

/**
 * Points of a curve, the newest at the right edge.
 * @param {number[]} samples @param {number} most what reaches to the top
 */
function curveOf(samples, most) {
  const step = 100 / (SAMPLES - 1);
  const left = 100 - step * (samples.length - 1);
  const height = (value) => 29 - 26 * Math.min(1, Math.max(0, value / most));
  return samples.map((value, index) => `${(left + step * index).toFixed(1)},${height(value).toFixed(1)}`).join(" L");
}

/** @returns {Part} */
function usage() {
  const cpu = gauge("CPU");
  const memory = gauge("Memory");
  const gpu = gauge("GPU");
  const disk = row("Disk");
  const net = row("Network");
  const gauges = make("div", { class: "wb-gauges" }, cpu.node, memory.node, gpu.node);
  const node = section("Usage", gauges, make("dl", {}, disk.node, net.node));

  function drawCpu({ cpu: load, cores }, samples) {
    show(cpu.node, load !== null);
    if (load === null) return;
    const share = cores ? percent(load / cores) : load.toFixed(1);
    cpu.draw(share, cores ? `of ${count(cores, "core")}` : "cores", samples, Math.max((cores ?? 1) / 4, ...samples));
  }

  function drawMemory({ memory: used, memory_limit: limit }, samples) {
    show(memory.node, used !== null);
    if (used === null) return;
    memory.draw(size(used), limit ? `of ${size(limit)}` : "", samples, Math.max(used, ...samples));
  }

  function drawGpus(gpus, samples) {
    show(gpu.node, gpus.length > 0);
    if (!gpus.length) return;
    const busiest = gpus.reduce((one, other) => ((other.load ?? 0) > (one.load ?? 0) ? other : one));
    gpu.draw(percent(busiest.load ?? 0), `${size(busiest.memory_used)} of ${size(busiest.memory)}`, samples, 1);
  }

  const rates = (first, second, marks) =>
    first === null && second === null ? "" : `${marks[0]} ${size(first)}/s  ${marks[1]} ${size(second)}/s`;
  function drawRates({ disk_read, disk_written, net_in, net_out }) {
    for (const [part, text] of [
      [disk, rates(disk_read, disk_written, ["read", "write"])],
      [net, rates(net_in, net_out, ["↓", "↑"])],
    ]) {
      show(part.node, !!text);
      write(part.value, text);
    }
  }
  return {
    node,
    draw({ doc }) {
      show(node, !!doc.usage);
      if (!doc.usage) return;
      drawCpu(doc.usage, doc.history.cpu);
      drawMemory(doc.usage, doc.history.memory);
      drawGpus(doc.gpus ?? [], doc.history.gpu);
      drawRates(doc.usage);
    },
  };
}

/** @returns {Part} */
function kernels() {
  const list = make("ul", { class: "wb-list" });
  const none = make("div", { class: "wb-muted" }, "None runs.");
  const node = section("Kernels", list, none);
  const piece = (kind) => make("span", { class: kind });
  const create = () => make("li", { class: "wb-line" }, ...["wb-dot", "wb-grow wb-clip", "wb-muted"].map(piece));
  function change(item, kernel) {
    const [dot, name, kind] = item.children;
    set(dot, "data-state", kernel.state === "busy" ? "busy" : kernel.state === "dead" ? "lost" : "online");
    set(dot, "title", kernel.state);
    write(name, kernel.path || kernel.id);
    set(name, "title", kernel.path);
    write(kind, `${kernel.display_name} · ${kernel.state}`);
  }
  return {
    node,
    draw({ doc }) {
      each(list, doc.kernels, (kernel) => kernel.id, create, change);
      show(none, !doc.kernels.length);
    },
  };
}

/** What runs beside it; its log, and its restart where a launch allowed that. @param {Panel} panel @returns {Part} */
function services(panel) {
  const list = make("ul", { class: "wb-list wb-services" });
  const node = section("Services", list);
  const place = (name) => panel.view.doc.services.findIndex((service) => service.name === name);

  function create({ name }) {
    const dot = make("span", { class: "wb-dot" });
    const title = make("a", { class: "wb-clip", target: "_blank", rel: "noopener" });
    const state = make("span", { class: "wb-muted wb-state" });
    const ports = make("span", { class: "wb-muted wb-ports" });
    const logs = button("Logs", () => panel.logs.toggle(name), "wb-small");
    const restart = button("Restart", () => panel.restart(name, place(name)), "wb-small");
    set(logs, "aria-label", `Logs of ${name}`);
    set(restart, "aria-label", `Restart ${name}`);
    const item = make(
      "li",
      { class: "wb-service" },
      make("div", { class: "wb-line" }, dot, title, state),
      make("div", { class: "wb-line wb-wraps" }, ports, make("div", { class: "wb-tools" }, logs, restart)),
    );
    return Object.assign(item, { parts: { dot, title, state, ports, logs, restart } });
  }

  function change({ parts }, service) {
    const { doc, link, canAct } = panel.view;
    const why = doc.agent.connected ? "" : doc.agent.why;
    set(parts.dot, "data-state", colour(service));
    write(parts.title, service.title);
    set(parts.title, "title", service.name);
    set(parts.title, "href", service.web ? address(panel, service) : null);
    write(parts.state, condition(service));
    write(parts.ports, service.ports.map(published).join(", "));
    able(parts.logs, link === "online" && doc.agent.connected && service.state !== "gone", why);
    set(parts.logs, "aria-expanded", String(panel.logs.shows(service.name)));
    show(parts.restart, service.restart);
    able(parts.restart, canAct && service.state !== "gone", why);
  }
  return {
    node,
    draw({ doc }) {
      show(node, doc.services.length > 0);
      each(list, doc.services, (service) => service.name, create, change);
    },
  };
}

/** Where the page of a service is, below the server's own address; null where that is not known. */
function address(panel, { name, path }) {
  const base = panel.source.base ?? panel.view.doc.workbench.url;
  const below = `services/${encodeURIComponent(name)}/${path.replace(/^\/+/, "")}`;
  return base ? new URL(below, base).href : null;
}

/** A port as it reads best: `127.0.0.1:5000->5000/tcp` as `127.0.0.1:5000`. */
function published(text) {
  const [host, inside] = text.replace(/\/tcp$/, "").split("->");
  return inside === undefined ? host : port({ container: inside, host });
}

/** Ports, diffs, packages. @returns {Part} */
function facts() {
  const ports = row("Ports");
  const diffs = row("Diffs on save");
  const summary = make("summary");
  const list = make("ul", { class: "wb-list" });
  const packages = make("details", { class: "wb-packages" }, summary, list);
  const node = section("More", make("dl", {}, ports.node, diffs.node), packages);

  function fact(part, text) {
    show(part.node, !!text);
    write(part.value, text);
  }
  return {
    node,
    draw({ doc }) {
      fact(ports, (doc.workbench.ports ?? []).map(port).join(", "));
      fact(diffs, doc.diffs ? written(doc.diffs) : "");
      set(diffs.value, "class", Object.keys(doc.diffs?.warnings ?? {}).length ? "wb-warned" : null);
      const found = doc.packages ?? [];
      show(packages, found.length > 0);
      write(summary, `${count(found.length, "package")} installed by hand`);
      each(list, found, (one) => one.name, () => make("li"), (item, one) => write(item, `${one.name} ${one.version}`));
    },
  };
}

const port = ({ container, host }) => (host.endsWith(`:${container}`) ? host : `${host} → ${container}`);

function written(diffs) {
  if (!diffs.on) return "off";
  const warnings = Object.entries(diffs.warnings ?? {}).map(([path, why]) => `${path}: ${why}`);
  const last = diffs.last_written ? `last written ${ago(diffs.last_written)} ago` : "nothing written yet";
  return [`on, ${last}`, ...warnings].join("; ");
}

/** @param {Panel} panel @returns {Part} */
function actions(panel) {
  const verbs = ["restart", "rebuild", "stop"].map((verb) => button(capital(verb), () => panel.change(verb)));
  const logs = button("Logs", () => panel.logs.toggle(SERVER));
  const copy = button("Copy URL", async (node) => told(node, await copied(panel.view.doc.workbench.url)));
  const node = make("div", { class: "wb-buttons", role: "group", "aria-label": "Actions" }, ...verbs, logs, copy);
  return {
    node,
    draw({ doc, link, canAct }) {
      const why = doc.agent.connected ? "" : doc.agent.why;
      verbs.forEach((verb) => able(verb, canAct, why));
      able(logs, link === "online" && doc.agent.connected, why);
      set(logs, "aria-expanded", String(panel.logs.shows(SERVER)));
      able(copy, !!doc.workbench.url);
    },
  };
}

/** Put text on the clipboard; says whether that went well. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", { class: "wb-away" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A button says for a moment what became of it. */
function told(node, done) {
  const label = (node.dataset.label ??= node.textContent);
  write(node, done ? "Copied" : "Not copied");
  clearTimeout(node.timer);
  node.timer = setTimeout(() => write(node, label), 2000);
}

/** Whose log it is: the server's, or that of the service of this name. */
const SERVER = "";

/**
 * A log, followed while it is open.
 * @param {Panel} panel @returns {Part & {toggle: (name: string) => void, shows: (name: string) => boolean}}
 */
function logs(panel) {
  let whose = SERVER;
  /** @type {string[]} */
  let known = [];
  let timer = 0;
  let paused = false;
  const view = make("div", { class: "wb-log", role: "log", tabindex: 0 });
  const title = make("h3", { class: "wb-clip" });
  const pause = button("Pause", () => ((paused = !paused), mark(pause, paused)), "wb-small");
  const wrap = button("Wrap", () => mark(wrap, view.classList.toggle("wb-wrap")), "wb-small");
  const copy = button("Copy", async () => told(copy, await copied(known.join("\n"))), "wb-small");
  const close = button("✕", () => toggle(whose), "wb-icon");
  set(close, "aria-label", "Close the log");
  const tools = make("div", { class: "wb-tools" }, pause, wrap, copy, close);
  const head = make("div", { class: "wb-line wb-wraps" }, title, tools);
  const node = make("section", { class: "wb-section", "aria-label": "Log", hidden: true }, head, view);
  [pause, wrap].forEach((tool) => mark(tool, false));

  const shows = (name) => !node.hidden && whose === name;

  function toggle(name) {
    show(node, !shows(name));
    if (whose !== name) {
      whose = name;
      known = [];
      view.replaceChildren();
    }
    write(title, name === SERVER ? "Log" : `Log of ${name}`);
    set(view, "aria-label", `Log of ${name === SERVER ? "the server" : name}`);
    clearTimeout(timer);
    panel.draw();
    if (node.hidden) return;
    follow();
    node.scrollIntoView({ block: "nearest" });
  }

  async function follow() {
    const name = whose;
    try {
      const lines = !paused && panel.view.link === "online" ? (await ask(name)).lines : [];
      // Another one may have been opened meanwhile.
      if (name === whose) append(lines);
    } catch {
      // The panel says elsewhere that the agent or the server is away; the log goes on when it is back.
    }
    clearTimeout(timer);
    if (!node.hidden && !panel.disposed) timer = setTimeout(follow, 1000);
  }

  function append(lines) {
    const fresh = added(known, lines);
    if (!fresh.length) return;
    const atEnd = view.scrollHeight - view.scrollTop - view.clientHeight < 8;
    known = [...known, ...fresh].slice(-LINES);
    view.append(...fresh.map((line) => make("div", {}, line)));
    while (view.childElementCount > LINES) view.firstElementChild.remove();
    if (atEnd) view.scrollTop = view.scrollHeight;
  }
  /** @param {string} name */
  function ask(name) {
    if (name === SERVER) return panel.source.send("logs", { tail: TAIL });
    const service = panel.view.doc.services.findIndex((one) => one.name === name);
    return service < 0 ? { lines: [] } : panel.source.send("service_logs", { service, tail: TAIL });
  }
  return { node, toggle, shows, draw: () => {} };
}

const mark = (node, on) => set(node, "aria-pressed", String(on));

/* ---- the whole ---- */

class Panel {
  disposed = false;
  /** @type {any} why a verb was refused here */
  refused = null;

  /** @param {HTMLElement} element @param {Source} source */
  constructor(element, source) {
    this.source = source;
    this.logs = logs(this);
    this.confirmation = confirmation();
    /** @type {Part[]} */
    this.parts = [
      ...[header(), notices(this), this.confirmation, actions(this), device(this)],
      ...[usage(), kernels(), services(this), facts(), this.logs],
    ];
    this.waiting = make("div", { class: "wb-muted wb-waiting" }, "Waiting for the workbench …");
    this.body = make("div", { class: "wb-body" }, ...this.parts.map((part) => part.node));
    this.node = make("div", { class: "wb-panel", role: "region", "aria-label": "Workbench" }, this.waiting, this.body);
    element.append(this.node);
    this.draw();
    this.unsubscribe = source.subscribe(() => this.draw());
    this.clock = setInterval(() => this.draw(), 20000);
  }

  draw() {
    this.view = look(this.source);
    const ready = !!this.view.doc;
    show(this.waiting, !ready);
    show(this.body, ready);
    set(this.node, "data-link", this.view.link);
    if (ready) this.parts.forEach((part) => part.draw(this.view));
  }

  /** Compute on a device: at once where it has a kernel, else the container is made anew. @param {string} device */
  async choose(device) {
    if (device === current(this.view)) return;
    if (!this.view.doc.device.kernels[device]) return void this.change("set_device", { device });
    await this.attempt(() => this.source.choose(device));
  }

  /** Ask first, save, then do. @param {string} verb @param {object} [args] */
  async change(verb, args = {}) {
    if (!(await this.confirmation.ask(question(this.view.doc, verb, args, !!this.source.save)))) return;
    await this.attempt(async () => {
      await this.source.save?.();
      await this.source.send(verb, args);
    });
  }

  /** Ask first, then restart a service. @param {string} name @param {number} service its place in the list */
  async restart(name, service) {
    const words = {
      title: `Restart ${name}?`,
      does: "Its connections are cut; what it keeps in memory alone is lost.",
      lost: "The notebook's kernels stay.",
      accept: "Restart",
    };
    if (await this.confirmation.ask(words)) await this.attempt(() => this.source.send("restart_service", { service }));
  }

  /** @param {string} verb */
  ask(verb) {
    return this.attempt(() => this.source.send(verb));
  }

  async attempt(act) {
    this.refuse(null);
    try {
      await act();
    } catch (error) {
      this.refuse(error);
    }
    this.draw();
  }

  refuse(error) {
    this.refused = error && { ok: false, message: error.message || String(error), hint: error.hint ?? "" };
  }

  dispose() {
    this.disposed = true;
    clearInterval(this.clock);
    this.unsubscribe();
    this.node.remove();
  }
}

/**
 * Show a panel in an element.
 * @param {HTMLElement} element @param {Source} source
 */
export function mount(element, source) {
  const panel = new Panel(element, source);
  return { dispose: () => panel.dispose() };
}

/* ---- as a widget ---- */

/** A source over the model of a widget. */
function widgetSource(model) {
  const waiting = new Map();
  let doc = remembered(model.get("state"));
  const listeners = new Set();
  const tell = () => listeners.forEach((listener) => listener());
  const onState = () => ((doc = remembered({ ...model.get("state"), history: doc.history })), tell());
  const onReply = (reply) => {
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if (reply.ok) resolve?.(reply.result);
    else reject?.(reply.error);
  };
  model.on("change:state", onState);
  model.on("change:device", tell);
  model.on("msg:custom", onReply);
  const source = {
    state: () => doc,
    subscribe: (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    send: (verb, args = {}) =>
      new Promise((resolve, reject) => {
        const id = crypto.randomUUID?.() ?? String(Math.random());
        waiting.set(id, { resolve, reject });
        model.send({ id, verb, args });
      }),
    notebook: () => ({ name: "this notebook", device: model.get("device") }),
    choose: (device) => source.send("set_device", { device }),
  };
  const dispose = () => {
    model.off("change:state", onState);
    model.off("change:device", tell);
    model.off("msg:custom", onReply);
  };
  return { source, dispose };
}

export default {
  /** What anywidget calls for each display of the widget. */
  render({ model, el }) {
    const { source, dispose } = widgetSource(model);
    const panel = mount(el, source);
    return () => (panel.dispose(), dispose());
  },
};
