// @ts-check
/* What happens to the page when the server goes and comes back: one notification while it is announced, one dialog
 * when it is not, and kernels that are connected again without a question. */

import { doing, outcome, prose, telling } from "./panel.js";

/** Milliseconds that a loss nobody announced may last before anything is said. */
const QUIET = 5000;
/** Milliseconds after which an announced return is late. */
const LATE = 120_000;

/**
 * @param {object} tools
 * @param {import("./store.js").Store} tools.store
 * @param {any} tools.services JupyterLab's service manager
 * @param {() => any[]} tools.contexts the session contexts of all open documents
 * @param {any} tools.Dialog @param {any} tools.Notification @param {any} tools.Widget
 */
export function watch({ store, services, contexts, Dialog, Notification, Widget }) {
  let link = store.link;
  let server = store.state?.workbench.server_started;
  let timer = 0;
  /** @type {any} */
  let dialog = null;
  /** @type {any[]} session contexts that had a kernel when the server went */
  let running = [];
  const progress = reporter(Notification);

  store.subscribe(() => {
    const before = link;
    const found = store.state?.workbench.server_started;
    const anew = server !== undefined && found !== server;
    link = store.link;
    server = found;
    progress(store);
    // A page that nobody saw may have missed all of it.
    if (link === "online" && (before !== "online" || anew)) returned(anew);
    else if (link !== before) gone(before);
  });

  function gone(before) {
    clearTimeout(timer);
    if (before === "online") running = alive();
    if (link === "stopped") ask();
    else timer = setTimeout(ask, link === "coming" ? LATE : QUIET);
  }

  function ask() {
    const words = parting(store);
    dialog = new Dialog({ ...words, body: text(Widget, words.body), buttons: [Dialog.okButton({ label: "Close" })] });
    dialog.launch().then(() => (dialog = null));
  }

  async function returned(anew) {
    clearTimeout(timer);
    dialog?.reject();
    const waiting = running.length ? running : alive();
    running = [];
    await refresh(services);
    await Promise.allSettled(waiting.map((context) => reconnect(context, services, anew)));
  }

  const alive = () => contexts().filter((context) => context.session?.kernel);
}

/** Ask the server again for what JupyterLab would ask only at its next poll, kernels last: they need the others. */
async function refresh(services) {
  await Promise.allSettled([services.kernelspecs.refreshSpecs(), services.kernels.refreshRunning()]);
  await services.sessions.refreshRunning().catch(() => null);
}

/** Connect a document to its kernel: the one of the same id where there is one, else to a new one of its kind. */
async function reconnect(context, services, anew) {
  const session = context.session;
  if (context.isDisposed) return;
  if (!session?.kernel) {
    const known = services.kernelspecs.specs?.kernelspecs ?? {};
    await context.changeKernel({ name: known[context.prevKernelName] ? context.prevKernelName : "python3" });
  } else if (anew) {
    // The kernel is another one under the old id, perhaps of another kind: what JupyterLab remembers of the old one
    // (replies that will never come, its name in the toolbar) has to go.
    const model = [...services.sessions.running()].find((one) => one.id === session.id) ?? session.model;
    session.update({ ...model, kernel: null });
    session.update(model);
  } else if (session.kernel.connectionStatus !== "connected") {
    await session.kernel.reconnect();
  }
}

/** What is said when the server is gone. */
function parting(store) {
  const again = "Start it again with `run-notebook` in the project's folder; this page then goes on by itself.";
  const name = store.state?.workbench.name ?? "";
  if (store.link === "stopped") return { title: "The workbench has been stopped", body: again };
  const logs = `\`workbench logs ${name}\` shows what happened.`;
  if (store.link === "coming") return { title: "The workbench does not come back", body: `${logs} ${again}` };
  const dock = store.state?.workbench.dock;
  if (dock) {
    const goes = "JupyterLab goes on there, and this page with it once the link is back.";
    const why = "`workbench ps --all-docks` tells whether the machine can be reached.";
    return { title: `The link to ${dock} is cut`, body: `${goes} ${why}` };
  }
  return { title: "The workbench does not answer", body: `It has ended, or cannot be reached. ${logs} ${again}` };
}

function text(Widget, words) {
  const node = document.createElement("div");
  prose(node, words);
  return new Widget({ node });
}

/** One notification for an action, from its beginning to its outcome. */
function reporter(Notification) {
  let id = "";
  let said = "";

  function say(message, type = "in-progress", autoClose = /** @type {number | false} */ (false)) {
    if (message === said) return;
    said = message;
    if (id) Notification.update({ id, message, type, autoClose });
    else id = Notification.emit(message, type, { autoClose });
  }

  function end(last) {
    if (last) say(outcome(last), last.ok ? "success" : "error", last.ok ? 4000 : 15_000);
    else Notification.dismiss(id);
    id = said = "";
  }

  return ({ state, link, leaving }) => {
    if (link === "coming") say(`${doing(leaving ?? state.action)} … starting`);
    else if (link === "online" && state?.action) say(telling(state.action, state.action.text, " … "));
    // The outcome comes from the agent, which comes back a moment after the server.
    else if (id && link === "online" && state.agent.connected) end(state.last);
    else if (id && link !== "online") end(null);
  };
}
